"""What features of a network trained on the dataset bring: the paper's window and other ways.

python -m tests.benchmarks.own_features DATA --work DIR

DATA has the ImageFolders train and test of small pictures, such as CIFAR-100; some images per class
are drawn. A network is trained on them with their given labels, as `moderate fit` does
it. Each way selects by the features of that network, and by those of the default backbone; a kernel
learner is trained from scratch on each selection, and judged on the test set. Finished draws are
kept in DIR and not repeated.

With wrong labels it also prints how well the criteria of the training find them, beside those of
linear heads.

On a GPU, --per-class 500 --network resnet9 trains on all of CIFAR-100. A ResNet-9 is known to reach
60 % on the test set with 20 % wrong labels, so the accuracy on held-out labels that is printed, of
which 20 % are wrong, should be near 48 %; much less means that the network is badly trained.

Differences to the paper: a ResNet-9 in place of a ResNet-50, fewer epochs, and a kernel learner as
the judge.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch

from moderate_cli.choosing import Chooser
from moderate_cli.evaluation import ProbeLearner
from moderate_cli.evaluation.estimates import estimate
from moderate_cli.exporting import Table, write_table
from moderate_cli.fitting.examples import Examples
from moderate_cli.fitting.learner import Training
from moderate_cli.fitting.learning import learn
from moderate_cli.fitting.plan import default_epochs
from moderate_cli.inputs import Source
from moderate_cli.networks.backbones import find_device
from moderate_cli.networks.fitted import Fitted
from moderate_cli.results import LabeledFeatures
from moderate_cli.scoring import score_features
from moderate_cli.selection import Choice
from moderate_cli.store.recorded import NAMES
from tests.benchmarks.page import PAGE, write_option
from tests.benchmarks.tables.data import Data
from tests.benchmarks.tables.scenarios import SCENARIOS, Drawn, Scenario, draw
from tests.marked import fill

FIGURES = PAGE.parent / "own" / "cifar100.csv"
SIZE = 32
SPOILED = {
    "20 % wrong": SCENARIOS["symmetric-20"],
    "clean": SCENARIOS["clean"],
    "35 % wrong": Scenario("35 % wrong labels", symmetric=0.35),
    "20 % ruined": SCENARIOS["ruined-20"],
}
RATIOS = ("0.2", "0.3", "0.4", "0.6", "0.8")  # of the paper
RANDOM = "random"
WAYS: dict[str, dict[str, Any]] = {
    "the paper's window": {"strategy": "moderate", "scope": "global"},
    "the window in each class": {"strategy": "moderate", "scope": "class"},
    "matching": {"strategy": "matching"},
    "matching-unscaled": {"strategy": "matching-unscaled"},
    "adaptive": {"strategy": "adaptive"},
}


class Figure(NamedTuple):
    """The accuracy that one selection reaches.

    Attributes
    ----------
    scenario, way, features
        A key of `SPOILED`; a way to select; and by which features: "own", "default" or "both".
    ratio, seed
        How many images are kept, and what draws the pool.
    accuracy, spoiled
        On the test set; and the share of the kept images that are spoiled.
    """

    scenario: str
    way: str
    features: str
    ratio: str
    seed: int
    accuracy: float
    spoiled: float


@click.command()
@click.argument("folder", metavar="DATA", type=click.Path(exists=True, path_type=Path))
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--per-class", default=200, help="Images drawn of each class.")
@click.option("--network", default="resnet9_narrow")
@click.option("--folds", default=1)
@click.option("--seeds", default=1)
@click.option("--device", default="auto")
@write_option
def main(folder: Path, work: Path, seeds: int, write: bool, **how: Any) -> None:
    """Train a network for each scenario and seed, and compare selections by its features."""
    data, found = Data("cifar100", folder, work), []
    done = work / "own-{network}-{per_class}-{folds}".format(**how)
    done.mkdir(parents=True, exist_ok=True)
    for seed in range(seeds):
        for scenario in SPOILED:
            path = done / f"{scenario}-{seed}.csv"
            if not path.exists():
                _write(path, _measured(data, scenario, seed, **how))
            found += _read(path)
    table = "".join(f"{line}\n" for line in shown(found))
    print(table, end="")
    if write:
        _write(FIGURES, found)
        fill(PAGE, "own features", table)


def _measured(
    data: Data, name: str, seed: int, *, per_class: int, network: str, folds: int, device: str
) -> list[Figure]:
    scenario = SPOILED[name]
    part = "ruined" if scenario.ruined else "train"
    truth = data.scan(part).labels
    ruined = data.ruined() if scenario.ruined else np.zeros(len(truth), dtype=np.bool_)
    share = Fraction(per_class, int(np.bincount(truth).max()))
    drawn = draw(truth, ruined, scenario, share, seed)
    pixels, n = data.pictures(part, SIZE, drawn.rows), len(drawn.rows)
    digests = np.frombuffer(
        b"".join(int(row).to_bytes(16, "big") for row in drawn.rows), dtype=np.uint8
    ).reshape(n, 16)
    examples = Examples(pixels, drawn.labels, int(drawn.labels.max()) + 1, digests)
    epochs = default_epochs(network, n)
    training = Training(network, SIZE, folds, epochs, seed, find_device(device))
    begun = time.perf_counter()
    done = learn(training, examples, None, None, lambda _: None, lambda *_: None)
    seconds = time.perf_counter() - begun
    features = _features(done.fitted, pixels, digests, training.device)
    print(
        f"{network}, {name}, seed {seed}: {done.right / done.judged:.3f} of held-out labels"
        f" in {seconds:.0f} s",
        flush=True,
    )
    default = np.asarray(data.features(part)[drawn.rows])
    if drawn.spoiled.any():
        print(_found_wrong(done.scores, features, default, drawn), flush=True)
    sets = {"own": (features,), "default": (default,), "both": (features, default)}
    every = np.ones(n, dtype=np.bool_)
    encoded = LabeledFeatures(data.encoded(part)[drawn.rows], drawn.labels, every)
    target = data.scan("test").labels
    judge = ProbeLearner(
        encoded, LabeledFeatures(data.encoded("test"), target, np.ones(len(target), np.bool_))
    )
    none = np.empty(0, dtype=np.int64)

    def figures(way: str, kind: str, kept: list[np.ndarray]) -> Iterator[Figure]:
        for ratio, some in zip(RATIOS, kept, strict=True):
            reached = float(np.mean(judge(some, none, seed) == target))
            yield Figure(name, way, kind, ratio, seed, reached, float(drawn.spoiled[some].mean()))

    rng = np.random.default_rng(seed)
    random = [np.sort(rng.choice(n, round(float(ratio) * n), replace=False)) for ratio in RATIOS]
    found = list(figures(RANDOM, "", random))
    for kind, some in sets.items():
        chooser = Chooser(Source(tuple(LabeledFeatures(one, drawn.labels, every) for one in some)))
        for way, options in WAYS.items():
            if len(some) == 1 or options["strategy"] == "moderate":  # others take one feature set
                kept = [chooser.choose(Choice(ratio=ratio, **options)).rows for ratio in RATIOS]
                found += figures(way, kind, kept)
    return found


def _found_wrong(
    scores: np.ndarray, features: np.ndarray, default: np.ndarray, drawn: Drawn
) -> str:
    """Say how well each criterion finds wrong labels, from 0.5 to 1 (AUROC).

    By the training of the network, by heads on its features, and on the default ones.
    """
    lines = []
    for name, own in zip(NAMES, scores, strict=True):
        every = (own, *(
            score_features(one, drawn.labels, criterion=name) for one in (features, default)
        ))  # fmt: skip
        found = " / ".join(f"{_auroc(one, drawn.spoiled):.3f}" for one in every)
        lines.append(f"{name}: {found} of training / heads on own / on default features")
    return "\n".join(lines)


def _auroc(scores: np.ndarray, wrong: np.ndarray) -> float:
    """Return the share of pairs of a wrong and a right label with the higher score for the wrong.

    >>> _auroc(np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, False, True, True]))
    0.875
    """
    values, ranks = np.unique(scores, return_inverse=True)
    right = np.bincount(ranks[~wrong], minlength=len(values))
    below = np.cumsum(right) - right / 2
    return float(below[ranks[wrong]].mean() / right.sum())


def _features(
    fitted: Fitted, pixels: torch.Tensor, digests: np.ndarray, device: torch.device
) -> np.ndarray:
    module, preprocessing, _ = fitted.module()
    mean, std = (
        torch.tensor(one).view(1, 3, 1, 1) for one in (preprocessing.mean, preprocessing.std)
    )
    module = module.to(device)
    with torch.inference_mode():
        found = torch.cat(
            [module(((part.float() - mean) / std).to(device)).cpu() for part in pixels.split(500)]
        ).numpy()
    return fitted.of_folds(found, digests)


def shown(figures: Iterable[Figure]) -> list[str]:
    """Return the lines of the table: accuracy, difference to random, share of spoiled images."""
    cells: dict[tuple[str, str, str], dict[str, dict[int, Figure]]] = {}
    for one in figures:
        row = cells.setdefault((one.scenario, one.way, one.features), {})
        row.setdefault(one.ratio, {})[one.seed] = one
    head = "| images | way to select | features | " + " | ".join(RATIOS) + " |"
    lines = [head, "| --- | --- | --- |" + " ---: |" * len(RATIOS)]
    for (scenario, way, kind), row in cells.items():
        others = {} if way == RANDOM else cells[scenario, RANDOM, ""]
        texts = (_cell(row[ratio], others.get(ratio, {})) for ratio in RATIOS)
        lines.append(f"| {scenario} | {way} | {kind} | {' | '.join(texts)} |")
    return lines


def _cell(draws: Mapping[int, Figure], others: Mapping[int, Figure]) -> str:
    """Return a cell such as "24.6, +2.0 ± 0.9 (7.7 %)"."""
    reached = np.mean([one.accuracy for one in draws.values()])
    spoiled = np.mean([one.spoiled for one in draws.values()])
    text = f"{100 * reached:.1f}"
    if others:
        gain = estimate([one.accuracy - others[seed].accuracy for seed, one in draws.items()], 0.0)
        text += f", {100 * gain.mean:+.1f}" + (
            "" if np.isnan(gain.half) else f" ± {100 * gain.half:.1f}"
        )
    return text + (f" ({100 * spoiled:.1f} %)" if spoiled else "")


def _read(path: Path) -> list[Figure]:
    with path.open(newline="") as file:
        return [
            Figure(
                row["scenario"], row["way"], row["features"], row["ratio"], int(row["seed"]),
                float(row["accuracy"]), float(row["spoiled"]),
            )
            for row in csv.DictReader(file)
        ]  # fmt: skip


def _write(path: Path, figures: Iterable[Figure]) -> None:
    write_table(path, Table(Figure._fields, list(figures)))


if __name__ == "__main__":
    main()
