"""Near duplicates: images whose features point in nearly the same direction.

In row order, an image is a duplicate of the first earlier image that is similar enough and not a
duplicate itself. So each group has one survivor, its first image, and no chain of small steps joins
images that differ.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from moderate_cli.arrays import Doubles, Features, Floats, Rows, blocks, directions, read_rows
from moderate_cli.errors import ArgumentError
from moderate_cli.gpu import place_for
from moderate_cli.scoring.placed import Placed
from moderate_cli.threads import in_threads, one_blas_thread

BLOCK_ROWS, REFERENCE_ROWS = 2048, 2048  # a block of similarities takes 16 MB, in each thread
# On a GPU it takes half a gigabyte, and so do the references in float64.
ROWS_ON_GPU, REFERENCES_ON_GPU, AT_ONCE = 4096, 1 << 15, 3
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


@one_blas_thread()
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
    unique = np.empty(0, dtype=np.int64)  # positions in earlier blocks that are not duplicates
    found: list[tuple[int, int, float]] = []
    place = place_for(len(rows) ** 2 * features.shape[1])
    placed = Placed(features, rows, place)
    sizes = (ROWS_ON_GPU, REFERENCES_ON_GPU) if place.on_gpu else (BLOCK_ROWS, REFERENCE_ROWS)
    for part in blocks(len(rows), sizes[0]):
        block = rows[part]
        points = placed.unit(part)
        first = np.full(len(block), -1, dtype=np.int64)
        cosine = np.zeros(len(block))
        references = (unique[other] for other in blocks(len(unique), sizes[1]))
        first_of = partial(_first, placed, points, least)
        most = AT_ONCE if place.on_gpu else None
        for earlier_one, similarity in in_threads(first_of, references, most):
            new = np.flatnonzero((first < 0) & (earlier_one >= 0))
            first[new], cosine[new] = rows[earlier_one[new]], similarity[new]
        (inside,) = place.compute(lambda one: (one @ one.T,), points)
        similar = inside >= least
        for row in range(len(block)):
            if first[row] < 0 and similar[row, :row].any():
                earlier = np.flatnonzero(similar[row, :row] & (first[:row] < 0))
                if len(earlier):
                    first[row], cosine[row] = block[earlier[0]], inside[row, earlier[0]]
        own = np.flatnonzero(first >= 0)
        found += zip(block[own].tolist(), first[own].tolist(), cosine[own].tolist(), strict=True)
        unique = np.concatenate([unique, np.arange(part.start, part.stop)[first < 0]])
        if on_progress is not None:
            on_progress(part.stop, len(rows))
    table = np.array(found).reshape(-1, 3)
    return Duplicates(
        table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), np.minimum(table[:, 2], 1.0)
    )


def _first(placed: Placed, points: Any, least: np.float32, reference: Rows) -> tuple[Rows, Doubles]:
    """Return the first similar reference image of each point, -1 for none, and the similarity."""
    find = _first_on_gpu if placed.place.on_gpu else _first_in
    at, cosine = placed.place.compute(partial(find, float(least)), points, placed.unit(reference))
    return np.where(at >= 0, reference[at], -1), cosine.astype(np.float64)


def _first_in(least: float, points: Floats, references: Floats) -> tuple[Rows, Floats]:
    """Return the place of the first similar reference, -1 for none, and the similarity."""
    similarity = points @ references.T
    similar = similarity >= np.float32(least)
    at, every = similar.argmax(axis=1), np.arange(len(similar))
    return np.where(similar[every, at], at, -1), similarity[every, at]


def _first_on_gpu(least: float, points: Any, references: Any) -> tuple[Any, Any]:
    """Return the same for tensors."""
    similarity = points @ references.T
    similar = similarity >= least
    # Of equal numbers, argmax of torch, too, returns the first.
    at = similar.byte().argmax(dim=1, keepdim=True)
    found = at.where(similar.take_along_dim(at, dim=1), -1)
    return found[:, 0], similarity.take_along_dim(at, dim=1)[:, 0]


@one_blas_thread()
def find_leaks(
    features: Features,
    rows: Rows,
    others: Features,
    other_rows: Rows,
    threshold: float,
    on_progress: Callable[[int, int], None] | None = None,
) -> Duplicates:
    """Find images that are near duplicates of an image of another set.

    Time grows with the product of the numbers of images; memory does not.

    Parameters
    ----------
    features, rows
        (n, d) of any float type, and int64 (m,), the rows to compare, ascending.
    others, other_rows
        The same of the other set.
    threshold
        Minimum cosine similarity of near duplicates, in (0, 1].
    on_progress
        Called with the number of images compared so far, and the number of all.

    Returns
    -------
    Duplicates
        `survivors` are rows of the other set: the most similar one, of equals the first.

    Raises
    ------
    ArgumentError
        If the threshold is out of range.

    Examples
    --------
    >>> ours, theirs = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 1.0], [5.0, 0.0]])
    >>> found = find_leaks(ours, np.arange(2), theirs, np.arange(2), 0.99)
    >>> found.rows.tolist(), found.survivors.tolist(), found.similarity.tolist()
    ([0], [1], [1.0])
    """
    if not 0 < threshold <= 1:
        raise ArgumentError(f"threshold: {threshold} is not in (0, 1]")
    nearest = np.full(len(rows), -1, dtype=np.int64)
    cosine = np.full(len(rows), threshold - ROUNDING, dtype=np.float32)
    for part in blocks(len(rows), BLOCK_ROWS):
        nearest_in = partial(_nearest, others, _unit(features, rows[part]))
        references = (other_rows[other] for other in blocks(len(other_rows), REFERENCE_ROWS))
        for there, similarity in in_threads(nearest_in, references):
            closer = np.flatnonzero(similarity > cosine[part])
            nearest[part][closer], cosine[part][closer] = there[closer], similarity[closer]
        if on_progress is not None:
            on_progress(part.stop, len(rows))
    found = np.flatnonzero(nearest >= 0)
    return Duplicates(
        rows[found], nearest[found], np.minimum(cosine[found].astype(np.float64), 1.0)
    )


def _nearest(others: Features, points: Floats, rows: Rows) -> tuple[Rows, Floats]:
    """Return the most similar of some rows for each point, of equals the first, and how similar."""
    similarity = points @ _unit(others, rows).T
    best = similarity.argmax(axis=1)
    return rows[best], similarity[np.arange(len(points)), best]


def _unit(features: Features, rows: Rows) -> Floats:
    return directions(read_rows(features, rows)).astype(np.float32)
