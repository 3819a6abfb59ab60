"""What a larger network, or two together, find and keep, with 20 % of the labels wrong.

python -m tests.benchmarks.two_backbones NAME TRAIN TEST
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click
import numpy as np

import moderate_cli
from moderate_cli.dataset import Dataset
from moderate_cli.evaluation.estimates import estimate
from moderate_cli.evaluation.probe import Probe
from tests.benchmarks.page import PAGE, write_option
from tests.marked import put_row

BACKBONES = ("efficientnet_lite0", "efficientnet_lite2")
JOINED, RANKED = "both, joined", "both, ranked together"
NOISE, RATIO = 0.2, 0.3


class Features(NamedTuple):
    """Features of the training and test images, (n, d) and (m, d)."""

    train: np.ndarray
    test: np.ndarray


@click.command()
@click.argument("name")
@click.argument("train", type=click.Path(exists=True))
@click.argument("test", type=click.Path(exists=True))
@click.option("--seeds", default=5, show_default=True, help="Draws of wrong labels.")
@click.option("--per-class", default=0, help="First training images of each class; 0 for all.")
@click.option("--test-per-class", default=0, help="The same of the test images.")
@write_option
def main(
    name: str, train: str, test: str, seeds: int, per_class: int, test_per_class: int, write: bool
) -> None:
    """Compare two backbones and both, on ImageFolders with clean labels."""
    counts = ((train, per_class), (test, test_per_class))
    parts = [_first(moderate_cli.scan(data), count) for data, count in counts]
    sets, labels, truth = _embedded(*parts)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for seed in range(seeds):
        given = _with_noise(labels, np.random.default_rng(seed))
        for way, figures in _figures(sets, labels, given, truth, seed).items():
            for figure, value in figures.items():
                found[way][figure].append(value)
    for way, columns in found.items():
        cells = (_cell(columns.get(figure), unit) for figure, unit in COLUMNS.items())
        row = f"| {name} | {way} | {' | '.join(cells)} |"
        print(row, flush=True)
        if write:
            put_row(PAGE, "two backbones", row, 2)


# Figure -> its unit, 100 for percent.
COLUMNS = {"auroc": 1, "f1": 1, "margin": 1, "wrong": 100, "easy": 100, "accuracy": 100}


def _cell(values: list[float] | None, unit: int) -> str:
    if not values:
        return ""
    mean, half = (unit * value for value in estimate(values, 0.0))
    digits = 1 if unit > 1 else 3
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def _first(dataset: Dataset, per_class: int) -> Dataset:
    """Return the first images of each class; all for 0."""
    if not per_class:
        return dataset
    own = [np.flatnonzero(dataset.labels == one)[:per_class] for one in np.unique(dataset.labels)]
    return dataset.part(np.concatenate(own))


def _embedded(train: Dataset, test: Dataset) -> tuple[dict[str, Features], np.ndarray, np.ndarray]:
    """Return the features of each way, and the labels of both parts."""
    sets = {}
    with TemporaryDirectory() as folder:
        for backbone in BACKBONES:
            stores = [
                moderate_cli.embed(data, store=Path(folder, part), backbone=backbone)
                for part, data in (("train", train), ("test", test))
            ]
            labels, truth = (np.array(store.labels) for store in stores)
            features = [np.array(store.features, dtype=np.float32) for store in stores]
            sets[backbone] = Features(*features)
    joined = (np.concatenate([_unit(one) for one in part], axis=1)
              for part in zip(*sets.values(), strict=True))  # fmt: skip
    return {**sets, JOINED: Features(*joined)}, labels, truth


def _unit(features: np.ndarray) -> np.ndarray:
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def _with_noise(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give a share of the images any other class."""
    given, classes = labels.copy(), int(labels.max()) + 1
    rows = rng.choice(len(labels), round(NOISE * len(labels)), replace=False)
    given[rows] = (given[rows] + rng.integers(1, classes, len(rows))) % classes
    return given


def _figures(
    sets: dict[str, Features], labels: np.ndarray, given: np.ndarray, truth: np.ndarray, seed: int
) -> dict[str, dict[str, float]]:
    """Return the figures of each way."""
    wrong, found = given != labels, {}
    common = {"labels": given, "ratio": RATIO, "seed": seed}
    for way, (train, test) in sets.items():
        suspects = moderate_cli.find_suspects(train, given)
        kept = moderate_cli.select(features=train, strategy="adaptive", **common).rows
        found[way] = {
            "auroc": _auroc(suspects.probability, wrong),
            "f1": _f1(suspects.most_probable(), wrong),
            "wrong": float(wrong[kept].mean()),
            "accuracy": _accuracy(train, test, given, truth, kept),
            **_by_margin([train], given, wrong, common),
        }
    found[RANKED] = _by_margin([sets[one].train for one in BACKBONES], given, wrong, common)
    kept = moderate_cli.select(features=sets[BACKBONES[0]].train, strategy="random", **common).rows
    found["random selection"] = {
        "wrong": float(wrong[kept].mean()),
        "accuracy": _accuracy(*sets[BACKBONES[0]], given, truth, kept),
    }
    return found


def _by_margin(
    features: list[np.ndarray], given: np.ndarray, wrong: np.ndarray, common: dict[str, object]
) -> dict[str, float]:
    """Return how well held-out margins, fused if there are several, find wrong labels."""
    options = {"features": features, "criterion": "margin"}
    values = moderate_cli.score(labels=given, **options).values
    kept = moderate_cli.select(strategy="easy", **options, **common).rows
    return {"margin": _auroc(values, wrong), "easy": float(wrong[kept].mean())}


def _auroc(values: np.ndarray, wrong: np.ndarray) -> float:
    """Return the probability that a wrong label has a higher value than a right one."""
    right = np.sort(values[~wrong])
    below, upto = (np.searchsorted(right, values[wrong], side) for side in ("left", "right"))
    return float((below + upto).mean() / 2 / len(right))


def _f1(rows: np.ndarray, wrong: np.ndarray) -> float:
    hits = np.count_nonzero(wrong[rows])
    return float(2 * hits / (len(rows) + np.count_nonzero(wrong)))


def _accuracy(
    train: np.ndarray, test: np.ndarray, given: np.ndarray, truth: np.ndarray, kept: np.ndarray
) -> float:
    """Return the accuracy of a linear probe on the kept images, with their given labels."""
    probe = Probe(train, kept, given[kept], int(given.max()) + 1)
    return float(np.mean(probe.predict(test, np.arange(len(test))) == truth))


if __name__ == "__main__":
    main()
