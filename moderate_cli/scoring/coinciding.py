"""Detect nearly identical features of nearly all images, or of a class, e.g. of blank pictures.

Pure numpy. Such features give no basis for a selection, though a selection by them looks valid.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import (
    SCATTERED,
    Doubles,
    Features,
    Mask,
    Rows,
    blocks,
    copy_rows,
    read_rows,
)

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
    drawn = rows[np.sort(np.random.default_rng(0).permutation(len(rows))[:size])]
    for group, some in _of_equal_length(features, drawn, members):
        own = read_rows(features, some)
        middle = own[np.argsort(_lengths(own), kind="stable")[len(own) // 2]]
        if np.mean(_near(own, middle)) >= MOST:
            every = rows if group == len(names) else rows[members[rows] == group]
            count = _count(features, every, middle)
            found[group] = count if count >= max(FEWEST, MOST * len(every)) else 0
    return found


def _of_equal_length(features: Features, drawn: Rows, members: Rows) -> Iterator[tuple[int, Rows]]:
    """Yield the groups of drawn images that may coincide, which have nearly the same length.

    Most do not, which takes little to see. The last group is that of all images.
    """
    lengths = np.empty(len(drawn))
    for part in blocks(len(drawn), SCATTERED):
        lengths[part] = _lengths(copy_rows(features, drawn[part]))
    last = int(members.max()) + 1
    for own in (members[drawn], np.full(len(drawn), last)):
        order = np.lexsort((lengths, own))
        groups, starts, sizes = np.unique(own[order], return_index=True, return_counts=True)
        middle = np.repeat(lengths[order][starts + sizes // 2], sizes)
        with np.errstate(invalid="ignore"):  # of huge features
            apart = np.abs(lengths[order] - middle) > 2 * NEAR * middle
        near = sizes - np.add.reduceat(apart.astype(np.int64), starts)
        for at in np.flatnonzero((near >= MOST * sizes) & (sizes >= FEWEST)):
            some = drawn[order[starts[at] : starts[at] + sizes[at]]]
            yield int(groups[at]), np.sort(some)


def _lengths(points: Features) -> Doubles:
    with np.errstate(over="ignore", invalid="ignore"):  # for huge features
        return np.asarray(np.sqrt(np.vecdot(points, points)), dtype=np.float64)


def _near(points: Doubles, middle: Doubles) -> Mask:
    with np.errstate(invalid="ignore", over="ignore"):
        length = _lengths(middle[None])
        return (_lengths(points - middle) <= NEAR * length) & np.isfinite(length)


def _count(features: Features, rows: Rows, middle: Doubles) -> int:
    return sum(
        int(np.count_nonzero(_near(read_rows(features, rows[part]), middle)))
        for part in blocks(len(rows), BLOCK_ROWS)
    )
