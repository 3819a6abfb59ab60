"""Scenarios: the labels and the images of a pool, some of them spoiled."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np


class Scenario(NamedTuple):
    """A scenario.

    Attributes
    ----------
    title
        Its name in tables.
    symmetric, pair
        Share of the labels that are any other class, and that are the next class.
    ruined
        Whether images are of the ruined copy.
    tail
        Size of the largest class over that of the smallest, by which class sizes fall
        exponentially; 1 leaves them as they are.
    """

    title: str
    symmetric: float = 0.0
    pair: float = 0.0
    ruined: bool = False
    tail: float = 1.0

    @property
    def part(self) -> str:
        """The part of the dataset whose images are drawn."""
        return "ruined" if self.ruined else "train"


SCENARIOS = {
    "clean": Scenario("clean"),
    "symmetric-20": Scenario("20 % wrong labels", symmetric=0.2),
    "symmetric-40": Scenario("40 % wrong labels", symmetric=0.4),
    "pair-20": Scenario("20 % of the next class", pair=0.2),
    "ruined-20": Scenario("20 % ruined pictures", ruined=True),
    "long-tailed": Scenario("long-tailed", tail=10.0),
}


class Drawn(NamedTuple):
    """The pool of a seed.

    Attributes
    ----------
    rows
        int64 (n,), rows of the dataset, ascending.
    labels
        int64 (n,), as given: some may be wrong.
    spoiled
        bool (n,), whether the label is wrong or the picture is ruined.
    """

    rows: np.ndarray
    labels: np.ndarray
    spoiled: np.ndarray


def draw(
    truth: np.ndarray, ruined: np.ndarray, scenario: Scenario, share: Fraction, seed: int
) -> Drawn:
    """Draw a pool, with its wrong labels.

    Parameters
    ----------
    truth, ruined
        int64 (m,) right label of each image of the dataset, and bool (m,) whether it is ruined.
    scenario, share
        How to spoil labels; share of each class that the pool has.
    seed
        Draws images, wrong labels, and which classes are small.
    """
    rng = np.random.default_rng(seed)
    classes = len(np.unique(truth))
    sizes = np.bincount(truth) * float(share)
    sizes *= scenario.tail ** (-rng.permutation(classes) / max(1, classes - 1))
    counts = np.maximum(1, sizes.round().astype(np.int64))
    rows = np.sort(
        np.concatenate(
            [
                rng.permutation(np.flatnonzero(truth == label))[: counts[label]]
                for label in range(classes)
            ]
        )
    )
    labels = truth[rows].copy()
    order = rng.permutation(len(rows))
    symmetric, pair = (round(len(rows) * part) for part in (scenario.symmetric, scenario.pair))
    some, next_ones = order[:symmetric], order[symmetric : symmetric + pair]
    labels[some] = (labels[some] + rng.integers(1, classes, symmetric)) % classes
    labels[next_ones] = (labels[next_ones] + 1) % classes
    return Drawn(rows, labels, (labels != truth[rows]) | ruined[rows])
