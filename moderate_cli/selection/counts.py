"""Number of images to keep, in total and per class, in exact integers."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Counts
from moderate_cli.errors import ArgumentError

WRITTEN = re.compile(r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?|[0-9]+/[0-9]+)")
SHOWN = 100  # letters of an invalid number that an error shows


def kept_count(
    n: int, ratio: float | str | Fraction | None = None, count: int | None = None
) -> int:
    """Return the number to keep of n images: `count`, or `floor(n * ratio + 1/2)`, at least 1.

    A float is read as the decimal number that was written, not as a binary fraction.

    Raises
    ------
    ArgumentError
        If n is 0, both or neither of the two are given, or it is out of range.

    >>> kept_count(3068, 0.3), kept_count(100, 0.145), kept_count(3, 0.001)
    (920, 15, 1)
    """
    if n == 0:
        raise ArgumentError("there are no images to select from")
    if (ratio is None) == (count is None):
        raise ArgumentError("pass either ratio or count")
    if count is not None:
        if not 1 <= count <= n:
            raise ArgumentError(f"count: {count} is not in [1, {n}], the images to select from")
        return count
    assert ratio is not None
    fraction = exact(ratio)
    if not 0 < fraction <= 1:
        raise ArgumentError(f"ratio: {ratio} is not in (0, 1]; it is the fraction kept")
    return max(1, round_half_up(n * fraction))


def quotas(sizes: Counts, k: int, floors: Counts, balance: str = "proportional") -> Counts:
    """Divide k among classes, by largest remainder.

    Parameters
    ----------
    sizes
        int64 (c,), images in each class, all positive.
    k
        Number to divide, at most the sum of `sizes`.
    floors
        int64 (c,), the minimum of each class; ignored if k is below their sum.
    balance
        A key of `BALANCES`: shares are in proportion to the sizes ("proportional"), to their
        square roots ("sqrt"), or equal ("uniform"). The excess of a small class goes to the others.

    Returns
    -------
    int64 (c,)
        Sums to k. Ties go to the class that comes first.

    Examples
    --------
    >>> quotas(np.array([66, 33, 1]), 10, np.array([1, 1, 1]))
    array([6, 3, 1])
    >>> quotas(np.array([66, 33, 1]), 10, np.array([1, 1, 1]), "uniform")
    array([5, 4, 1])
    """
    if floors.sum() > k:
        floors = np.zeros_like(floors)
    weights = BALANCES[balance](sizes)
    full = np.zeros(len(sizes), dtype=np.bool_)  # classes whose share is all their images
    while True:
        total, left = int(weights[~full].sum()), k - int(sizes[full].sum())
        over = ~full & (left * weights >= sizes * total)
        if not over.any():
            break
        full |= over
    shares = left * weights  # in units of 1 / total, to be exact
    shared = np.where(full, sizes, np.maximum(shares // max(total, 1), floors))
    owed = np.where(full, 0, shares - total * shared)
    missing = k - int(shared.sum())
    if missing > 0:
        shared[np.argsort(-owed, kind="stable")[:missing]] += 1
    for _ in range(-missing):
        index = int(np.argmin(np.where(shared > floors, owed, np.iinfo(np.int64).max)))
        shared[index] -= 1
        owed[index] += total
    return shared


BALANCES: dict[str, Callable[[Counts], Counts]] = {
    "proportional": lambda sizes: sizes,
    # In integers, to three decimals, to be exact.
    "sqrt": lambda sizes: np.array([math.isqrt(size * 10**6) for size in sizes.tolist()]),
    "uniform": np.ones_like,
}


def exact(number: float | str | Fraction) -> Fraction:
    """Read a decimal number exactly as it is written: 0.3 is `Fraction(3, 10)`.

    Raises
    ------
    ArgumentError
        If it is not a number of plain digits, or has thousands of digits.
    """
    text = str(number).strip(" ")
    # Fraction also accepts digits of other scripts, and takes for ever at 1e-999999999.
    if WRITTEN.fullmatch(text):
        with contextlib.suppress(ValueError, ZeroDivisionError):
            return Fraction(text)
    raise ArgumentError(f"{repr(number)[:SHOWN]} is not a finite number")


def written(number: float | str | Fraction) -> str:
    """Return the canonical text of a number, which `exact` reads back.

    >>> written("0.30"), written("3e-1"), written("2/6"), written(1)
    ('0.3', '0.3', '1/3', '1')
    """
    fraction = exact(number)
    places = _decimals(fraction.denominator)
    if not places:
        return str(fraction)
    digits = str(abs(fraction.numerator) * 10**places // fraction.denominator)
    sign = "-" * (fraction < 0)
    if places > len(digits) + 5:  # more zeros than one would count
        return f"{sign}{digits}e-{places}"
    digits = digits.zfill(places + 1)
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def _decimals(denominator: int) -> int:
    """Return the number of decimals of a fraction in lowest terms; 0 if it is infinite."""
    left, places = denominator, 0
    while (shared := math.gcd(left, 10)) > 1:
        left, places = left // shared, places + 1
    return places if left == 1 else 0


def round_half_up(number: Fraction) -> int:
    """Return the nearest integer; of two, the larger one."""
    return (2 * number.numerator + number.denominator) // (2 * number.denominator)


def members_of(labels: npt.NDArray[Any]) -> tuple[Counts, Counts]:
    """Renumber the classes that occur from 0; return the class of each image, and their sizes."""
    low, high = (int(labels.min()), int(labels.max())) if len(labels) else (0, 0)
    if high - low > min(4 * len(labels), np.iinfo(labels.dtype).max):
        _, members, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        return members, sizes
    offsets = labels - low
    counts = np.bincount(offsets)  # without sorting, if labels have few gaps
    numbers = np.cumsum(counts > 0) - 1
    return numbers[offsets], counts[counts > 0]
