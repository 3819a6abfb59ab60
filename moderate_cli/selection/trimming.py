"""Leave out the easiest images before strategy trimmed selects."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Counts, Mask
from moderate_cli.selection.floors import raise_to_floors

EASIEST = Fraction(3, 10)  # chosen, like SHARE, on training images of Fashion-MNIST
SHARE = Fraction(1, 2)


def least(shares: Counts) -> Counts:
    """Return the minimum to keep of each class: half of its proportional share.

    Without it, classes that are easy to distinguish would almost vanish.

    >>> least(np.array([10, 5, 1, 0]))
    array([5, 3, 1, 0])
    """
    return -(-shares * SHARE.numerator // SHARE.denominator)


def trim(values: npt.NDArray[Any], members: Counts, k: int, floors: Counts) -> Mask:
    """Leave out the lowest 30 % of all scores, as far as k allows.

    Classes whose images are close together lose more than others. So a proportional selection from
    the rest has more images of classes that are hard to distinguish.

    Parameters
    ----------
    values
        (n,) scores.
    members
        int64 (n,), class of each image, numbered from 0.
    k
        Number to keep, at most n.
    floors
        int64 (c,), the minimum of each class.

    Returns
    -------
    bool (n,)
        True for the rest; of equal scores, the first rows stay.

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
