"""`moderate demo`: the whole chain on a small drawn dataset."""

from __future__ import annotations

import os

import click
import numpy as np

from moderate_cli.api.select import select
from moderate_cli.cli import console, values
from moderate_cli.cli.listening import Console
from moderate_cli.demo import draw_dataset
from moderate_cli.errors import OutputError
from moderate_cli.exporting import export
from moderate_cli.files.atomic import new_folder
from moderate_cli.selection import RECOMMENDED

RATIO = 0.3


@click.command()
@click.argument("folder", metavar="[DIR]", type=values.PATH, default="moderate-demo")
def command(folder: str) -> None:
    """Make a small dataset, prune it, and report the result.

    Draws images of six classes in DIR/train, some of them mislabeled or ruined. Then prunes them
    as `moderate select --ratio 0.3 DIR/train --copy-to DIR/train-0.3` does. DIR must not exist; the
    default is moderate-demo.
    """
    if os.path.lexists(folder):
        raise OutputError(f"{folder} already exists; choose another DIR")
    with new_folder(folder) as fresh:
        drawing = draw_dataset(fresh / "train")
    train, pruned = os.path.join(folder, "train"), os.path.join(folder, f"train-{RATIO}")
    found = select(train, ratio=RATIO, listener=Console())
    assert found.dataset is not None
    export(found.dataset, found.mask, pruned, listener=Console())
    images, paths = len(found.mask), set(found.paths)
    lines = [
        f"{train}: {images} images in {len(found.classes)} classes",
        f"{pruned}: the {np.count_nonzero(found.mask)} images whose distance to their class center"
        " is closest to the median of their class",
    ]
    for kind, planted in (("mislabeled", drawing.mislabeled), ("ruined", drawing.ruined)):
        kept, expected = len(planted & paths), round(RATIO * len(planted))
        lines.append(f"{kept} of the {len(planted)} {kind} images kept (random: about {expected})")
    lines.append(f"now try: moderate select --ratio {RATIO} --strategy {RECOMMENDED} {train}")
    console.write("".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))
