"""What features of a network trained on the dataset bring: the paper's window and other ways.

python -m tests.benchmarks.own_features DATA --work DIR

DATA has the ImageFolders train and test of small pictures, such as CIFAR-100; some images per class
are drawn. A network is trained on them with their given labels, as `moderate fit` does
it. Each way selects by the features of that network, and by those of the default backbone; a kernel
learner is trained from scratch on each selection, and judged on the test set. Finished draws are
kept in DIR and not repeated.

With wrong labels it also prints how well the criteria of the training find them, beside those of
linear probes.

On a GPU, --per-class 500 --network resnet9 --judge resnet9 trains and judges on all of CIFAR-100:
900 batches of 512 for each selection of a fifth. With 20 % wrong labels such a network was right
for 49.9 % of the held-out labels, of which 20 % are wrong; much less means that it is badly
trained. The judge reached 44.8 on the test set by a random fifth and 51.6 by the paper's (one run,
on processors). Another such judge is known to reach 47.9 and 53.4, and 60.0 by all images.

Differences to the paper: a ResNet-9 in place of a ResNet-50, fewer epochs, and the judge. Its own
figures are rows of the table whose features are "published".
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch

from moderate_cli.choosing import Chooser
from moderate_cli.evaluation import Learner, ProbeLearner
from moderate_cli.evaluation.estimates import estimate
from moderate_cli.evaluation.recipe import Recipe
from moderate_cli.evaluation.training import Pictures, TrainLearner
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
from tests.benchmarks.tables.measuring import end_with_parent
from tests.benchmarks.tables.scenarios import SCENARIOS, Drawn, Scenario, draw
from tests.marked import fill

SIZE = 32
SPOILED = {
    "20 % wrong": SCENARIOS["symmetric-20"],
    "clean": SCENARIOS["clean"],
    "35 % wrong": Scenario("35 % wrong labels", symmetric=0.35),
    "20 % ruined": SCENARIOS["ruined-20"],
}
RATIOS = ("0.2", "0.3", "0.4", "0.6", "0.8")  # of the paper
RANDOM, EVERY, ORACLE = "random", "all images", "random of the sound ones"
WAYS: dict[str, dict[str, Any]] = {
    "the paper's window": {"strategy": "moderate", "scope": "global"},
    "the window in each class": {"strategy": "moderate", "scope": "class"},
    "matching": {"strategy": "matching"},
    "matching-unscaled": {"strategy": "matching-unscaled"},
    "adaptive": {"strategy": "adaptive"},
}
PATCHES, NETWORK = "patches", "resnet9"  # judges
# A network takes seconds to judge one selection.
NETWORK_RATIOS = ("0.2",)
NETWORK_WAYS = {
    ("the paper's window", "own"),
    ("the paper's window", "default"),
    ("the window in each class", "default"),
    ("matching", "default"),
    ("adaptive", "own"),
    ("adaptive", "default"),
}
# Mean accuracies by a ResNet-50, trained on the data set and judging: Xia et al. (2023), and for
# matching Acharya et al. (arXiv 2406.17188), who repeat them (tables 1 to 3).
PUBLISHED, PUBLISHED_FIGURES = "published", PAGE.parent / "own" / "published.csv"
# The table and the file of figures of a judge.
TABLES = {
    PATCHES: ("own features", PAGE.parent / "own" / "cifar100.csv"),
    NETWORK: ("own features, by a network", PAGE.parent / "own" / "cifar100-network.csv"),
}


class How(NamedTuple):
    """How a draw is measured: images of each class, the network, its folds, the judge, a device."""

    per_class: int
    network: str
    folds: int
    judge: str
    device: str

    @property
    def ratios(self) -> tuple[str, ...]:
        """The shares that are kept."""
        return NETWORK_RATIOS if self.judge == NETWORK else RATIOS

    def judges(self, way: str, kind: str) -> bool:
        """Whether selections of a way are judged, by features of a kind."""
        if self.judge == NETWORK:
            return (way, kind) in NETWORK_WAYS
        return kind != "both" or WAYS[way]["strategy"] == "moderate"  # others take one feature set


class Figure(NamedTuple):
    """The accuracy that one selection reaches.

    Attributes
    ----------
    scenario, way, features
        A key of `SPOILED`; a way to select; and by which features: "own", "default", "both", or
        `PUBLISHED`.
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
@click.option("--scenario", "scenarios", type=click.Choice(list(SPOILED)), multiple=True)
@click.option("--per-class", default=200, help="Images drawn of each class.")
@click.option("--network", default="resnet9_narrow")
@click.option("--folds", default=1)
@click.option("--judge", type=click.Choice(list(TABLES)), default=PATCHES)
@click.option("--seeds", default=1)
@click.option("--jobs", default=1, help="Draws at once.")
@click.option("--device", default="auto")
@write_option
def main(
    folder: Path,
    work: Path,
    scenarios: tuple[str, ...],
    seeds: int,
    jobs: int,
    write: bool,
    **options: Any,
) -> None:
    """Train a network for each scenario and seed, and compare selections by its features."""
    data, how = Data("cifar100", folder, work), How(**options)
    name = f"own-{how.network}-{how.per_class}-{how.folds}"
    done = work / (name if how.judge == PATCHES else f"{name}-{how.judge}")
    done.mkdir(parents=True, exist_ok=True)
    draws = {
        done / f"{scenario}-{seed}.csv": (scenario, seed)
        for seed in range(seeds)
        for scenario in scenarios or SPOILED
    }
    missing = {path: draw for path, draw in draws.items() if not path.exists()}
    if missing:
        _prepare(data, [scenario for scenario, _ in missing.values()], how)
        with ProcessPoolExecutor(jobs, get_context("spawn"), end_with_parent) as pool:
            running = {
                pool.submit(_measured, data, *draw, how): path for path, draw in missing.items()
            }
            for one in as_completed(running):
                _write(running[one], one.result())
    found = [figure for path in draws for figure in _read(path)]
    table = "".join(f"{line}\n" for line in shown([*found, *_published(found)]))
    print(table, end="")
    if write:
        title, figures = TABLES[how.judge]
        _write(figures, found)
        fill(PAGE, title, table)


def _prepare(data: Data, scenarios: list[str], how: How) -> None:
    """Make what all draws need."""
    for part in {"test", *(SPOILED[scenario].part for scenario in scenarios)}:
        data.features(part)
        data.pictures(part, SIZE)
        if how.judge == PATCHES:
            data.encoded(part)


def _measured(data: Data, name: str, seed: int, how: How) -> list[Figure]:
    scenario = SPOILED[name]
    part = scenario.part
    truth = data.scan(part).labels
    ruined = data.ruined() if scenario.ruined else np.zeros(len(truth), dtype=np.bool_)
    share = Fraction(how.per_class, int(np.bincount(truth).max()))
    drawn = draw(truth, ruined, scenario, share, seed)
    pixels, n = data.pictures(part, SIZE, drawn.rows), len(drawn.rows)
    digests = np.frombuffer(
        b"".join(int(row).to_bytes(16, "big") for row in drawn.rows), dtype=np.uint8
    ).reshape(n, 16)
    examples = Examples(pixels, drawn.labels, int(drawn.labels.max()) + 1, digests)
    epochs = default_epochs(how.network, n)
    training = Training(how.network, SIZE, how.folds, epochs, seed, find_device(how.device))
    begun = time.perf_counter()
    done = learn(training, examples, None, None, lambda _: None, lambda *_: None)
    seconds = time.perf_counter() - begun
    features = _features(done.fitted, pixels, digests, training.device)
    print(
        f"{how.network}, {name}, seed {seed}: {done.right / done.judged:.3f} of held-out labels"
        f" in {seconds:.0f} s",
        flush=True,
    )
    default = np.asarray(data.features(part)[drawn.rows])
    if drawn.spoiled.any() and how.judge == PATCHES:
        print(_found_wrong(done.scores, features, default, drawn), flush=True)
    sets = {"own": (features,), "default": (default,), "both": (features, default)}
    every = np.ones(n, dtype=np.bool_)
    target = data.scan("test").labels
    judge = _judge(data, part, drawn, how)
    none = np.empty(0, dtype=np.int64)

    def figure(way: str, kind: str, ratio: str, kept: np.ndarray) -> Figure:
        reached = float(np.mean(judge(kept, none, seed) == target))
        one = Figure(name, way, kind, ratio, seed, reached, float(drawn.spoiled[kept].mean()))
        print(*one, sep=", ", flush=True)
        return one

    rng, found = np.random.default_rng(seed), []
    counts = {ratio: round(float(ratio) * n) for ratio in how.ratios}
    for ratio, count in counts.items():
        found.append(figure(RANDOM, "", ratio, np.sort(rng.choice(n, count, replace=False))))
    if how.judge == NETWORK:
        for ratio, count in counts.items():
            sound = rng.permutation(np.flatnonzero(~drawn.spoiled))[:count]
            found.append(figure(ORACLE, "", ratio, np.sort(sound)))
    for kind, some in sets.items():
        chooser = Chooser(Source(tuple(LabeledFeatures(one, drawn.labels, every) for one in some)))
        for way, options in WAYS.items():
            for ratio in how.ratios if how.judges(way, kind) else ():
                kept = chooser.choose(Choice(ratio=ratio, **options)).rows
                found.append(figure(way, kind, ratio, kept))
    if how.judge == NETWORK:
        found.append(figure(EVERY, "", how.ratios[0], np.arange(n)))
    return found


def _judge(data: Data, part: str, drawn: Drawn, how: How) -> Learner:
    """Return what is trained on each selection, and predicts the test set."""
    target, every = data.scan("test").labels, np.ones(len(drawn.rows), dtype=np.bool_)
    tested = np.ones(len(target), dtype=np.bool_)
    if how.judge == PATCHES:
        encoded = LabeledFeatures(data.encoded(part)[drawn.rows], drawn.labels, every)
        return ProbeLearner(encoded, LabeledFeatures(data.encoded("test"), target, tested))
    return TrainLearner(
        Pictures(data.pictures(part, SIZE, drawn.rows), drawn.labels, every),
        Pictures(data.pictures("test", SIZE), target, tested),
        Recipe(NETWORK, 900, SIZE, device=how.device, batch=512),
    )


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
    for one in sorted(figures, key=lambda one: list(SPOILED).index(one.scenario)):
        row = cells.setdefault((one.scenario, one.way, one.features), {})
        row.setdefault(one.ratio, {})[one.seed] = one
    ratios = sorted({ratio for row in cells.values() for ratio in row})
    head = "| images | way to select | features | " + " | ".join(ratios) + " |"
    lines = [head, "| --- | --- | --- |" + " ---: |" * len(ratios)]
    for (scenario, way, kind), row in cells.items():
        pool = PUBLISHED if kind == PUBLISHED else ""
        others = {} if way == RANDOM else cells[scenario, RANDOM, pool]
        texts = (
            _cell(row[ratio], others.get(ratio, {})) if ratio in row else "" for ratio in ratios
        )
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


def _published(found: Iterable[Figure]) -> list[Figure]:
    """Return the published figures of the same scenarios and ratios."""
    there = {(one.scenario, one.ratio) for one in found}
    with PUBLISHED_FIGURES.open(newline="") as file:
        return [
            Figure(
                row["scenario"], row["way"], PUBLISHED, row["ratio"], 0, float(row["accuracy"]), 0.0
            )
            for row in csv.DictReader(file)
            if (row["scenario"], row["ratio"]) in there
        ]  # fmt: skip


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
