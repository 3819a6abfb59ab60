"""`moderate demo`: the whole chain on a small drawn dataset."""

from __future__ import annotations

import os

import click
import numpy as np

from moderate_cli.cli import console, options
from moderate_cli.dataset import scan
from moderate_cli.demo import draw_dataset
from moderate_cli.embedding import embed
from moderate_cli.errors import OutputError
from moderate_cli.exporting.folders import export
from moderate_cli.files.atomic import new_folder
from moderate_cli.results import score
from moderate_cli.selection import select

RATIO = 0.3


@click.command()
@click.argument("folder", metavar="[DIR]", type=options.PATH, default="moderate-demo")
def command(folder: str) -> None:
    """Make a small dataset, prune it, and say what became of it.

    Draws pictures in six classes to DIR/train (DIR is moderate-demo unless named), some of them
    planted in the wrong class or ruined; then does what `moderate select --ratio 0.3 DIR/train
    --copy-to DIR/train-0.3` does. DIR must not exist.
    """
    if os.path.lexists(folder):
        raise OutputError(f"{folder}: exists; name another DIR")
    with new_folder(folder) as fresh:
        drawing = draw_dataset(fresh / "train")
    train, pruned = os.path.join(folder, "train"), os.path.join(folder, f"train-{RATIO}")
    dataset = scan(train)
    with console.progress("embed") as move:
        store = embed(dataset, on_progress=move)
    kept = select(score(store), ratio=RATIO)
    export(dataset, kept, pruned)
    paths = {store.paths[row] for row in np.flatnonzero(kept).tolist()}
    mislabeled, ruined = len(drawing.mislabeled & paths), len(drawing.ruined & paths)
    lines = (
        f"{train}: {len(dataset)} images in {len(dataset.classes)} classes",
        f"{pruned}: the {len(paths)} around the median distance to their class center",
        f"of {len(drawing.mislabeled)} mislabeled images, {mislabeled} are kept",
        f"of {len(drawing.ruined)} ruined images, {ruined} are kept",
        f"now try: moderate select --ratio {RATIO} {train}",
    )
    console.write("".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))
