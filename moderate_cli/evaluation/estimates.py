"""Means over seeds and differences between strategies, with 95 % intervals.

With a test set, seeds are independent draws, and an interval says where the mean of infinitely many
seeds is: other pools of the same images, judged on the same test images. Chance in the choice of
the test images is not part of it.

Without one, an interval is about new images like these. Five seeds hold out five fifths that have
no image in common, so that chance in the held-out images is part of the spread over seeds. Later
seeds judge on the same images again, and are worth less. The variance of the mean is then more than
1 / seeds of that over seeds, as in the corrected resampled t-test (Nadeau and Bengio, Machine
Learning 52, 2003), which corrects by the overlap of the held-out parts; here only the
seeds after the fifth need it. `ALONE` and `PAIRED` say by how much; a simulation in
`tests/evaluation/test_coverage.py` shows that the intervals hold. Pools overlap, too, in three
quarters of their images. That is not corrected: where few images are kept of a small set, a 95 %
interval holds in about 92 % of cases.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from moderate_cli.evaluation.cells import FULL, Cell, Result
from moderate_cli.evaluation.pools import FOLDS

# Student's t at 0.975 by degrees of freedom, 1 to 30.
T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
     2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
     2.052, 2.048, 2.045, 2.042)  # fmt: skip
FEWEST_SEEDS = 3  # for an interval: that of two is six times as wide
# Share of the variance over seeds that comes with the held-out images, so that it returns when they
# are held out again: all of it for an accuracy; for a difference on the same images, half.
ALONE, PAIRED = 1.0, 0.5


class Estimate(NamedTuple):
    """A mean over seeds.

    Attributes
    ----------
    mean
        The mean of the values.
    half
        Half the width of its 95 % interval, by Student's t; NaN for fewer than `FEWEST_SEEDS`.
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


def summarize(results: Mapping[Cell, Result], *, held_out: bool) -> list[Line]:
    """Gather the results of each way to select, in the order of the results.

    Differences are to random selection and to the full set, both with suspects kept. `held_out`
    says that the test images are held out of the data.
    """
    alone, paired = (ALONE, PAIRED) if held_out else (0.0, 0.0)
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
                estimate(accuracy, alone),
                estimate([results[cell].worst_class for cell in cells], alone),
                estimate(differences(accuracy, random), paired),
                estimate(differences(accuracy, full), paired),
            )
        )
    return lines


def _accuracy(
    results: Mapping[Cell, Result], cell: Cell, *, strategy: str, ratio: str | None = None
) -> float:
    """Return the accuracy of another strategy on the same pool; NaN if it is missing."""
    other = Cell(strategy, ratio or cell.ratio, "", cell.seed)
    return results[other].accuracy if other in results else math.nan


def differences(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Return the difference of each pair of values, which have the same pool."""
    return [value - other for value, other in zip(values, others, strict=True)]


def estimate(values: Sequence[float], shared: float) -> Estimate:
    """Return the mean of one value per seed, and its interval.

    `shared` is the share of the variance that comes with the held-out images, 0 for a test set.

    >>> estimate([0.5, 0.6, 0.7], 0.0)
    Estimate(mean=0.6, half=0.248433820832)
    >>> estimate([0.5, 0.7], 0.0)
    Estimate(mean=0.6, half=nan)
    """
    mean = round(math.fsum(values) / len(values), 12)
    if len(values) < FEWEST_SEEDS:
        return Estimate(mean, math.nan)
    t = T[min(len(values) - 1, len(T)) - 1]
    return Estimate(mean, round(t * standard_error(values, shared), 12))


def standard_error(values: Sequence[float], shared: float) -> float:
    """Return the standard error of the mean of at least two values; arguments as of `estimate`."""
    n = len(values)
    mean = math.fsum(values) / n
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    again = max(0.0, 1 / FOLDS - 1 / n)  # the images of five seeds are those of all
    return math.sqrt(variance * (1 / n + shared * again))


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
