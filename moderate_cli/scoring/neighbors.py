"""The neighbors criterion: share of an image's nearest neighbors with another label."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Features, Floats, Rows, blocks
from moderate_cli.gpu import Place, place_for
from moderate_cli.scoring.placed import Placed
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
    points = Placed(features, rows, place)
    sizes = (QUERIES_ON_GPU, REFERENCES_ON_GPU) if place.on_gpu else (QUERY_ROWS, REFERENCE_ROWS)
    parts, most = list(blocks(n, sizes[0])), AT_ONCE if place.on_gpu else None
    found = [_none(place, part.stop - part.start) for part in parts]
    for other in blocks(n, sizes[1]):
        renew = partial(_renewed, points, points.unit(other), other, count)
        found = list(in_threads(renew, zip(parts, found, strict=True), most))
    for part, near in zip(parts, found, strict=True):
        similarity, position = place.compute(lambda *arrays: arrays, *near)
        order = np.argsort(-similarity, axis=1, kind="stable")
        yield (
            part,
            Neighbors(
                np.take_along_axis(similarity, order, axis=1),
                np.take_along_axis(position, order, axis=1),
            ),
        )


def _none(place: Place, queries: int) -> tuple[Any, Any]:
    """Return similarities and positions of no neighbors."""
    empty = np.empty((queries, 0), dtype=np.float32), np.empty((queries, 0), dtype=np.int64)
    return place.keep(empty[0]), place.keep(empty[1])


def _renewed(
    points: Placed,
    references: Any,
    other: slice,
    count: int,
    before: tuple[slice, tuple[Any, Any]],
) -> tuple[Any, Any]:
    """Join the nearest neighbors so far with those in a block of references, in row order."""
    part, found = before
    inside = np.arange(max(other.start, part.start), min(other.stop, part.stop))
    own = (inside - part.start, inside - other.start)  # where an image meets itself
    every = np.arange(part.stop - part.start)[:, None]
    place = points.place
    join = partial(_join, place.module, _top if place.on_gpu else _highest, count, other.start)
    similarity, position = place.apply(join, points.unit(part), references, *own, every, *found)
    return similarity, position


def _join(
    module: Any,
    highest: Callable[[Any, int], Any],
    count: int,
    start: int,
    queries: Any,
    references: Any,
    own: Any,
    other: Any,
    every: Any,
    best: Any,
    positions: Any,
) -> tuple[Any, Any]:
    similarity = queries @ references.T
    similarity[own, other] = -np.inf
    at = highest(similarity, count)
    best = module.concatenate([best, similarity[every, at]], axis=1)
    positions = module.concatenate([positions, at + start], axis=1)
    top = highest(best, count)
    return best[every, top], positions[every, top]


def _highest(values: Floats, count: int) -> npt.NDArray[np.int64]:
    """Return the places of the highest values of each row, ascending, at most `count`.

    Among values equal to the last one, the choice may be arbitrary.
    """
    m = values.shape[1]
    first = m - min(count, m)
    return np.sort(np.argpartition(values, max(0, first - 1), axis=1)[:, first:], axis=1)


def _top(values: Any, count: int) -> Any:
    """Return the same for tensors."""
    _, at = values.topk(min(count, values.shape[1]), dim=1)
    return at.sort(dim=1)[0]
