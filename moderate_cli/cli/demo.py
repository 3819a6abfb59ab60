"""`moderate demo`: the whole chain on a small drawn dataset."""

from __future__ import annotations

import os

import click
import numpy as np

from moderate_cli.api.evaluate import evaluate
from moderate_cli.api.select import select
from moderate_cli.choosing import Selection
from moderate_cli.cli import console, declaring, values
from moderate_cli.cli.listening import Console
from moderate_cli.demo import Drawing, draw_dataset, draw_test_set
from moderate_cli.errors import OutputError
from moderate_cli.exporting.folders import export
from moderate_cli.files.atomic import new_folder
from moderate_cli.literals import StrategyName
from moderate_cli.selection import RECOMMENDED
from moderate_cli.text import aligned

RATIO = 0.3
COMPARED: tuple[StrategyName, ...] = (RECOMMENDED, "random", "moderate")


@click.command(
    cls=declaring.Sectioned,
    examples=(
        ("moderate demo", "work in moderate-demo"),
        ("moderate demo trial", "work in another folder"),
    ),
)
@click.argument("folder", metavar="[DIR]", type=values.PATH, default="moderate-demo")
def command(folder: str) -> None:
    """Make a small dataset, prune it, and report the result.

    Draws images of six classes in DIR/train, some of them mislabeled as a class that looks alike,
    or ruined, and a clean test set in DIR/test. Compares the recommended selection with random
    selection and the default, and copies the recommended one to DIR/train-0.3. DIR must not exist;
    the default is moderate-demo.
    """
    if os.path.lexists(folder):
        raise OutputError(f"{folder} already exists; choose another DIR")
    with new_folder(folder) as fresh:
        drawing = draw_dataset(fresh / "train")
        draw_test_set(fresh / "test")
    train, test = os.path.join(folder, "train"), os.path.join(folder, "test")
    pruned = os.path.join(folder, f"train-{RATIO}")
    taken = select(train, ratio=RATIO, strategy=RECOMMENDED, listener=Console())
    found = [taken, *(select(train, ratio=RATIO, strategy=name) for name in COMPARED[1:])]
    assert taken.dataset is not None
    export(taken.dataset, taken.mask, pruned, listener=Console())
    images, kept = len(taken.mask), int(np.count_nonzero(taken.mask))
    text = (
        f"{train}: {images} images in {len(taken.classes)} classes;"
        f" {len(drawing.mislabeled)} have a wrong label, {len(drawing.ruined)} are ruined\n"
        f"{test}: a clean test set\n\n"
        f"{_table(found, drawing, _accuracies(train, test))}\n"
        f"{pruned}: the {kept} images that {RECOMMENDED} keeps, 30 % of all\n"
        f"now try your own images: moderate suggest YOUR/DATA --ratio {RATIO}\n"
    )
    console.write(text.encode(errors="surrogateescape"))


def _accuracies(train: str, test: str) -> dict[str, float]:
    """Return the accuracy of a linear probe on the test set, for each strategy."""
    found = evaluate(train, test=test, ratio=RATIO, strategy=COMPARED, listener=Console())
    return {line.cell.strategy: line.accuracy.mean for line in found.lines}


def _table(found: list[Selection], drawing: Drawing, accuracies: dict[str, float]) -> str:
    """Return the number of planted images that each selection keeps, and its accuracy."""
    rows = []
    for selection in found:
        name, paths = selection.choice.strategy, set(selection.paths)
        planted = [str(len(some & paths)) for some in (drawing.mislabeled, drawing.ruined)]
        shown = f"{name}, the default" if name == "moderate" else name
        rows.append((shown, *planted, f"{accuracies[name]:.0%}".replace("%", " %")))
    return aligned(("kept by", "wrong labels", "ruined", "accuracy of a linear probe"), rows)
