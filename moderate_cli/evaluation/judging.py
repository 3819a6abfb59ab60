"""Train a classifier on each selection, and measure its accuracy on images that were held out.

Each seed draws a pool: four fifths of the images of each class, from which all strategies select.
With a test set, the pools are independent draws. Without one, the remaining fifth is the test set:
five seeds hold out five fifths that have no image in common, then the fifths are drawn anew.
Held-out labels are as wrong as all others, so each counts as far as it is believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Protocol

import numpy as np

from moderate_cli.arrays import Doubles, Labels, Mask, Rows
from moderate_cli.evaluation.cells import Cell, Result
from moderate_cli.evaluation.pools import FOLDS, Pool, check_comparable
from moderate_cli.evaluation.probe import Probe
from moderate_cli.inputs import Source
from moderate_cli.results import LabeledFeatures
from moderate_cli.selection import Choice


class Learner(Protocol):
    """Trains a classifier, and predicts classes."""

    def __call__(self, rows: Rows, held_out: Rows, seed: int) -> Rows:
        """Train on rows, int64 (m,); return predicted labels of the test set, or of `held_out`."""


class ProbeLearner:
    """A linear probe on the features; without `test`, it predicts held-out rows of `data`."""

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
    believed: Doubles | None = None,
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
        Options that all cells share. Without a criterion, each strategy uses its own. Its seed is
        that of the first pool.
    test
        Features and labels of a test set, with the class indices of the source; None holds out
        the images that are not in the pool.
    believed
        float64 (n,), the weight of each held-out image of the source; None: all count alike. The
        labels of a test set are taken as they are.

    Raises
    ------
    ArgumentError
        If there is only one class, or no test set and nothing to hold out.
    """
    check_comparable(source.labels[source.readable], held_out=test is None)
    for seed, group in groupby(cells, key=lambda cell: cell.seed):
        fold = (seed - base.seed) % FOLDS if test is None else 0
        pool = Pool(source, seed - fold, fold)
        truth = source.labels[pool.held_out] if test is None else test.labels[test.readable]
        weights = np.ones(len(truth))
        if test is None and believed is not None:
            weights = believed[pool.held_out]
        for cell in group:
            rows = pool.select(cell, base)
            predicted = learn(rows, pool.held_out, seed)
            yield cell, Result(len(rows), *_judged(predicted == truth, truth, weights))


def _judged(right: Mask, truth: Labels, weights: Doubles) -> tuple[float, float]:
    """Return the accuracy, and that of the worst class whose labels are believed for the most."""
    _, members, images = np.unique(truth, return_inverse=True, return_counts=True)
    believed = np.bincount(members, weights)
    shares = np.bincount(members, weights * right) / believed
    mostly = believed >= images / 2
    worst = shares[mostly].min() if mostly.any() else shares.min()
    # Both sums in the same order, so that rounding never makes an accuracy more than 1.
    return float((weights * right).sum() / weights.sum()), float(worst)
