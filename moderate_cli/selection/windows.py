"""Windows of ranks: strategies moderate, easy and hard.

A rank is a position in the order of (score, row).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Counts, Mask
from moderate_cli.selection.counts import round_half_up
from moderate_cli.selection.floors import raise_to_floors

MEDIAN = Fraction(1, 2)
SORTED = 2000  # scores: for fewer, sorting takes less time than a partition


def class_windows(
    values: npt.NDArray[Any], members: Counts, shared: Counts, sizes: Counts, quantile: Fraction
) -> Mask:
    """Keep a window of `shared` images of each class, around the quantile of its scores."""
    inside = np.zeros(len(values), dtype=np.bool_)
    groups = np.split(np.argsort(members, kind="stable"), np.cumsum(sizes)[:-1])
    for rows, k in zip(groups, shared.tolist(), strict=True):
        start = window_start(len(rows), k, quantile)
        inside[rows] = _ranks(values[rows], start, start + k)
    return inside


def global_window(
    values: npt.NDArray[Any], members: Counts, k: int, floors: Counts, quantile: Fraction
) -> Mask:
    """Keep a window of k images around the quantile of all scores, and each class's floor."""
    start = window_start(len(values), k, quantile)
    inside = _ranks(values, start, start + k)
    if np.any(np.bincount(members[inside], minlength=len(floors)) < floors):
        order = np.argsort(values, kind="stable")
        # Twice the distance in ranks from the middle of the window, to be an integer.
        off_center = np.abs(2 * np.arange(len(values)) - (2 * start + k - 1))
        nearest = order[np.argsort(off_center, kind="stable")]
        inside = raise_to_floors(inside, members, floors, nearest)
    return inside


def window_start(n: int, k: int, quantile: Fraction) -> int:
    """Return the first rank of a window of k of n images around a quantile."""
    # For the median, round down: this gives exactly the paper's window.
    return (n - k) // 2 if quantile == MEDIAN else round_half_up((n - k) * quantile)


def _ranks(values: npt.NDArray[Any], start: int, stop: int) -> Mask:
    """Return the images at ranks start to stop; many are not sorted."""
    if len(values) < SORTED or start == stop:
        inside: Mask = np.zeros(len(values), dtype=np.bool_)
        inside[np.argsort(values, kind="stable")[start:stop]] = True
        return inside
    # One after the other: for both ranks at once numpy takes three times as long.
    above = np.partition(values, start)[start:]
    low, high = above[0], np.partition(above, stop - 1 - start)[stop - 1 - start]
    inside = (values > low) & (values < high)
    for value in {low, high}:
        ties = np.flatnonzero(values == value)
        ranks = np.count_nonzero(values < value) + np.arange(len(ties))
        inside[ties[(ranks >= start) & (ranks < stop)]] = True
    return inside
