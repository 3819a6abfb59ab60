"""Selection: which images to keep, given their scores.

Pure numpy. Ranks are positions when images are sorted by (score, row), so ties are broken by row
and the outcome depends on nothing but the arguments.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.errors import ArgumentError
from moderate_cli.scoring import Scores

Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

SCOPES = ("global", "class")
MEDIAN = Fraction(1, 2)


def select(
    scores: Scores | npt.ArrayLike,
    labels: npt.ArrayLike | None = None,
    *,
    ratio: float | str | Fraction | None = None,
    count: int | None = None,
    scope: str = "global",
    quantile: float | str | Fraction = MEDIAN,
    min_per_class: int = 1,
) -> Mask:
    """Keep the images whose score lies around the median (Moderate Coreset, Section 3.2, Eq. 2).

    Parameters
    ----------
    scores
        `Scores`, or an array (n,) from any criterion. An image with a NaN score is never kept
        and not counted in n.
    labels
        (n,) class of each image, if `scores` is a plain array; without it all are one class.
    ratio, count
        How much to keep, one of the two: a fraction of n in (0, 1], or a number in [1, n].
    scope
        "global": one window over all images. "class": a window in each class.
    quantile
        Where the window sits, in [0, 1]: 0.5 around the median, 0 the lowest scores, 1 the
        highest.
    min_per_class
        Every class keeps at least this many images, or all where it has fewer, as far as the
        number kept allows; a global window gives up its outermost images for them. 0 leaves the
        window as it is.

    Returns
    -------
    bool (n,)
        Exactly `kept_count(n, ratio)`, or `count`, entries are True.

    Raises
    ------
    ArgumentError
        If an argument is out of range.

    Examples
    --------
    >>> select(np.array([0.1, 0.9, 0.5, 0.4, 0.6]), ratio=0.6)
    array([False, False,  True,  True,  True])
    """
    values, labels = _values_and_labels(scores, labels)
    if scope not in SCOPES:
        raise ArgumentError(f"scope: {scope!r} is none of {', '.join(SCOPES)}")
    where = exact(quantile)
    if not 0 <= where <= 1:
        raise ArgumentError(f"quantile: {quantile} is not in [0, 1]")
    if min_per_class < 0:
        raise ArgumentError(f"min_per_class: {min_per_class} is negative")
    rows = np.flatnonzero(~np.isnan(values))
    k = _kept(len(rows), ratio, count)
    members, sizes = _members(labels[rows])
    floors = np.minimum(sizes, min_per_class)
    if scope == "class":
        inside = _class_windows(values[rows], members, quotas(sizes, k, floors), sizes, where)
    else:
        inside = _global_window(values[rows], members, k, floors, where)
    mask = np.zeros(len(values), dtype=np.bool_)
    mask[rows] = inside
    return mask


def kept_count(n: int, ratio: float | str | Fraction) -> int:
    """Number of images kept of n: `floor(n * ratio + 1/2)`, at least 1.

    The ratio is the decimal number that was written, not its nearest binary fraction.

    >>> kept_count(3068, 0.3), kept_count(100, 0.145), kept_count(3, 0.001)
    (920, 15, 1)
    """
    fraction = exact(ratio)
    if not 0 < fraction <= 1:
        raise ArgumentError(f"ratio: {ratio} is not in (0, 1]; it is the fraction kept")
    return max(1, _round_half_up(n * fraction))


def quotas(sizes: Counts, k: int, floors: Counts) -> Counts:
    """Share k among classes in proportion to their sizes, by largest remainder.

    Parameters
    ----------
    sizes
        int64 (c,), images in each class, all positive.
    k
        Number to share, at most the sum of `sizes`.
    floors
        int64 (c,), the least a class gets; ignored where k is below their sum.

    Returns
    -------
    int64 (c,)
        Sums to k. Ties go to the class that comes first.

    Examples
    --------
    >>> quotas(np.array([66, 33, 1]), 10, np.array([1, 1, 1]))
    array([6, 3, 1])
    """
    if floors.sum() > k:
        floors = np.zeros_like(floors)
    n = int(sizes.sum())
    shares = [k * int(size) for size in sizes]  # in units of 1/n, so that all is exact
    shared = np.maximum([share // n for share in shares], floors)
    owed = np.array([share - n * int(got) for share, got in zip(shares, shared, strict=True)])
    missing = k - int(shared.sum())
    if missing > 0:
        shared[np.argsort(-owed, kind="stable")[:missing]] += 1
    for _ in range(-missing):
        index = int(np.argmin(np.where(shared > floors, owed, n * len(sizes))))
        shared[index] -= 1
        owed[index] += n
    return shared


def emptied_classes(scores: Scores, mask: Mask) -> list[int]:
    """Classes that have readable images, none of them in the mask."""
    present = np.unique(scores.labels[~np.isnan(scores.values)])
    return [int(label) for label in np.setdiff1d(present, scores.labels[mask])]


def exact(number: float | str | Fraction) -> Fraction:
    """The decimal number as written, `Fraction(3, 10)` for 0.3."""
    try:
        return Fraction(str(number))
    except (ValueError, ZeroDivisionError):
        raise ArgumentError(f"{number!r} is not a finite number") from None


def _values_and_labels(
    scores: Scores | npt.ArrayLike, labels: npt.ArrayLike | None
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    if isinstance(scores, Scores):
        return scores.values, scores.labels
    values = np.asarray(scores)
    classes = np.zeros(len(values), dtype=np.int64) if labels is None else np.asarray(labels)
    if values.ndim != 1 or classes.shape != values.shape:
        raise ArgumentError(f"scores {values.shape} and labels {classes.shape} do not match")
    return values, classes


def _members(labels: npt.NDArray[Any]) -> tuple[Counts, Counts]:
    """Number the classes that occur from 0; return each image's, and the size of each class."""
    low, high = (int(labels.min()), int(labels.max())) if len(labels) else (0, 0)
    if high - low > 4 * len(labels):
        _, members, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        return members, sizes
    counts = np.bincount(labels - low)  # no sorting where labels leave few gaps
    numbers = np.cumsum(counts > 0) - 1
    return numbers[labels - low], counts[counts > 0]


def _kept(n: int, ratio: float | str | Fraction | None, count: int | None) -> int:
    if n == 0:
        raise ArgumentError("there is no image to select from")
    if ratio is not None and count is None:
        return kept_count(n, ratio)
    if count is None or ratio is not None:
        raise ArgumentError("give one of ratio and count")
    if not 1 <= count <= n:
        raise ArgumentError(f"count: {count} is not in [1, {n}], the number of readable images")
    return count


def _window_start(n: int, k: int, quantile: Fraction) -> int:
    # The median has its own rule, rounding down, so that it is the paper's window to the image.
    return (n - k) // 2 if quantile == MEDIAN else _round_half_up((n - k) * quantile)


def _round_half_up(number: Fraction) -> int:
    return (2 * number.numerator + number.denominator) // (2 * number.denominator)


def _class_windows(
    values: npt.NDArray[Any], members: Counts, shared: Counts, sizes: Counts, quantile: Fraction
) -> Mask:
    order = np.lexsort((values, members))
    firsts = np.cumsum(sizes) - sizes
    starts = firsts + [
        _window_start(int(size), int(k), quantile) for size, k in zip(sizes, shared, strict=True)
    ]
    positions = np.arange(len(values))
    mine = members[order]
    inside = np.zeros(len(values), dtype=np.bool_)
    inside[order] = (positions >= starts[mine]) & (positions < (starts + shared)[mine])
    return inside


def _global_window(
    values: npt.NDArray[Any], members: Counts, k: int, floors: Counts, quantile: Fraction
) -> Mask:
    start = _window_start(len(values), k, quantile)
    inside = _ranks(values, start, start + k)
    counts = np.bincount(members[inside], minlength=len(floors))
    if np.any(counts < floors):
        order = np.argsort(values, kind="stable")
        by_rank = inside[order]
        # Twice the distance in ranks from the middle of the window, so that it is whole.
        off_center = np.abs(2 * np.arange(len(values)) - (2 * start + k - 1))
        nearest = np.argsort(off_center, kind="stable")
        _raise_to_floors(by_rank, members[order], counts, floors, nearest)
        inside[order] = by_rank
    return inside


def _ranks(values: npt.NDArray[Any], start: int, stop: int) -> Mask:
    """Images at positions start to stop in the order of (score, row), without sorting them all."""
    ordered = np.partition(values, (start, stop - 1))
    low, high = ordered[start], ordered[stop - 1]
    inside: Mask = (values > low) & (values < high)
    for value in {low, high}:
        ties = np.flatnonzero(values == value)
        ranks = np.count_nonzero(values < value) + np.arange(len(ties))
        inside[ties[(ranks >= start) & (ranks < stop)]] = True
    return inside


def _raise_to_floors(
    inside: Mask, mine: Counts, counts: Counts, floors: Counts, nearest: Counts
) -> None:
    """Swap the window's outermost images for those nearest its middle of classes below floor."""
    lacking = np.maximum(floors - counts, 0)
    spare = counts - floors
    wanted = nearest[~inside[nearest] & (lacking[mine[nearest]] > 0)]
    outermost = nearest[::-1]
    givable = iter(outermost[inside[outermost] & (spare[mine[outermost]] > 0)])
    for rank in wanted:
        if lacking[mine[rank]] == 0:
            continue
        given_up = next((other for other in givable if spare[mine[other]] > 0), None)
        if given_up is None:
            return
        spare[mine[given_up]] -= 1
        lacking[mine[rank]] -= 1
        inside[given_up], inside[rank] = False, True
