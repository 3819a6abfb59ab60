"""Where the features of nearly all images, or of a class, coincide: as of pictures that are blank.

Pure numpy. Nothing can be chosen by such features, and whatever is chosen looks as good as any
other choice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Features, Mask, Rows, read_rows

FEWEST = 3  # images that may coincide by chance
MOST = 0.9  # of the images
NEAR = 1e-3  # of the length of a feature vector; half precision is half as exact
SAMPLE, NUMBERS = 8192, 1 << 24  # images, and numbers of them, that are looked at first
BLOCK_ROWS = 4096


def coinciding(
    features: Features,
    labels: npt.NDArray[np.integer[Any]],
    readable: Mask | None = None,
) -> Doubles:
    """Count the images that have (nearly) the same features, where those are nearly all.

    Parameters
    ----------
    features
        (n, d) of any float type.
    labels
        int (n,).
    readable
        bool (n,), rows that count; None for all.

    Returns
    -------
    float64 (classes + 1,)
        Images of each label, ascending, that lie at one point, and last of all images; 0 where
        that is less than nine tenths of them, or fewer than `FEWEST`.

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
    with np.errstate(over="ignore"):  # of what is nearly infinite
        return np.asarray(np.linalg.norm(points, axis=1))


def _near(points: Doubles, middle: Doubles) -> Mask:
    with np.errstate(invalid="ignore", over="ignore"):
        length = _lengths(middle[None])
        return (_lengths(points - middle) <= NEAR * length) & np.isfinite(length)


def _count(features: Features, rows: Rows, middle: Doubles) -> int:
    return sum(
        int(np.count_nonzero(_near(read_rows(features, rows[start : start + BLOCK_ROWS]), middle)))
        for start in range(0, len(rows), BLOCK_ROWS)
    )
