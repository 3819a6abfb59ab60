"""Train a classifier on each selection, and measure its accuracy on images that were held out.

Each seed draws a pool: four fifths of the images of each class. Selections are made from the pool;
without a test set, the remaining fifth is the test set. So all strategies are compared on the same
pools, and the spread over seeds is that of new data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from moderate_cli.arrays import Labels, Mask, Rows
from moderate_cli.evaluation.cells import Cell, Result
from moderate_cli.evaluation.pools import Pool, check_comparable
from moderate_cli.evaluation.probe import Probe
from moderate_cli.inputs import Source
from moderate_cli.results import LabeledFeatures
from moderate_cli.selection import Choice


class Learner(Protocol):
    """Trains a classifier, and predicts classes."""

    def __call__(self, rows: Rows, held_out: Rows, seed: int) -> Rows:
        """Train on rows, int64 (m,); return predicted labels of the test set, or of `held_out`."""


class ProbeLearner:
    """A linear head on the features; without `test`, it predicts held-out rows of `data`."""

    def __init__(self, data: LabeledFeatures, test: LabeledFeatures | None) -> None:
        self._data, self._test = data, test

    def __call__(self, rows: Rows, held_out: Rows, seed: int) -> Rows:
        """Fit the head, and predict."""
        known, members = np.unique(self._data.labels[rows], return_inverse=True)
        probe = Probe(self._data.features, rows, members, len(known))
        judged = self._data if self._test is None else self._test
        where = held_out if self._test is None else np.flatnonzero(judged.readable)
        return known[probe.predict(judged.features, where)]


def judge(
    source: Source,
    cells: Sequence[Cell],
    learn: Learner,
    base: Choice,
    *,
    test: LabeledFeatures | None = None,
) -> Iterator[tuple[Cell, Result]]:
    """Train on the selection of each cell, and yield its accuracy on images outside the pool.

    Parameters
    ----------
    source
        The images to select from; one feature set.
    cells
        The selections to judge; those of one seed share a pool.
    learn
        Trains the classifier.
    base
        Options that all cells share. Without a criterion, each strategy uses its own.
    test
        Features and labels of a test set, with the class indices of the source; None holds out
        the images that are not in the pool.

    Raises
    ------
    ArgumentError
        If there is only one class, or no test set and nothing to hold out.
    """
    check_comparable(source.labels[source.readable], held_out=test is None)
    pool = None
    for cell in cells:
        if pool is None or pool.seed != cell.seed:
            pool = Pool(source, cell.seed)
        rows = pool.select(cell, base)
        predicted = learn(rows, pool.held_out, cell.seed)
        truth = source.labels[pool.held_out] if test is None else test.labels[test.readable]
        yield cell, Result(len(rows), *_judged(predicted == truth, truth))


def _judged(right: Mask, truth: Labels) -> tuple[float, float]:
    classes, members = np.unique(truth, return_inverse=True)
    shares = np.bincount(members, right, minlength=len(classes)) / np.bincount(members)
    return float(right.mean()), float(shares.min())
