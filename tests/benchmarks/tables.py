"""The measured tables: which strategy wins, on which data.

python -m tests.benchmarks.tables fashion-mnist
python -m tests.benchmarks.tables fashion-mnist-60000
python -m tests.benchmarks.tables clothing --data DIR

Each cell is one selection, trained on and judged. A finished cell is kept in the work folder, and
never run again. Results, plots and the table on the page of results are written to `RESULTS`.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from PIL import Image

import moderate_cli
from moderate_cli.charts.curves import draw_curves
from moderate_cli.dataset import Dataset
from moderate_cli.evaluation import FULL, Cell, Comparison, Learner, ProbeLearner, Result, judge
from moderate_cli.evaluation.ledger import Ledger
from moderate_cli.evaluation.recipe import SMALL, Recipe
from moderate_cli.exporting import Table, write_table
from moderate_cli.inputs import Source
from moderate_cli.results import LabeledFeatures
from moderate_cli.selection import STRATEGIES, Choice
from tests.benchmarks.page import PAGE
from tests.marked import fill

RESULTS = Path(__file__).parent / "results"
SCENARIOS: dict[str, dict[str, Any]] = {
    "clean": {},
    "label-noise-20": {"label_noise": 0.2},
    "label-noise-35": {"label_noise": 0.35},
    "corrupted-20": {"corrupt": 0.2},
}
BASE = Choice(ratio=1)  # each cell has its own ratio
RATIOS = ("0.05", "0.1", "0.2", "0.3", "0.5", "0.7")
Way = tuple[str, str]  # strategy, and whether suspects are dropped
EVERY: list[Way] = [*((name, "") for name in STRATEGIES), ("random", "auto"), ("matching", "auto")]
MAIN: list[Way] = [("random", ""), ("moderate", ""), ("trimmed", ""), ("matching", "auto")]
DRAWN = (FULL, "random", "moderate", "easy", "hard", "stratified", "matching", "trimmed")
FASHION_CLASSES = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
    "ankle-boot",
)  # fmt: skip
BASE = Choice(ratio=1)  # of all selections; each has its own strategy and ratio
VERSIONS = ("moderate-cli", "numpy", "pillow", "torch", "torchvision", "openvino")


class Plan(NamedTuple):
    """Plan of a table.

    Attributes
    ----------
    ways
        The ways to select, including random selection.
    images
        Number of training images of Fashion-MNIST; 0 for another dataset.
    steps
        Batches to train a network on; 0 for a linear probe.
    """

    ways: list[Way]
    images: int = 0
    steps: int = 0


PLANS = {
    "fashion-mnist": Plan(EVERY, 6_000, 600),
    "fashion-mnist-60000": Plan(MAIN, 60_000, 3_000),
    "clothing": Plan(EVERY),
}


class Setting(NamedTuple):
    """Plan of a table, with its data.

    Attributes
    ----------
    name
        Name of the table, its results and its work folder.
    ways
        The ways to select.
    train, test
        Datasets; the test set is always clean.
    recipe
        How to train a network; None for a linear probe.
    """

    name: str
    ways: list[Way]
    train: Path
    test: Path
    recipe: Recipe | None


@click.command()
@click.argument("table", type=click.Choice(list(PLANS)))
@click.option("--work", type=click.Path(path_type=Path), default="tables", show_default=True)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data.")
@click.option(
    "--network",
    default=SMALL,
    show_default=True,
    help="Network to train; choose a larger one for a GPU.",
)
@click.option("--seeds", default=5, show_default=True)
@click.option("--jobs", default=2, show_default=True, help="Processes, of one thread each.")
def main(
    table: str,
    work: Path,
    data: Path | None,
    network: str,
    seeds: int,
    jobs: int,
) -> None:
    """Measure a table, cell by cell, and print it."""
    plan = PLANS[table]
    if plan.images:
        source = data or Path("/usr/share/datasets/fashion-mnist")
        train, test = _fashion(source, work / table, plan.images)
        setting = Setting(table, plan.ways, train, test, Recipe(network, plan.steps, 28))
    else:
        if data is None:
            raise click.UsageError(
                "the table of clothing needs --data, a folder with train and test"
            )
        setting = Setting(table, plan.ways, data / "train", data / "test", None)
    folders = {name: _scenario(name, setting.train, work / table) for name in SCENARIOS}
    _embed(setting.test, work / table)
    _measure(setting, folders, work / table, range(seeds), jobs)
    found = {
        name: Comparison(_results(setting, folder, work / table, range(seeds)), BASE)
        for name, folder in folders.items()
    }
    _write(setting, found, seeds)
    fill(PAGE, table, f"{shown(table)}\n")
    print(shown(table))


def _fashion(source: Path, folder: Path, images: int) -> tuple[Path, Path]:
    """Make ImageFolders of the first training images, and of all test images."""
    for name, kind, count in (("train", "train", images), ("test", "t10k", 10_000)):
        if (folder / name).exists():
            continue
        pixels = _idx(source / f"{kind}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
        labels = _idx(source / f"{kind}-labels-idx1-ubyte.gz", 8)
        for label in FASHION_CLASSES:
            (folder / f"{name}.partial" / label).mkdir(parents=True, exist_ok=True)
        for row in range(count):
            path = folder / f"{name}.partial" / FASHION_CLASSES[labels[row]] / f"{row:05}.png"
            Image.fromarray(pixels[row]).save(path)
        (folder / f"{name}.partial").rename(folder / name)
    return folder / "train", folder / "test"


def _idx(path: Path, header: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def _scenario(name: str, train: Path, work: Path) -> Path:
    """Perturb the training set, and embed the changed images."""
    work.mkdir(parents=True, exist_ok=True)
    _embed(train, work)
    if not SCENARIOS[name]:
        return train
    folder = work / name
    if not folder.exists():
        moderate_cli.perturb(train, folder, **SCENARIOS[name])
    if not _store(folder, work).exists():
        shutil.copytree(_store(train, work), _store(folder, work))
    _embed(folder, work)
    return folder


def _store(folder: Path, work: Path) -> Path:
    return work / f"{folder.name}.moderate"


def _embed(folder: Path, work: Path) -> tuple[Dataset, LabeledFeatures]:
    dataset = moderate_cli.scan(folder)
    return dataset, LabeledFeatures.of(moderate_cli.embed(dataset, store=_store(folder, work)))


def _cells(setting: Setting, seed: int) -> list[Cell]:
    """List the cells of one seed."""
    return [
        Cell(FULL, "1", "", seed),
        Cell(FULL, "1", "auto", seed),
        *(Cell(name, ratio, dropped, seed) for ratio in RATIOS for name, dropped in setting.ways),
    ]


def _measure(
    setting: Setting, folders: dict[str, Path], work: Path, seeds: range, jobs: int
) -> None:
    """Run the missing cells in several processes: all scenarios of a seed, then the next seed."""
    with ProcessPoolExecutor(jobs, get_context("spawn"), _use_one_thread) as pool:
        tasks = [
            pool.submit(_run, setting, folder, work, seed)
            for seed in seeds
            for folder in folders.values()
        ]
        for done in as_completed(tasks):
            done.result()


def _use_one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _ledger(setting: Setting, folder: Path, work: Path) -> Ledger:
    context = {"with": setting.recipe and setting.recipe.changes, "data": folder.name}
    return Ledger(work / "cells.jsonl", context)


def _run(setting: Setting, folder: Path, work: Path, seed: int) -> None:
    """Judge the cells of one scenario and seed that are not finished yet."""
    ledger = _ledger(setting, folder, work)
    missing = [cell for cell in _cells(setting, seed) if cell not in ledger.results]
    if not missing:
        return
    own, test = _embed(folder, work), _embed(setting.test, work)
    learner = _learner(own, test, setting.recipe)
    for cell, result in judge(Source((own[1],)), missing, learner, BASE, test=test[1]):
        ledger.add(cell, result)


def _learner(
    own: tuple[Dataset, LabeledFeatures],
    test: tuple[Dataset, LabeledFeatures],
    recipe: Recipe | None,
) -> Learner:
    if recipe is None:
        return ProbeLearner(own[1], test[1])
    from moderate_cli.evaluation.training import TrainLearner, read_pictures

    pictures = [
        read_pictures(dataset, features.labels, features.readable, recipe)
        for dataset, features in (own, test)
    ]
    return TrainLearner(pictures[0], pictures[1], recipe)


def _results(setting: Setting, folder: Path, work: Path, seeds: range) -> dict[Cell, Result]:
    ledger = _ledger(setting, folder, work)
    return {cell: ledger.results[cell] for seed in seeds for cell in _cells(setting, seed)}


def _write(setting: Setting, found: dict[str, Comparison], seeds: int) -> None:
    """Write figures, plots, and what they were made with."""
    RESULTS.mkdir(exist_ok=True)
    tables = {name: comparison.table() for name, comparison in found.items()}
    header = ("scenario", *next(iter(tables.values())).header)
    rows = [(name, *row) for name, table in tables.items() for row in table.rows]
    write_table(RESULTS / f"{setting.name}.csv", Table(header, rows))
    for name, comparison in found.items():
        drawn = {
            cell: result
            for cell, result in comparison.results.items()
            if cell.strategy in DRAWN and not cell.drop_suspects
        }
        draw_curves(RESULTS / f"{setting.name}-{name}.png", Comparison(drawn, BASE).points)
    facts = {
        "seeds": list(range(seeds)),
        "images": len(moderate_cli.scan(setting.train)),
        "recipe": setting.recipe and setting.recipe.changes,
        "versions": {name: version(name) for name in VERSIONS},
    }
    (RESULTS / f"{setting.name}.json").write_text(json.dumps(facts, indent=2) + "\n")


def shown(name: str) -> str:
    """Return the tables of a page, from the results: differences to random selection.

    One table a scenario, in points of accuracy; bold where the 95 % interval excludes zero.
    """
    with (RESULTS / f"{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    tables = []
    for scenario, lines in itertools.groupby(rows, key=lambda row: row["scenario"]):
        ways: dict[str, dict[str, dict[str, str]]] = {}
        for line in lines:
            ways.setdefault(_way(line), {})[line["ratio"]] = line
        full, random = ways.pop(FULL)["1"], ways.pop("random")
        ways.pop(f"{FULL}, suspects dropped", None)
        tables.append(
            "\n".join(
                [
                    f"| {scenario}, kept | {' | '.join(RATIOS)} |",
                    f"| --- |{' ---: |' * len(RATIOS)}",
                    f"| random, of {_accuracy(full)} with all |"
                    f" {' | '.join(_accuracy(random[ratio]) for ratio in RATIOS)} |",
                    *(
                        f"| {way} | {' | '.join(_difference(found[ratio]) for ratio in RATIOS)} |"
                        for way, found in ways.items()
                    ),
                ]
            )
        )
    return "\n\n".join(tables)


def _way(line: dict[str, str]) -> str:
    return line["strategy"] + (", suspects dropped" if line["drop_suspects"] else "")


def _accuracy(line: dict[str, str]) -> str:
    return f"{100 * float(line['accuracy']):.1f}"


def _difference(line: dict[str, str]) -> str:
    mean, half = float(line["to_random"]), float(line["to_random_half"])
    return f"**{100 * mean:+.1f}**" if abs(mean) > half else f"{100 * mean:+.1f}"


if __name__ == "__main__":
    main()
