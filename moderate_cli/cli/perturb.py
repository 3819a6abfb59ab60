"""`moderate perturb`: a noisy copy of a dataset."""

from __future__ import annotations

from fractions import Fraction

import click

from moderate_cli.api.perturb import perturb
from moderate_cli.cli import console, declaring, options, precedence, shares, values
from moderate_cli.cli.listening import Console
from moderate_cli.cli.values import Choice, Whole
from moderate_cli.exporting import LINKS
from moderate_cli.literals import Attack, Link
from moderate_cli.networks.table import CLASSIFIERS, DEFAULT_BACKBONE, WHERE
from moderate_cli.perturbation import ATTACKS, RECORD

ATTACK_OPTIONS = {"attack_fraction", "epsilon", "network", "weights", "device"}


@click.command(
    cls=declaring.Sectioned,
    common=("output", "label-noise", "corrupt", "attack", "seed"),
    examples=(
        ("moderate perturb data/train -o noisy --label-noise 0.2", "wrong labels"),
        ("moderate perturb data/train -o foggy --corrupt 0.2", "ruined images"),
    ),
)
@options.data_required
@options.output("Folder of the copy.", metavar="DIR", required=True)
@declaring.option(
    "--label-noise",
    type=shares.ANY,
    metavar="F",
    default="0",
    help="Fraction of images to move to a random other class.",
)
@declaring.option(
    "--pair-noise",
    type=shares.ANY,
    metavar="F",
    default="0",
    help="Fraction of images to move to the next class.",
)
@declaring.option(
    "--corrupt",
    type=shares.ANY,
    metavar="F",
    default="0",
    help="Fraction of images to ruin, by noise, occlusion, low resolution, fog or motion blur.",
)
@declaring.option(
    "--attack",
    type=Choice(ATTACKS),
    help="Add barely visible adversarial noise that fools a network.",
)
@declaring.option(
    "--attack-fraction",
    type=shares.ANY,
    metavar="F",
    default="1",
    help="Fraction of images to attack.",
)
@declaring.option(
    "--epsilon",
    type=Whole(1, 255),
    default=8,
    help="Largest change of a pixel value by --attack, of 255.",
)
@declaring.option(
    "--network",
    type=Choice(CLASSIFIERS, WHERE),
    metavar="NAME",
    default=DEFAULT_BACKBONE,
    help="Network that --attack fools: efficientnet_lite0, or a torchvision classifier.",
)
@declaring.option(
    "--weights",
    type=values.PATH,
    metavar="FILE",
    help="State dict for the network, with its head.",
)
@options.max_pixels
@options.device
@declaring.option(
    "--link",
    type=Choice(list(LINKS)),
    metavar="NAME",
    default="symbolic",
    help="How to add unchanged images: copies (none), or hard or symbolic links.",
)
@options.seed
@options.configuration
def command(
    data: str,
    output: str,
    label_noise: Fraction,
    pair_noise: Fraction,
    corrupt: Fraction,
    attack: Attack | None,
    attack_fraction: Fraction,
    epsilon: int,
    network: str,
    weights: str | None,
    max_pixels: int,
    device: str,
    link: Link,
    seed: int,
) -> None:
    """Make a noisy copy of a dataset, for experiments.

    Moves images to wrong classes, ruins images, or attacks them. DATA itself is never changed;
    DIR/perturbed.csv lists the changes; an image gets a number if its name is taken in its new
    class (00-1.jpg). Evaluate against the clean test set of DATA.

    --attack pushes the network away from its own prediction. It changes images at full size.
    """
    if attack is None:
        precedence.refuse_without("--attack", ATTACK_OPTIONS)
    made = perturb(
        data, output, label_noise=label_noise, pair_noise=pair_noise, corrupt=corrupt,
        attack=attack, attack_fraction=attack_fraction, epsilon=epsilon, network=network,
        weights=weights, device=device, seed=seed, link=link, max_pixels=max_pixels,
        listener=Console(),
    )  # fmt: skip
    console.note(f"Wrote {made}; {RECORD} lists the changes, with old and new paths")
