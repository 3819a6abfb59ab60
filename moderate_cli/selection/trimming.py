"""The easy end of all scores, which strategy trimmed leaves out before it picks."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Counts, Mask
from moderate_cli.selection.floors import raise_to_floors

EASIEST = Fraction(3, 10)  # this and SHARE were chosen on training images, of Fashion-MNIST
SHARE = Fraction(1, 2)


def least(shares: Counts) -> Counts:
    """Return the least that each class keeps: half of what would be its share in proportion.

    Without it, classes that are easily told from all others would all but vanish.

    >>> least(np.array([10, 5, 1, 0]))
    array([5, 3, 1, 0])
    """
    return -(-shares * SHARE.numerator // SHARE.denominator)


def trim(values: npt.NDArray[Any], members: Counts, k: int, floors: Counts) -> Mask:
    """Leave out the lowest three tenths of all scores, as far as k allows.

    Classes whose images lie close together lose more than others, so that what is picked from
    the rest, in proportion, has more of the classes that are hard to tell apart.

    Parameters
    ----------
    values
        (n,) scores.
    members
        int64 (n,), class of each image, numbered from 0.
    k
        Number that will be kept, at most n.
    floors
        int64 (c,), the least that each class keeps.

    Returns
    -------
    bool (n,)
        True for the rest; of equal scores the first rows are left.

    Examples
    --------
    >>> trim(np.arange(10.0), np.zeros(10, dtype=int), 4, np.array([1])).astype(int)
    array([0, 0, 0, 1, 1, 1, 1, 1, 1, 1])
    """
    n = len(values)
    hardest = np.argsort(-values.astype(np.float64), kind="stable")
    inside = np.zeros(n, dtype=np.bool_)
    inside[hardest[: max(k, n - int(n * EASIEST))]] = True
    return raise_to_floors(inside, members, floors, hardest)
