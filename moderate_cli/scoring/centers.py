"""Class centers, and the distance of each feature to its own.

A large class is read in blocks of rows, so a memory-mapped matrix may exceed memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import numpy as np

from moderate_cli.arrays import Doubles, Features, Rows, as_slice, blocks, release, scratch
from moderate_cli.threads import in_threads, processors, threads_for

BLOCK_BYTES = (
    1 << 22
)  # a block of float64 rows: larger ones leave the cache, smaller ones have overhead
STRIP_BYTES = 1 << 17  # a strip of columns that is transposed in the cache
HELD_BYTES = 1 << 28  # memory for classes, of all threads together
PASSES = 256  # multiplications of each number that take as long, at most

Blocks = Callable[[], Iterator[Doubles]]


def center_distances(
    features: Features, classes: list[Rows], center: str, metric: str
) -> list[Doubles]:
    """Compute the distance of each feature to its class center (Moderate Coreset, Eq. 1).

    Parameters
    ----------
    features
        (n, d) of any float type.
    classes
        Rows of each class, int64, ascending.
    center, metric
        Keys of `CENTERS` and `METRICS`.

    Returns
    -------
    float64 (m,) of each class.
    """
    find_center, distances = CENTERS[center], METRICS[metric]

    def score_class(points: _Points) -> Doubles:
        middle = find_center(points)
        return np.concatenate([distances(part, middle) for part in points.blocks()])

    return _each_class(features, classes, score_class)


def _each_class(
    features: Features, classes: list[Rows], work: Callable[[_Points], Doubles]
) -> list[Doubles]:
    """Apply `work` to each class, on all processors."""
    # At least a block, so that blocks are the same for any number of processors.
    budget = max(HELD_BYTES // processors(), BLOCK_BYTES)
    lent = threading.local()

    def take(members: Rows) -> Doubles:
        # Untouched pages take no memory; touched ones are reused for the next class.
        if not hasattr(lent, "memory"):
            lent.memory = np.empty(max(budget // 8, features.shape[1]))
        # Features that are too large give scores that are not finite, which are reported later.
        with np.errstate(invalid="ignore", over="ignore"):
            return work(_Points(features, members, lent.memory))

    # Classes are independent, and numpy releases the lock of the interpreter.
    numbers = features.shape[1] * sum(map(len, classes))
    return list(in_threads(take, classes, most=threads_for(PASSES * numbers)))


class _Points:
    """The features of one class, read only once if they fit into `memory`, (k,)."""

    def __init__(self, features: Features, members: Rows, memory: Doubles) -> None:
        n, d = self.shape = (len(members), features.shape[1])
        self._features = features
        self._rows = members
        self._step = max(1, min(BLOCK_BYTES // 8, memory.size) // max(1, d))
        self._fits = n * d <= memory.size
        rows = n if self._fits else self._step
        self._memory = memory[: rows * d].reshape(rows, d)
        self._budget = memory.nbytes
        self._held = False

    def blocks(self) -> Iterator[Doubles]:
        """Yield all rows in float64, in blocks; each block is valid until the next."""
        for part in blocks(len(self._rows), self._step):
            block = self._memory[part if self._fits else slice(part.stop - part.start)]
            if not self._held:
                np.copyto(block, self._features[as_slice(self._rows[part])])
                release(self._features)
            yield block
        self._held = self._fits

    def columns(self) -> Iterator[tuple[slice, Features]]:
        """Yield copies of all columns, in strips (columns, n) of the features' type."""
        n, d = self.shape
        size = n * self._features.itemsize
        width, narrow = max(1, self._budget // size), max(1, STRIP_BYTES // size)
        for wide in blocks(d, width):
            read = self._features[as_slice(self._rows), wide]
            for part in blocks(read.shape[1], narrow):
                # Copying a strip before transposing it takes a third of the time.
                strip = np.ascontiguousarray(read[:, part]).T.copy()
                yield slice(wide.start + part.start, wide.start + part.stop), strip
            release(self._features)


def _mean(points: _Points) -> Doubles:
    total = np.zeros(points.shape[1])
    for block in points.blocks():
        total += block.sum(axis=0)
    return total / points.shape[0]


def _median(points: _Points) -> Doubles:
    """Return the coordinate-wise median, as in the authors' released code."""
    n, d = points.shape
    middle, half = np.empty(d), n // 2
    for part, columns in points.columns():
        # Contiguous coordinates take a third of the time.
        columns.partition(half, axis=1)
        upper = columns[:, half].astype(np.float64)
        lower = upper if n % 2 else columns[:, :half].max(axis=1)
        middle[part] = (lower + upper) / 2
    return middle


def _geometric_median(points: _Points) -> Doubles:
    return geometric_median(points.blocks, _mean(points))


def geometric_median(
    blocks: Blocks,
    start: Doubles,
    *,
    tolerance: float = 1e-13,
    max_steps: int = 2000,
) -> Doubles:
    """Find the point with the smallest sum of Euclidean distances to the given points.

    Weiszfeld's iteration, with the step of Vardi and Zhang (PNAS 97(4), 2000, Eq. 2.6) if the
    estimate coincides with a point. If the minimum is not unique, as for two points, the result is
    the one that the iteration reaches from `start`.

    Parameters
    ----------
    blocks
        Called for each pass over the points; yields float64 arrays (m, d).
    start
        float64 (d,), the first estimate.
    tolerance
        Stop when a step is shorter than this fraction of the mean distance to the points.
    max_steps
        Maximum number of passes.

    Examples
    --------
    >>> points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> geometric_median(lambda: iter([points]), np.array([0.1, 0.4])).round(6)
    array([0.5, 0.5])
    """
    estimate = start
    for _ in range(max_steps):
        weighted, weights, on_point, distances, points = np.zeros_like(start), 0.0, 0, 0.0, 0
        for block in blocks():
            away = np.subtract(block, estimate, out=scratch("away", *block.shape))
            distance = np.sqrt(np.vecdot(away, away))
            weight = np.divide(1.0, distance, out=np.zeros_like(distance), where=distance > 0)
            weighted += weight @ block
            weights += weight.sum()
            on_point += len(block) - int(np.count_nonzero(distance))
            distances += distance.sum()
            points += len(block)
        if weights == 0:  # every point is the estimate
            return estimate
        target = weighted / weights
        if on_point:
            pull = float(np.linalg.norm(target - estimate)) * weights
            share = min(1.0, on_point / pull) if pull > 0 else 1.0
            target = (1 - share) * target + share * estimate
        # Not taking this last tiny step keeps the distances to two points, say, equal.
        if np.linalg.norm(target - estimate) <= tolerance * distances / points:
            break
        estimate = target
    return estimate


def _euclidean(block: Doubles, center: Doubles) -> Doubles:
    block -= center  # in place, because this is the last use of the block
    return np.sqrt(_dot(block, block))


def _cosine(block: Doubles, center: Doubles) -> Doubles:
    """Return one minus the cosine; 1 if either vector is zero and has no direction."""
    product = block @ center
    norms = np.sqrt(_dot(block, block) * (center @ center))
    cosine = np.divide(product, norms, out=np.zeros_like(product), where=norms > 0)
    return 1.0 - cosine.clip(-1.0, 1.0)


def _dot(one: Doubles, other: Doubles) -> Doubles:
    """Return the dot product of each row."""
    products: Doubles = np.vecdot(one, other)
    return products


CENTERS: dict[str, Callable[[_Points], Doubles]] = {
    "mean": _mean,
    "median": _median,
    "geometric-median": _geometric_median,
}
METRICS: dict[str, Callable[[Doubles, Doubles], Doubles]] = {
    "euclidean": _euclidean,
    "cosine": _cosine,
}
