"""Leave images out before the selection, but keep the minimum of each class."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Mask, Rows


class LeftOut(NamedTuple):
    """Images that are left out, and images that stay for the minimum of their class.

    Attributes
    ----------
    rows
        int64 (m,), images that are left out.
    spared
        int64 (s,), images that were to be left out, but stay.
    """

    rows: Rows
    spared: Rows


def leave_out(
    rows: Rows, labels: npt.NDArray[np.integer[Any]], eligible: Mask, min_per_class: int
) -> LeftOut:
    """Leave images out, but keep at least `min_per_class` of each class, or all if it has fewer.

    Otherwise a class whose images are all suspects, or copies of others, would vanish, and each
    later class of an ImageFolder would get another index.

    Parameters
    ----------
    rows
        int64 (m,), images to leave out, in the order in which they go.
    labels
        (n,) class of each image.
    eligible
        bool (n,), the images to choose from so far; True for all `rows`.
    min_per_class
        Minimum number of images per class that stay.

    Examples
    --------
    >>> labels = np.array([7, 7, 7, 9, 9])
    >>> leave_out(np.array([2, 3, 4, 1]), labels, np.ones(5, dtype=bool), 1)
    LeftOut(rows=array([2, 3, 1]), spared=array([4]))
    """
    known, sizes = np.unique(labels[eligible], return_counts=True)
    members = np.searchsorted(known, labels[rows])
    order = np.argsort(members, kind="stable")
    ranks = np.empty(len(rows), dtype=np.int64)  # of each row in its class
    ranks[order] = np.arange(len(rows)) - np.searchsorted(members[order], members[order])
    goes = ranks < np.maximum(sizes - min(min_per_class, len(labels)), 0)[members]
    return LeftOut(rows[goes], rows[~goes])
