"""Means over seeds and differences between strategies, with confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from moderate_cli.evaluation.cells import FULL, Cell, Result

# Student's t at 0.975 by degrees of freedom, 1 to 30.
T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
     2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
     2.052, 2.048, 2.045, 2.042)  # fmt: skip


class Estimate(NamedTuple):
    """A mean over seeds.

    Attributes
    ----------
    mean
        The mean of the values.
    half
        Half the width of its 95 % interval, by Student's t; NaN for a single value.
    """

    mean: float
    half: float


class Line(NamedTuple):
    """The accuracy of one way to select, over all seeds.

    Attributes
    ----------
    cell
        The way, at its first seed.
    images
        Number of training images, at the first seed.
    accuracy, worst_class
        As in `Result`.
    to_random, to_full
        Accuracy minus that of a random selection of the same ratio, and minus that of the full
        set, on the same pools.
    """

    cell: Cell
    images: int
    accuracy: Estimate
    worst_class: Estimate
    to_random: Estimate
    to_full: Estimate


def summarize(results: Mapping[Cell, Result]) -> list[Line]:
    """Gather the results of each way to select, in the order of the results.

    Differences are to random selection and to the full set, both with suspects kept.
    """
    ways: dict[Cell, list[Cell]] = {}
    for cell in results:
        ways.setdefault(cell._replace(seed=0), []).append(cell)
    lines = []
    for cells in ways.values():
        accuracy = [results[cell].accuracy for cell in cells]
        full = [_accuracy(results, cell, strategy=FULL, ratio="1") for cell in cells]
        random = [_accuracy(results, cell, strategy="random") for cell in cells]
        lines.append(
            Line(
                cells[0],
                results[cells[0]].images,
                estimate(accuracy),
                estimate([results[cell].worst_class for cell in cells]),
                estimate([one - other for one, other in zip(accuracy, random, strict=True)]),
                estimate([one - other for one, other in zip(accuracy, full, strict=True)]),
            )
        )
    return lines


def _accuracy(
    results: Mapping[Cell, Result], cell: Cell, *, strategy: str, ratio: str | None = None
) -> float:
    """Return the accuracy of another strategy on the same pool; NaN if it is missing."""
    other = Cell(strategy, ratio or cell.ratio, "", cell.seed)
    return results[other].accuracy if other in results else math.nan


def estimate(values: Sequence[float]) -> Estimate:
    """Return the mean and the interval of values from independent seeds.

    >>> estimate([0.5, 0.7])
    Estimate(mean=0.6, half=1.2706)
    """
    n = len(values)
    mean = math.fsum(values) / n
    if n == 1:
        return Estimate(mean, math.nan)
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    t = T[min(n - 1, len(T)) - 1]
    return Estimate(round(mean, 12), round(t * math.sqrt(variance / n), 12))


def smallest_within(lines: Sequence[Line], points: float) -> Line | None:
    """Return the smallest selection that reliably loses at most `points`; None if none does.

    Reliably: the whole 95 % interval of its difference to the full set is above the limit. Of
    selections of equal size, the most accurate.
    """
    near = [
        line
        for line in lines
        if line.cell.strategy != FULL and line.to_full.mean - line.to_full.half >= -points
    ]
    return min(near, key=lambda line: (line.images, -line.accuracy.mean), default=None)


def nearest(lines: Sequence[Line]) -> Line | None:
    """Return the selection that loses least at the lower end of its interval."""
    selections = [line for line in lines if line.cell.strategy != FULL]
    return max(selections, key=lambda line: line.to_full.mean - line.to_full.half, default=None)
