"""Principal axes of features, and the sums of the coordinates of each class along them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from moderate_cli.arrays import Doubles, Rows, blocks
from moderate_cli.errors import ArgumentError
from moderate_cli.scoring.placed import Placed
from moderate_cli.threads import in_threads

BLOCK_ROWS = 4096
HELD_NUMBERS = 1 << 26  # of matrices of products of blocks, of all threads together
ROWS_ON_GPU, NUMBERS_ON_GPU = 1 << 14, 1 << 26  # the most of a block on a GPU
SMALLEST = 1e-290  # a smaller number may have an infinite inverse


class Axes(NamedTuple):
    """Principal axes of features.

    Attributes
    ----------
    mean
        float64 (d,).
    directions, values
        float64 (d, r), and (r,), the sum of squares along each; axes without extent are left out.
    moments
        float64 (r, c), sum of the coordinates of the images of each class.
    scale
        Mean of all values; 1 where all images coincide, for there any number gives the same head.
    """

    mean: Doubles
    directions: Doubles
    values: Doubles
    moments: Doubles
    scale: float


def find_axes(points: Placed, members: Rows, classes: int, on_block: Callable[[], None]) -> Axes:
    """Find axes by the matrix of products of images, or of coordinates if these are fewer.

    Parameters
    ----------
    points
        (m, d).
    members
        int64 (m,), the class of each, numbered from 0.
    classes
        Number of classes.
    on_block
        Called after each block of `BLOCK_ROWS` rows.

    Raises
    ------
    ArgumentError
        If features are so large that their products overflow.
    """
    n, d = points.shape
    few, mean = n <= d, _mean(points)
    with np.errstate(over="ignore", invalid="ignore"):
        moments, gram = _sums(points, members, classes, mean, 0 if few else d, on_block)
        if few:
            centered, gram = points.place.compute(_of_images, points[slice(0, n)], mean)
    if not np.isfinite(gram).all():
        raise ArgumentError("features: values are too large to fit a head; scale them down")
    values, vectors = np.linalg.eigh(gram)
    scale = float(values.clip(min=0).mean())
    extended = values > max(SMALLEST, values[-1] * len(values) * np.finfo(np.float64).eps)
    values, vectors = values[extended], vectors[:, extended]
    directions = centered.T @ (vectors / np.sqrt(values)) if few else vectors
    return Axes(
        mean, directions, values, (moments @ directions).T, scale if scale > SMALLEST else 1.0
    )


def moments_of(points: Placed, members: Rows, classes: int, axes: Axes) -> Doubles:
    """Return the moments of other classes of the points along known axes, float64 (r, c)."""
    moments, _ = _sums(points, members, classes, axes.mean, 0, lambda: None)
    found: Doubles = (moments @ axes.directions).T
    return found


def _mean(points: Placed) -> Doubles:
    module, total = points.place.module, np.zeros(points.shape[1])

    def of_block(part: slice) -> Doubles:
        with np.errstate(over="ignore", invalid="ignore"):  # refused later
            (found,) = points.place.compute(partial(_sum, module.float64), points[part])
        return found

    for one in in_threads(of_block, blocks(points.shape[0], BLOCK_ROWS)):
        total += one
    return total / points.shape[0]


def _sum(double: Any, block: Any) -> tuple[Any]:
    return (block.sum(axis=0, dtype=double),)


def _of_images(block: Any, mean: Any) -> tuple[Any, Any]:
    """Return centered images, and the matrix of their products."""
    centered = block - mean
    return centered, centered @ centered.T


def _sums(
    points: Placed,
    members: Rows,
    classes: int,
    mean: Doubles,
    size: int,
    on_block: Callable[[], None],
) -> tuple[Doubles, Doubles]:
    """Return the sum of the images of each class, (c, d), and the products of coordinates.

    The latter are of `size` (d, d), or (0, 0) to leave them out.
    """
    if points.place.on_gpu:
        return _sums_on_gpu(points, members, classes, mean, size, on_block)
    n, d = points.shape
    moments, gram = np.zeros((classes, d)), np.zeros((size, size))

    def of_block(part: slice) -> tuple[Rows, Doubles, Doubles]:
        with np.errstate(over="ignore", invalid="ignore"):
            block = points[part] - mean
            present, sums = _sums_by_class(block, members[part])
            return present, sums, block.T @ block if size else gram

    at_once = max(1, HELD_NUMBERS // d**2)
    for present, sums, own in in_threads(of_block, blocks(n, BLOCK_ROWS), at_once):
        moments[present] += sums
        gram += own
        on_block()
    return moments, gram


def _sums_by_class(block: Doubles, members: Rows) -> tuple[Rows, Doubles]:
    """Return the classes in a block, and the sum of the rows of each."""
    order = np.argsort(members, kind="stable")
    ordered = members[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    return ordered[starts], np.add.reduceat(block[order], starts, axis=0)


def _sums_on_gpu(
    points: Placed,
    members: Rows,
    classes: int,
    mean: Doubles,
    size: int,
    on_block: Callable[[], None],
) -> tuple[Doubles, Doubles]:
    """Return the same; a GPU adds up in its own memory."""
    (n, d), place = points.shape, points.place
    kept = [place.keep(one) for one in (mean, np.zeros((classes, d)), np.zeros((size, size)))]
    parts = list(blocks(n, max(1, min(ROWS_ON_GPU, NUMBERS_ON_GPU // max(classes, d)))))
    for part, block in zip(parts, points.each(parts), strict=True):
        place.apply(_add, block, members[part], *kept)
        for _ in range(-(-part.start // BLOCK_ROWS), -(-part.stop // BLOCK_ROWS)):
            on_block()
    moments, gram = place.compute(lambda *found: found, *kept[1:])
    return moments, gram


def _add(block: Any, members: Any, mean: Any, sums: Any, gram: Any) -> tuple[Any, ...]:
    centered = block - mean
    chosen = centered.new_zeros((len(sums), len(centered))).scatter_(0, members[None], 1.0)
    sums += chosen @ centered  # adding row by row has another order each time
    if len(gram):
        gram += centered.T @ centered
    return ()
