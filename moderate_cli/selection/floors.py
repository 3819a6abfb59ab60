"""The minimum kept per class, if one selection spans all classes."""

from __future__ import annotations

import numpy as np

from moderate_cli.arrays import Counts, Mask


def attainable(sizes: Counts, least: int, k: int) -> int:
    """Return the minimum per class, reduced so that all classes can have it.

    Parameters
    ----------
    sizes
        int64 (c,), images of each class.
    least
        The desired minimum. It is never reduced below 1: with more classes than images to keep, as
        many classes as possible keep one.
    k
        Number kept.

    Examples
    --------
    >>> sizes = np.array([3, 50, 40])
    >>> attainable(sizes, 100, 43), attainable(sizes, 5, 43), attainable(sizes, 5, 2)
    (20, 5, 1)
    """
    low, high = min(least, 1), least
    while low < high:
        middle = (low + high + 1) // 2
        if int(np.minimum(sizes, middle).sum()) <= k:
            low = middle
        else:
            high = middle - 1
    return low


def raise_to_floors(inside: Mask, mine: Counts, floors: Counts, preferred: Counts) -> Mask:
    """Swap the least preferred kept images for the most preferred of classes below their floor.

    Parameters
    ----------
    inside
        bool (n,), the images kept so far.
    mine
        int64 (n,), class of each image, numbered from 0.
    floors
        int64 (c,), the minimum of each class.
    preferred
        int64 (n,), all images, the most preferred first.

    Returns
    -------
    bool (n,)
        With as many True as `inside`. If they do not suffice for all floors, the classes of the
        most preferred images come first.
    """
    counts = np.bincount(mine[inside], minlength=len(floors))
    lacking = np.maximum(floors - counts, 0)
    spare = counts - floors
    inside = inside.copy()
    wanted = preferred[~inside[preferred] & (lacking[mine[preferred]] > 0)]
    last = preferred[::-1]
    givable = iter(last[inside[last] & (spare[mine[last]] > 0)])
    for row in wanted:
        if lacking[mine[row]] == 0:
            continue
        given_up = next((other for other in givable if spare[mine[other]] > 0), None)
        if given_up is None:
            break
        spare[mine[given_up]] -= 1
        lacking[mine[row]] -= 1
        inside[given_up], inside[row] = False, True
    return inside
