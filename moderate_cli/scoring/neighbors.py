"""The neighbors criterion: share of an image's nearest neighbors with another label."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Features, Floats, Rows, blocks, directions, read_rows
from moderate_cli.gpu import Place, place_for
from moderate_cli.threads import in_threads

NEIGHBORS = 10
QUERY_ROWS, REFERENCE_ROWS = 512, 8192  # a block of similarities takes 16 MB, in each thread
# On a GPU it takes half a gigabyte, and so do the references in float64.
QUERIES_ON_GPU, REFERENCES_ON_GPU, AT_ONCE = 4096, 1 << 15, 3


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
    n, count = len(rows), min(count, len(rows) - 1)
    place = place_for(2 * n**2 * features.shape[1])
    sizes = (QUERIES_ON_GPU, REFERENCES_ON_GPU) if place.on_gpu else (QUERY_ROWS, REFERENCE_ROWS)
    parts = list(blocks(n, sizes[0]))
    found = [
        Neighbors(
            np.empty((part.stop - part.start, 0), dtype=np.float32),
            np.empty((part.stop - part.start, 0), dtype=np.int64),
        )
        for part in parts
    ]
    for other in blocks(n, sizes[1]):
        references = place.keep(_unit(features, rows[other]))
        renew = partial(_renewed, features, rows, place, references, other, count)
        most = AT_ONCE if place.on_gpu else None
        found = list(in_threads(renew, zip(parts, found, strict=True), most))
    for part, near in zip(parts, found, strict=True):
        order = np.argsort(-near.similarity, axis=1, kind="stable")
        yield (
            part,
            Neighbors(
                np.take_along_axis(near.similarity, order, axis=1),
                np.take_along_axis(near.position, order, axis=1),
            ),
        )


def _renewed(
    features: Features,
    rows: Rows,
    place: Place,
    references: Any,
    other: slice,
    count: int,
    before: tuple[slice, Neighbors],
) -> Neighbors:
    """Join the nearest neighbors so far with those in a block of references, in row order."""
    part, found = before
    inside = np.arange(max(other.start, part.start), min(other.stop, part.stop))
    own = (inside - part.start, inside - other.start)  # where an image meets itself
    near = _nearest_on_gpu if place.on_gpu else _nearest_in
    queries = _unit(features, rows[part])
    similarity, at = place.compute(partial(near, count), queries, references, *own)
    best = np.concatenate([found.similarity, similarity], axis=1)
    positions = np.concatenate([found.position, at + other.start], axis=1)
    top = _highest(best, count)
    return Neighbors(
        np.take_along_axis(best, top, axis=1), np.take_along_axis(positions, top, axis=1)
    )


def _nearest_in(
    count: int, queries: Floats, references: Floats, own: Rows, other: Rows
) -> tuple[Floats, Rows]:
    """Return the highest similarities of each query, and their places, ascending."""
    similarity = queries @ references.T
    similarity[own, other] = -np.inf
    at = _highest(similarity, count)
    return np.take_along_axis(similarity, at, axis=1), at


def _nearest_on_gpu(
    count: int, queries: Any, references: Any, own: Any, other: Any
) -> tuple[Any, Any]:
    """Return the same for tensors."""
    similarity = queries @ references.T
    similarity[own, other] = -np.inf
    _, at = similarity.topk(min(count, len(references)), dim=1)
    at, _ = at.sort(dim=1)
    return similarity.take_along_dim(at, dim=1), at


def _highest(values: Floats, count: int) -> npt.NDArray[np.int64]:
    """Return the places of the highest values of each row, ascending, at most `count`.

    Among values equal to the last one, the choice may be arbitrary.
    """
    m = values.shape[1]
    first = m - min(count, m)
    return np.sort(np.argpartition(values, max(0, first - 1), axis=1)[:, first:], axis=1)


def _unit(features: Features, rows: Rows) -> Floats:
    return directions(read_rows(features, rows)).astype(np.float32)
