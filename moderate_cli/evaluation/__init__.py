"""Evaluation: what a classifier learns from the images that strategies keep.

Each seed draws four fifths of the images, in each class alike, as the pool that is selected from;
without a test set the rest is what the classifier is judged on. So differences between strategies
are measured on the same pools, and their spread over seeds is that of new data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Mask, Rows
from moderate_cli.errors import ArgumentError
from moderate_cli.evaluation.probe import Probe
from moderate_cli.label_errors.suspects import Suspects, find_suspects
from moderate_cli.results import LabeledFeatures
from moderate_cli.scoring import Scores, score_features
from moderate_cli.selection import PICKS, exact, preparation_for, select
from moderate_cli.selection.leaving import leave_out

POOL = Fraction(4, 5)
FULL = "full set"
NOTHING = "nothing"  # of suspects, where they are left out already
CANDIDATES = (
    ("moderate", "0.5"), ("moderate", "0.25"), ("easy", "0.5"), ("random", "0.5"),
    ("stratified", "0.5"), ("trimmed", "0.5"), ("matching", "0.5"), ("herding", "0.5"),
    ("k-center", "0.5"),
)  # fmt: skip


class Cell(NamedTuple):
    """One selection to be judged.

    Attributes
    ----------
    strategy
        A key of `moderate_cli.selection.STRATEGIES`, or `FULL`.
    ratio
        Fraction kept of the pool, as `moderate_cli.selection.written` writes it.
    drop_suspects
        Whether images with a probably wrong label are left out first: "auto", or a fraction, or
        `NOTHING`; "" as the strategy wants it.
    seed
        Number of the pool; seeds what is random, too.
    quantile
        Where the window of the strategy "moderate" sits; written as the ratio is.
    """

    strategy: str
    ratio: str
    drop_suspects: str
    seed: int
    quantile: str = "0.5"

    @property
    def name(self) -> str:
        """The strategy, and its quantile if that is not the usual one."""
        return self.strategy if self.quantile == "0.5" else f"{self.strategy}:{self.quantile}"

    @property
    def dropped(self) -> str:
        """What suspects are left out, as asked for or as the strategy wants it."""
        if self.drop_suspects == NOTHING:
            return ""
        return self.drop_suspects or preparation_for(self.strategy).drop_suspects


class Result(NamedTuple):
    """How well the classifier did.

    Attributes
    ----------
    images
        Number it was trained on.
    accuracy
        Share of the test images that it predicts right.
    worst_class
        That of the class where it is lowest.
    """

    images: int
    accuracy: float
    worst_class: float


class Learner(Protocol):
    """Trains a classifier and predicts."""

    def __call__(self, rows: Rows, held_out: Rows, seed: int) -> Rows:
        """Train on rows, int64 (m,); predict the labels of the test set, or of `held_out` rows."""


class ProbeLearner:
    """A linear head on the features; of a test set, too, if there is one."""

    def __init__(self, data: LabeledFeatures, test: LabeledFeatures | None) -> None:
        self._data, self._test = data, test

    def __call__(self, rows: Rows, held_out: Rows, seed: int) -> Rows:
        """Train on rows, and predict."""
        known, members = np.unique(self._data.labels[rows], return_inverse=True)
        probe = Probe(self._data.features, rows, members, len(known))
        judged = self._data if self._test is None else self._test
        where = held_out if self._test is None else np.flatnonzero(judged.readable)
        return known[probe.predict(judged.features, where)]


def evaluate(
    data: LabeledFeatures,
    cells: Sequence[Cell],
    learn: Learner,
    *,
    test: LabeledFeatures | None = None,
    scoring: Mapping[str, Any] | None = None,
    selecting: Mapping[str, Any] | None = None,
) -> Iterator[tuple[Cell, Result]]:
    """Train on what each cell keeps, and judge it on images that were never selected from.

    Parameters
    ----------
    data
        What is selected from.
    cells
        What to judge; those of one seed share their pool.
    learn
        What is trained.
    test
        Features and labels of a test set, whose classes are those of `data`; None holds out the
        part of the data that is not in the pool.
    scoring, selecting
        Further options of `score_features` and of `select`; without a criterion, each strategy has
        the one that it wants, and strategies that work in each class do so whatever the scope.

    Raises
    ------
    ArgumentError
        If there is nothing to hold out, and no test set; or one class only, which is always right.
    """
    check_comparable(data.labels[data.readable], held_out=test is None)
    pool = None
    for cell in cells:
        if pool is None or pool.seed != cell.seed:
            pool = Pool(data, cell.seed, scoring or {})
        rows = pool.select(cell, selecting or {})
        predicted = learn(rows, pool.held_out, cell.seed)
        truth = data.labels[pool.held_out] if test is None else test.labels[test.readable]
        yield cell, Result(len(rows), *_judged(predicted == truth, truth))


def check_comparable(labels: npt.NDArray[np.integer[Any]], *, held_out: bool) -> None:
    """Refuse what cannot be compared on these images, (n,) labels, whatever their features are.

    `held_out` says that they are judged on a part of their own, not on a test set.

    Raises
    ------
    ArgumentError
        As of `evaluate`.
    """
    sizes = np.unique(labels, return_counts=True)[1]
    if len(sizes) == 1:
        raise ArgumentError("evaluation: there is one class only, so no strategy can be told best")
    if held_out and int(sizes.max(initial=0)) * (1 - POOL) < 1:
        raise ArgumentError(
            "evaluation: no class has five images, to hold one out of; moderate evaluate with"
            " --test can do without"
        )


def choose(
    data: LabeledFeatures,
    ratio: str,
    *,
    seeds: Sequence[int],
    drop_suspects: str = "",
    scoring: Mapping[str, Any] | None = None,
    selecting: Mapping[str, Any] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[Cell, list[float]]:
    """Try strategies on a dataset; return the accuracies of each over seeds, the best first.

    Parameters are those of `evaluate` and of `Cell`; each cell stands for its seeds, and
    `on_progress` is told how many of all are done. Of strategies with the same mean accuracy the
    one that stands first in `CANDIDATES` does so here.

    Raises
    ------
    ArgumentError
        As of `evaluate`.
    """
    within_classes_only = PICKS if (selecting or {}).get("scope") == "global" else ()
    cells = [
        Cell(name, ratio, drop_suspects, seed, quantile)
        for seed in seeds
        for name, quantile in CANDIDATES
        if name not in within_classes_only
    ]
    found: dict[Cell, list[float]] = {}
    learner = ProbeLearner(data, None)
    judged = evaluate(data, cells, learner, scoring=scoring, selecting=selecting)
    for done, (cell, result) in enumerate(judged, 1):
        found.setdefault(cell._replace(seed=seeds[0]), []).append(result.accuracy)
        if on_progress is not None:
            on_progress(done, len(cells))
    return dict(sorted(found.items(), key=lambda item: -sum(item[1])))


class Pool:
    """The images that are selected from for one seed."""

    def __init__(self, data: LabeledFeatures, seed: int, scoring: Mapping[str, Any]) -> None:
        self.seed = seed
        self._data, self._scoring = data, scoring
        self._scored: dict[str, Doubles] = {}
        self._inside = _drawn(data, seed)

    @property
    def held_out(self) -> Rows:
        """int64, readable rows that are not in the pool."""
        return np.flatnonzero(self._data.readable & ~self._inside)

    def select(self, cell: Cell, how: Mapping[str, Any]) -> Rows:
        """Return the rows that a cell keeps, ascending."""
        criterion = self._scoring.get("criterion", preparation_for(cell.strategy).criterion)
        values = self._scores(criterion).copy()
        labels, dropped = self._data.labels, cell.dropped
        if dropped:
            rows = self._suspects.most_probable("auto" if dropped == "auto" else exact(dropped))
            least = how.get("min_per_class", 1)
            values[leave_out(rows, labels, ~np.isnan(values), least).rows] = np.nan
        if np.all(np.isnan(values)):
            raise ArgumentError("evaluation: no image is left to select from")
        if cell.strategy == FULL:
            return np.flatnonzero(~np.isnan(values))
        if cell.strategy in PICKS and how.get("scope") == "global":
            how = {**how, "scope": None}
        kept = select(
            Scores(values, labels),
            criterion=criterion,
            ratio=cell.ratio,
            strategy=cell.strategy,
            quantile=cell.quantile,
            features=self._data.features,
            seed=cell.seed,
            **how,
        )
        return np.flatnonzero(kept)

    def _scores(self, criterion: str) -> Doubles:
        """Score the pool, once."""
        how = {**self._scoring, "criterion": criterion}
        if criterion not in self._scored:
            self._scored[criterion] = score_features(
                self._data.features, self._data.labels, readable=self._inside, **how
            )
        return self._scored[criterion]

    @cached_property
    def _suspects(self) -> Suspects:
        return find_suspects(
            self._data.features, self._data.labels, seed=self.seed, readable=self._inside
        )


def _drawn(data: LabeledFeatures, seed: int) -> Mask:
    """Draw the pool: bool (n,), of each class the same share, at least one image."""
    rng = np.random.default_rng(seed)
    inside = np.zeros(len(data.labels), dtype=np.bool_)
    for label in np.unique(data.labels[data.readable]).tolist():
        rows = rng.permutation(np.flatnonzero(data.readable & (data.labels == label)))
        inside[rows[: -(-len(rows) * POOL.numerator // POOL.denominator)]] = True
    return inside


def _judged(right: Mask, truth: Rows) -> tuple[float, float]:
    classes, members = np.unique(truth, return_inverse=True)
    shares = np.bincount(members, right, minlength=len(classes)) / np.bincount(members)
    return float(right.mean()), float(shares.min())
