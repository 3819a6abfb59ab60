"""`moderate perturb`: a copy of a dataset with wrong labels and ruined pictures."""

from __future__ import annotations

from fractions import Fraction

import click

from moderate_cli.cli import console, options
from moderate_cli.cli.inputs import images_of
from moderate_cli.cli.values import Choice, Whole
from moderate_cli.exporting.folders import LINKS
from moderate_cli.networks.table import CLASSIFIERS, DEFAULT_BACKBONE, WHERE
from moderate_cli.perturbation import ATTACKS, RECORD, Attack, perturb

ATTACK_OPTIONS = {"attack_fraction", "epsilon", "network", "weights", "device"}


@click.command()
@options.data_required
@options.option(
    "-o",
    "--output",
    command_line_only=True,
    type=options.PATH,
    metavar="DIR",
    required=True,
    help="The folder to make.",
)
@options.option(
    "--label-noise",
    type=options.share,
    metavar="F",
    default="0",
    help="Fraction of the images to put in any other class.",
)
@options.option(
    "--pair-noise",
    type=options.share,
    metavar="F",
    default="0",
    help="Fraction of the images to put in the next class.",
)
@options.option(
    "--corrupt",
    type=options.share,
    metavar="F",
    default="0",
    help="Fraction of the images to ruin: by noise, occlusion, low resolution, fog, motion blur.",
)
@options.option(
    "--attack",
    "attack_name",
    type=Choice(ATTACKS),
    help="Change images by hardly more than can be seen, to mislead a network.",
)
@options.option(
    "--attack-fraction",
    type=options.share,
    metavar="F",
    default="1",
    help="Fraction of the images that --attack is made on.",
)
@options.option(
    "--epsilon",
    type=Whole(1, 255),
    default=8,
    help="The most that --attack changes a value, of 255.",
)
@options.option(
    "--network",
    type=Choice(CLASSIFIERS, WHERE),
    metavar="NAME",
    default=DEFAULT_BACKBONE,
    help="What --attack misleads: efficientnet_lite0, or a torchvision classifier.",
)
@options.option(
    "--weights",
    type=options.PATH,
    metavar="FILE",
    help="State dict for the network, with its head.",
)
@options.max_pixels
@options.device
@options.option(
    "--link",
    type=Choice(list(LINKS)),
    default="symbolic",
    help="What images are that are not ruined: copies (none) or links.",
)
@options.seed
@options.configuration
def command(
    data: str,
    output: str,
    label_noise: Fraction,
    pair_noise: Fraction,
    corrupt: Fraction,
    attack_name: str | None,
    attack_fraction: Fraction,
    epsilon: int,
    network: str,
    weights: str | None,
    max_pixels: int,
    device: str,
    link: str,
    seed: int,
) -> None:
    """Make a copy of a dataset with wrong labels and ruined pictures.

    It is there to try methods on. DATA itself is never changed. What was done to which image is
    listed in DIR/perturbed.csv. A --test set for it is the clean one that belongs to DATA.

    --attack misleads a network, away from the class that it sees in the picture; what is changed
    is the picture at its full size.
    """
    attack = None
    if attack_name is not None:
        attack = Attack(attack_name, attack_fraction, epsilon, network, weights, device)
    else:
        options.refuse_without("--attack", ATTACK_OPTIONS)
        if label_noise == pair_noise == corrupt == 0:
            raise click.UsageError(
                "Missing option '--label-noise', '--pair-noise', '--corrupt' or '--attack'"
            )
    dataset = images_of(data)
    with console.progress("perturb") as move:
        made = perturb(
            dataset,
            output,
            label_noise=label_noise,
            pair_noise=pair_noise,
            corrupt=corrupt,
            attack=attack,
            seed=seed,
            link=link,
            max_pixels=max_pixels,
            on_progress=move,
        )
    moved = sum(
        image.label != label for image, label in zip(made, dataset.labels.tolist(), strict=True)
    )
    ruined = sum(bool(image.corruption) for image in made)
    console.note(
        f"{len(made)} images in {output}: {moved} in a wrong class, {ruined} ruined; {RECORD} says"
        " which"
    )
