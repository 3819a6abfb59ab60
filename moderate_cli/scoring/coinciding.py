"""Detect nearly identical features of nearly all images, or of a class, e.g. of blank pictures.

Pure numpy. Such features give no basis for a selection, though a selection by them looks valid.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Features, Mask, Rows, blocks, read_rows

FEWEST = 3  # minimum number of images; fewer may coincide by chance
MOST = 0.9  # minimum share of the images
NEAR = 1e-3  # of the length of a feature vector; the resolution of half precision is half of this
SAMPLE, NUMBERS = 8192, 1 << 24  # images, and numbers in their features, of the first test
BLOCK_ROWS = 4096


def coinciding(
    features: Features,
    labels: npt.NDArray[np.integer[Any]],
    readable: Mask | None = None,
) -> Doubles:
    """Count the images with (nearly) the same features, if these are nearly all images.

    Parameters
    ----------
    features
        (n, d) of any float type.
    labels
        int (n,).
    readable
        bool (n,), rows to use; None for all.

    Returns
    -------
    float64 (classes + 1,)
        The number for each label, ascending, and last for all images together; 0 if it is less
        than nine tenths of the images, or less than `FEWEST`.

    Examples
    --------
    >>> features = np.array([[3.0], [3.0], [3.0], [1.0], [2.0], [4.0]])
    >>> coinciding(features, np.array([0, 0, 0, 1, 1, 1]))
    array([3., 0., 0.])
    """
    rows = np.arange(len(labels)) if readable is None else np.flatnonzero(readable)
    names, members = np.unique(labels, return_inverse=True)
    found = np.zeros(len(names) + 1)
    size = min(len(rows), SAMPLE, max(FEWEST, NUMBERS // features.shape[1]))
    if size < FEWEST:
        return found
    drawn = np.sort(np.random.default_rng(0).permutation(len(rows))[:size])
    points, drawn_members = read_rows(features, rows[drawn]), members[rows[drawn]]
    order = np.argsort(drawn_members, kind="stable")
    known, starts = np.unique(drawn_members[order], return_index=True)
    groups = dict(zip(known.tolist(), np.split(order, starts[1:]), strict=True))
    for group, places in [*groups.items(), (len(names), np.arange(size))]:
        own = points[places]
        middle = own[np.argsort(_lengths(own), kind="stable")[len(own) // 2]]
        if len(own) >= FEWEST and np.mean(_near(own, middle)) >= MOST:
            every = rows if group == len(names) else rows[members[rows] == group]
            count = _count(features, every, middle)
            found[group] = count if count >= max(FEWEST, MOST * len(every)) else 0
    return found


def _lengths(points: Doubles) -> Doubles:
    with np.errstate(over="ignore"):  # for huge features
        return np.asarray(np.linalg.norm(points, axis=1))


def _near(points: Doubles, middle: Doubles) -> Mask:
    with np.errstate(invalid="ignore", over="ignore"):
        length = _lengths(middle[None])
        return (_lengths(points - middle) <= NEAR * length) & np.isfinite(length)


def _count(features: Features, rows: Rows, middle: Doubles) -> int:
    return sum(
        int(np.count_nonzero(_near(read_rows(features, rows[part]), middle)))
        for part in blocks(len(rows), BLOCK_ROWS)
    )
