"""What pruning costs, and what it saves: seconds of the whole chain, and of training.

python -m tests.benchmarks.cost DATA
"""

from __future__ import annotations

import statistics
import tempfile
import time

import click
import numpy as np

import moderate_cli
from moderate_cli.evaluation.recipe import BATCH, Recipe
from moderate_cli.evaluation.training import TrainLearner, read_pictures
from tests.benchmarks.page import PAGE, write_option
from tests.benchmarks.stages import MODERATE, process
from tests.marked import put_row

RATIO = 0.3
RECIPES = {
    "cnn from scratch, 32 pixels": Recipe(steps=0),
    "resnet18 from scratch, 224 pixels": Recipe("resnet18", 0, 224),
    "efficientnet_lite0 fine-tuned, 224 pixels": Recipe("efficientnet_lite0", 0, 0, tuned=True),
}
FEW, MORE, RUNS = 1, 2, 2
HEADER = (
    "| training | images/s | an epoch of all, s | saved of it, s | epochs that repay the chain |"
)


@click.command()
@click.argument("data", type=click.Path(exists=True))
@write_option
def main(data: str, write: bool) -> None:
    """Time embed, score and select once, and some steps of training; print when it pays."""
    images = len(moderate_cli.scan(data))
    with tempfile.TemporaryDirectory() as folder:
        chain = {
            name: process(MODERATE, *args, "--store", f"{folder}/store", data)()
            for name, args in {
                "embed": ["embed"],
                "score": ["score", "-o", f"{folder}/scores.txt"],
                "select": ["select", "--ratio", str(RATIO), "-o", f"{folder}/kept.txt"],
            }.items()
        }
    total = sum(chain.values())
    said = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in chain.items())
    print(f"{images} images: {said}; {total:.1f} s in all\n")
    print(HEADER)
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, recipe in RECIPES.items():
        rate = _images_per_second(data, recipe)
        epoch = images / rate
        saved = (1 - RATIO) * epoch
        row = f"| {name} | {rate:.0f} | {epoch:.1f} | {saved:.1f} | {total / saved:.1f} |"
        print(row)
        if write:
            put_row(PAGE, "cost", row)


def _images_per_second(data: str, recipe: Recipe) -> float:
    """Time a few steps and some more: what they differ by is training alone."""
    dataset = moderate_cli.scan(data)
    labels = dataset.labels
    some = np.zeros(len(dataset), dtype=bool)
    some[:: max(1, len(dataset) // (2 * BATCH))] = True
    pictures = read_pictures(dataset, labels, some, recipe)
    rows = np.flatnonzero(some)

    def seconds(steps: int) -> float:
        learn = TrainLearner(pictures, None, recipe._replace(steps=steps))
        start = time.perf_counter()
        learn(rows, rows[:1], 0)
        return time.perf_counter() - start

    seconds(FEW)  # once to warm up, not counted
    steps = 200 if recipe.size == 32 else MORE
    taken = [seconds(FEW + steps) - seconds(FEW) for _ in range(RUNS)]
    return steps * BATCH / statistics.median(taken)


if __name__ == "__main__":
    main()
