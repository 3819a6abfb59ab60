"""Near duplicates: images whose features point in nearly the same direction.

Pure numpy. In row order, an image is a duplicate of the first earlier image that is similar enough
and not a duplicate itself. So each group has one survivor, its first image, and no chain of small
steps joins images that differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Doubles, Features, Floats, Rows, blocks, directions, read_rows
from moderate_cli.errors import ArgumentError

BLOCK_ROWS, REFERENCE_ROWS = 2048, 8192  # a block of similarities takes 64 MB
ROUNDING = 1e-6  # in float32, the cosine of two equal images may be this far from 1


class Duplicates(NamedTuple):
    """Near duplicates, in row order.

    Attributes
    ----------
    rows
        int64 (m,), images that are duplicates.
    survivors
        int64 (m,), the earlier image that each of them duplicates.
    similarity
        float64 (m,), the cosine between the two.
    """

    rows: Rows
    survivors: Rows
    similarity: Doubles


def find_duplicates(
    features: Features,
    rows: Rows,
    threshold: float,
    on_progress: Callable[[int, int], None] | None = None,
) -> Duplicates:
    """Find images that are near duplicates of earlier ones.

    Time grows with the square of the number of images; memory does not.

    Parameters
    ----------
    features
        (n, d) of any float type; may be memory-mapped.
    rows
        int64 (m,), rows to compare, ascending.
    threshold
        Minimum cosine similarity of near duplicates, in (0, 1].
    on_progress
        Called with the number of images compared so far, and the number of all.

    Raises
    ------
    ArgumentError
        If the threshold is out of range.

    Examples
    --------
    >>> features = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.1], [0.0, 3.0]])
    >>> found = find_duplicates(features, np.arange(4), 0.99)
    >>> found.rows.tolist(), found.survivors.tolist()
    ([2, 3], [0, 1])
    """
    if not 0 < threshold <= 1:
        raise ArgumentError(f"threshold: {threshold} is not in (0, 1]")
    least = np.float32(threshold - ROUNDING)
    unique = np.empty(0, dtype=np.int64)  # rows in earlier blocks that are not duplicates
    found: list[tuple[int, int, float]] = []
    for part in blocks(len(rows), BLOCK_ROWS):
        block = rows[part]
        points = _unit(features, block)
        first = np.full(len(block), -1, dtype=np.int64)
        cosine = np.zeros(len(block))
        for other in blocks(len(unique), REFERENCE_ROWS):
            reference = unique[other]
            _join(first, cosine, points @ _unit(features, reference).T, reference, least)
        inside = points @ points.T
        similar = inside >= least
        for row in range(len(block)):
            if first[row] < 0 and similar[row, :row].any():
                earlier = np.flatnonzero(similar[row, :row] & (first[:row] < 0))
                if len(earlier):
                    first[row], cosine[row] = block[earlier[0]], inside[row, earlier[0]]
        own = np.flatnonzero(first >= 0)
        found += zip(block[own].tolist(), first[own].tolist(), cosine[own].tolist(), strict=True)
        unique = np.concatenate([unique, block[first < 0]])
        if on_progress is not None:
            on_progress(part.stop, len(rows))
    table = np.array(found).reshape(-1, 3)
    return Duplicates(
        table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), np.minimum(table[:, 2], 1.0)
    )


def _join(
    first: Rows,
    cosine: Doubles,
    similarity: Floats,
    reference: Rows,
    least: np.float32,
) -> None:
    """Record the first similar reference image of each image without one."""
    similar = similarity >= least
    new = np.flatnonzero((first < 0) & similar.any(axis=1))
    at = similar[new].argmax(axis=1)
    first[new], cosine[new] = reference[at], similarity[new, at]


def _unit(features: Features, rows: Rows) -> Floats:
    return directions(read_rows(features, rows)).astype(np.float32)
