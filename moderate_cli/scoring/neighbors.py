"""The neighbors criterion: how many of an image's nearest neighbors have another label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Features, Floats, Rows, directions, read_rows

NEIGHBORS = 10
QUERY_ROWS, REFERENCE_ROWS = 2048, 8192  # a block of similarities takes 64 MB


def disagreement(features: Features, rows: Rows, members: Rows) -> Doubles:
    """Share of the `NEIGHBORS` nearest neighbors, by cosine, that have another label.

    Neighbors count by their similarity, as in distance-weighted nearest neighbors (Dudani, 1976),
    which also tells apart images with as many neighbors of other labels. Time grows with the
    square of the number of images; memory does not.

    Parameters
    ----------
    features
        (n, d) of any float type.
    rows, members
        int64 (m,), rows to score, ascending, and the class of each.

    Returns
    -------
    float64 (m,)
        In [0, 1]; 0 of an image without neighbors.
    """
    scores = np.zeros(len(rows))
    for part, found in nearest(features, rows, NEIGHBORS):
        weights = np.maximum(found.similarity, 0).astype(np.float64)
        other = members[found.position] != members[part][:, None]
        total = weights.sum(axis=1)
        np.divide((weights * other).sum(axis=1), total, out=scores[part], where=total > 0)
    return scores


class Neighbors(NamedTuple):
    """Nearest neighbors of some images, the most similar first.

    Attributes
    ----------
    similarity
        float32 (q, k), cosine.
    position
        int64 (q, k), positions in the rows that were asked for.
    """

    similarity: Floats
    position: npt.NDArray[np.int64]


def nearest(features: Features, rows: Rows, count: int) -> Iterator[tuple[slice, Neighbors]]:
    """Yield the nearest neighbors of all images among all, some images at a time.

    An image is no neighbor of itself. Of equally similar ones, those that come first.
    """
    count = min(count, len(rows) - 1)
    for start in range(0, len(rows), QUERY_ROWS):
        part = slice(start, min(start + QUERY_ROWS, len(rows)))
        queries = directions(read_rows(features, rows[part])).astype(np.float32)
        best = np.full((len(queries), 0), 0, dtype=np.float32)
        positions = np.full((len(queries), 0), 0, dtype=np.int64)
        for first in range(0, len(rows), REFERENCE_ROWS):
            last = min(first + REFERENCE_ROWS, len(rows))
            references = directions(read_rows(features, rows[first:last])).astype(np.float32)
            similarity = queries @ references.T
            inside = np.arange(max(first, part.start), min(last, part.stop))
            similarity[inside - part.start, inside - first] = -np.inf
            best = np.concatenate([best, similarity], axis=1)
            numbers = np.broadcast_to(np.arange(first, last), similarity.shape)
            positions = np.concatenate([positions, numbers], axis=1)
            if best.shape[1] > count:
                # Neighbors that are as similar as the last that counts may be left to chance here.
                top = np.sort(np.argpartition(-best, count - 1, axis=1)[:, :count], axis=1)
                best = np.take_along_axis(best, top, axis=1)
                positions = np.take_along_axis(positions, top, axis=1)
        order = np.argsort(-best, axis=1, kind="stable")[:, :count]
        best = np.take_along_axis(best, order, axis=1)
        yield part, Neighbors(best, np.take_along_axis(positions, order, axis=1))
