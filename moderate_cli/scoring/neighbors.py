"""The neighbors criterion: share of an image's nearest neighbors with another label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Features, Floats, Rows, blocks, directions, read_rows

NEIGHBORS = 10
QUERY_ROWS, REFERENCE_ROWS = 2048, 8192  # a block of similarities takes 64 MB


def disagreement(features: Features, rows: Rows, members: Rows) -> Doubles:
    """Share of the `NEIGHBORS` nearest neighbors, by cosine, with another label.

    Neighbors are weighted by similarity, as in distance-weighted nearest neighbors (Dudani, 1976).
    This also separates images with equal numbers of such neighbors. Time grows with the square of
    the number of images; memory does not.

    Parameters
    ----------
    features
        (n, d) of any float type.
    rows, members
        int64 (m,), rows to score, ascending, and the class of each.

    Returns
    -------
    float64 (m,)
        In [0, 1]; 0 for an image without neighbors.
    """
    scores = np.zeros(len(rows))
    for part, found in nearest(features, rows, NEIGHBORS):
        weights = np.maximum(found.similarity, 0).astype(np.float64)
        other = members[found.position] != members[part][:, None]
        total = weights.sum(axis=1)
        np.divide((weights * other).sum(axis=1), total, out=scores[part], where=total > 0)
    return scores


class Neighbors(NamedTuple):
    """Nearest neighbors of a block of images, the most similar first.

    Attributes
    ----------
    similarity
        float32 (q, k), cosine.
    position
        int64 (q, k), positions in the rows.
    """

    similarity: Floats
    position: npt.NDArray[np.int64]


def nearest(features: Features, rows: Rows, count: int) -> Iterator[tuple[slice, Neighbors]]:
    """Yield the nearest neighbors of all images, in blocks of images.

    An image is not a neighbor of itself. Of equally similar images, the first ones count.
    """
    count = min(count, len(rows) - 1)
    for part in blocks(len(rows), QUERY_ROWS):
        queries = directions(read_rows(features, rows[part])).astype(np.float32)
        best = np.full((len(queries), 0), 0, dtype=np.float32)
        positions = np.full((len(queries), 0), 0, dtype=np.int64)
        for other in blocks(len(rows), REFERENCE_ROWS):
            references = directions(read_rows(features, rows[other])).astype(np.float32)
            similarity = queries @ references.T
            inside = np.arange(max(other.start, part.start), min(other.stop, part.stop))
            similarity[inside - part.start, inside - other.start] = -np.inf
            best = np.concatenate([best, similarity], axis=1)
            numbers = np.broadcast_to(np.arange(other.start, other.stop), similarity.shape)
            positions = np.concatenate([positions, numbers], axis=1)
            if best.shape[1] > count:
                # Among neighbors tied with the last one, the choice may be arbitrary here.
                top = np.sort(np.argpartition(-best, count - 1, axis=1)[:, :count], axis=1)
                best = np.take_along_axis(best, top, axis=1)
                positions = np.take_along_axis(positions, top, axis=1)
        order = np.argsort(-best, axis=1, kind="stable")[:, :count]
        best = np.take_along_axis(best, order, axis=1)
        yield part, Neighbors(best, np.take_along_axis(positions, order, axis=1))
