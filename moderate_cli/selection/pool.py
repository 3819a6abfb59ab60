"""The images that a strategy selects from, and the number to keep of each class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Counts, Labels, Mask, Rows, Values
from moderate_cli.selection.choice import Choice
from moderate_cli.selection.counts import kept_count, members_of, quotas
from moderate_cli.selection.floors import attainable


class Pool(NamedTuple):
    """Images to select from.

    Attributes
    ----------
    rows
        int64 (m,), the images, ascending.
    values
        (m,), their scores.
    members
        int64 (m,), their classes, numbered from 0.
    sizes, floors
        int64 (c,), number of images of each class, and the minimum to keep.
    k
        Number to keep.
    """

    rows: Rows
    values: Values
    members: Rows
    sizes: Counts
    floors: Counts
    k: int


def pool_of(choice: Choice, values: Values, labels: Labels) -> Pool:
    """Gather the images with a score.

    Raises
    ------
    ArgumentError
        If there are fewer images than the number to keep.
    """
    rows = np.flatnonzero(~np.isnan(values))
    values, k = values[rows], kept_count(len(rows), choice.ratio, choice.count)
    members, sizes = members_of(labels[rows])
    floors = np.minimum(sizes, attainable(sizes, min(choice.min_per_class, len(rows)), k))
    return Pool(rows, values, members, sizes, floors, k)


def rest_of(pool: Pool, fixed: Mask, balance: str) -> tuple[Pool, Counts]:
    """Return the images to choose among, and the number to choose of each class.

    Parameters
    ----------
    pool
        All images.
    fixed
        bool (m,), those that are kept in any case, at most `pool.k`.
    balance
        A key of `BALANCES`. A class of which more are fixed than its share gives up no image; the
        others get less.

    Examples
    --------
    >>> pool = pool_of(Choice(count=4), np.arange(8.0), np.array([5, 5, 5, 5, 5, 5, 6, 6]))
    >>> rest, shares = rest_of(pool, np.arange(8) > 5, "proportional")
    >>> rest.k, shares
    (2, array([2, 0]))
    """
    rows, values, members, sizes, floors, k = pool
    own = np.bincount(members[fixed], minlength=len(sizes)).astype(sizes.dtype)
    least = np.maximum(floors, own)
    if least.sum() > k:  # there is no room for the minimum of each class
        least = own
    shares = quotas(sizes, k, least, balance) - own
    if not own.any():
        return pool, shares
    missing, left = np.maximum(floors - own, 0), k - int(own.sum())
    rest = Pool(rows[~fixed], values[~fixed], members[~fixed], sizes - own, missing, left)
    return rest, shares


def class_shares(
    choice: Choice, values: Values, labels: Labels, fixed: Mask | None = None
) -> tuple[Labels, Counts]:
    """Return the number to keep of each class, for a choice that selects within classes.

    Features are not needed: they decide which images of a class are kept, but not their number.

    Parameters
    ----------
    choice
        The options of the selection.
    values, labels
        (n,), the score and the class of each image.
    fixed
        As in `moderate_cli.selection.selecting.choose_from`.

    Returns
    -------
    classes, counts
        (c,) classes with images to select from, and int64 (c,) number to keep of each.

    Examples
    --------
    >>> values, labels = np.arange(6.0), np.array([7, 7, 7, 7, 9, 9])
    >>> class_shares(Choice(count=3, strategy="k-center"), values, labels)
    (array([7, 9]), array([2, 1]))
    """
    pool = pool_of(choice, values, labels)
    classes = np.empty(len(pool.sizes), dtype=labels.dtype)
    classes[pool.members] = labels[pool.rows]
    held = np.zeros(len(pool.rows), dtype=np.bool_) if fixed is None else fixed[pool.rows]
    _, shares = rest_of(pool, held, choice.balance)
    return classes, shares + np.bincount(pool.members[held], minlength=len(shares))
