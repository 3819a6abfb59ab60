"""`moderate perturb`: a copy of a dataset with wrong labels and ruined pictures."""

from __future__ import annotations

from fractions import Fraction

import click

from moderate_cli.cli import console, options
from moderate_cli.cli.inputs import images_of
from moderate_cli.exporting import LINKS
from moderate_cli.perturbation import RECORD, perturb


@click.command()
@options.data_required
@options.option(
    "-o", "--output", type=options.PATH, metavar="DIR", required=True, help="The folder to make."
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
    "--link",
    type=click.Choice(list(LINKS)),
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
    link: str,
    seed: int,
) -> None:
    """Make a copy of a dataset with wrong labels and ruined pictures.

    It is there to try methods on. DATA itself is never changed. What was done to which image is
    listed in DIR/perturbed.csv. A --test set for it is the clean one that belongs to DATA.
    """
    if label_noise == pair_noise == corrupt == 0:
        raise click.UsageError("Missing option '--label-noise', '--pair-noise' or '--corrupt'")
    dataset = images_of(data)
    with console.progress("perturb") as move:
        made = perturb(
            dataset,
            output,
            label_noise=label_noise,
            pair_noise=pair_noise,
            corrupt=corrupt,
            seed=seed,
            link=link,
            on_progress=move,
        )
    moved = sum(
        image.label != label for image, (_, label) in zip(made, dataset.samples, strict=True)
    )
    ruined = sum(bool(image.corruption) for image in made)
    console.note(
        f"{len(made)} images in {output}: {moved} in a wrong class, {ruined} ruined; {RECORD} says"
        " which"
    )
