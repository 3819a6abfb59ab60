"""What is left out before anything is chosen: of each class no more than its floor allows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Mask, Rows


class LeftOut(NamedTuple):
    """Images that are left out, and those that stay for the sake of their class.

    Attributes
    ----------
    rows
        int64 (m,), what is left out.
    spared
        int64 (s,), what stays, although it was to be left out, too.
    """

    rows: Rows
    spared: Rows


def leave_out(
    rows: Rows, labels: npt.NDArray[np.integer[Any]], eligible: Mask, min_per_class: int
) -> LeftOut:
    """Leave images out, but of each class only as many as leave it its floor.

    The floor of a class is `min_per_class`, or all its images where it has fewer. Without it a
    class whose images are all suspects, or copies of others, would vanish, and every later class
    of an ImageFolder would get another index.

    Parameters
    ----------
    rows
        int64 (m,), what is to be left out; of each class the first ones are.
    labels
        (n,) class of each image.
    eligible
        bool (n,), what there is to choose from so far; holds for all of `rows`.
    min_per_class
        At least so many of each class stay.

    Examples
    --------
    >>> labels = np.array([7, 7, 7, 9, 9])
    >>> leave_out(np.array([2, 3, 4, 1]), labels, np.ones(5, dtype=bool), 1)
    LeftOut(rows=array([2, 3, 1]), spared=array([4]))
    """
    known, sizes = np.unique(labels[eligible], return_counts=True)
    members = np.searchsorted(known, labels[rows])
    order = np.argsort(members, kind="stable")
    ranks = np.empty(len(rows), dtype=np.int64)  # of each, among those of its class
    ranks[order] = np.arange(len(rows)) - np.searchsorted(members[order], members[order])
    goes = ranks < np.maximum(sizes - min_per_class, 0)[members]
    return LeftOut(rows[goes], rows[~goes])
