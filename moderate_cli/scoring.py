"""Scores: the distance of each image's feature to the center of its class.

Pure numpy: arrays in, arrays out. One class after another is read, in blocks of rows, so a
memory-mapped matrix larger than memory is fine; all arithmetic is in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.errors import ArgumentError
from moderate_cli.processors import processors

Features = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.integer[Any]]
Rows = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

BLOCK_BYTES = 1 << 21  # a block of float64 rows that stays in the processor's cache
CLASS_BYTES = 1 << 27  # as much of a class is held in memory while its center is sought


@dataclass(frozen=True)
class Scores:
    """A score for each image, in row order.

    Attributes
    ----------
    values
        float64 (n,); NaN marks an image that cannot be read, which is never kept.
    labels
        int64 (n,), the class index of each image.
    classes
        Class names by index; empty if the scores come from plain arrays.
    paths
        Path of each image relative to the dataset; empty if the scores come from plain arrays.
    """

    values: Doubles
    labels: npt.NDArray[np.int64]
    classes: Sequence[str] = ()
    paths: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.values)

    def names(self, rows: Rows) -> list[str]:
        """Paths of images, or their row numbers where there are no paths."""
        numbers = rows.tolist()
        return [self.paths[row] for row in numbers] if self.paths else list(map(str, numbers))

    def class_name(self, label: int) -> str:
        """The name of a class, or its index where there are no names."""
        return self.classes[label] if self.classes else str(label)


def score_features(
    features: Features,
    labels: Labels,
    *,
    center: str = "mean",
    metric: str = "euclidean",
    readable: npt.NDArray[np.bool_] | None = None,
) -> Doubles:
    """Distance of each feature to its class center (Moderate Coreset, Section 3.2, Eq. 1).

    Parameters
    ----------
    features
        (n, d) of any float type.
    labels
        (n,) class of each row; any integers, gaps allowed.
    center
        A key of `CENTERS`.
    metric
        A key of `METRICS`.
    readable
        bool (n,); rows that are False belong to no class and score NaN.

    Returns
    -------
    float64 (n,)

    Examples
    --------
    >>> features = np.array([[0.0, 0.0], [2.0, 0.0], [7.0, 7.0]])
    >>> score_features(features, np.array([4, 4, 9]))
    array([1., 1., 0.])
    """
    if center not in CENTERS:
        raise ArgumentError(f"center: {center!r} is none of {', '.join(CENTERS)}")
    if metric not in METRICS:
        raise ArgumentError(f"metric: {metric!r} is none of {', '.join(METRICS)}")
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ArgumentError(f"features {features.shape} and labels {labels.shape} do not match")
    find_center, distances = CENTERS[center], METRICS[metric]
    values = np.full(len(labels), np.nan)

    def score_class(members: Rows) -> None:
        middle = find_center(features, members)
        scored = [distances(block, middle) for block in _blocks(features, members)]
        values[members] = np.concatenate(scored)

    rows = np.arange(len(labels)) if readable is None else np.flatnonzero(readable)
    with ThreadPoolExecutor(processors()) as pool:
        # Classes do not depend on each other, and numpy lets other threads run meanwhile.
        for _ in pool.map(score_class, _classes(rows, labels)):
            pass
    return values


def _mean(features: Features, members: Rows) -> Doubles:
    total = np.zeros(features.shape[1])
    for block in _blocks(features, members):
        total += block.sum(axis=0)
    return total / len(members)


def _median(features: Features, members: Rows) -> Doubles:
    """Coordinate-wise median, as in the authors' released code."""
    middle = np.empty(features.shape[1])
    half = len(members) // 2
    width = max(1, CLASS_BYTES // (len(members) * features.itemsize))
    for start in range(0, features.shape[1], width):
        columns = slice(start, start + width)
        # Sorted along memory, one coordinate after another, it takes a third of the time.
        block = np.array(features[_slice(members), columns].T, order="C")
        block.partition(half, axis=1)
        upper = block[:, half].astype(np.float64)
        lower = upper if len(members) % 2 else block[:, :half].max(axis=1)
        middle[columns] = (lower + upper) / 2
    return middle


def _geometric_median(features: Features, members: Rows) -> Doubles:
    start = _mean(features, members)
    if len(members) * features.shape[1] * 8 <= CLASS_BYTES:
        held = features[_slice(members)].astype(np.float64)
        return geometric_median(lambda: iter([held]), start)
    return geometric_median(lambda: _blocks(features, members), start)


def geometric_median(
    blocks: Callable[[], Iterator[Doubles]],
    start: Doubles,
    *,
    tolerance: float = 1e-13,
    max_steps: int = 2000,
) -> Doubles:
    """Point with the smallest sum of Euclidean distances to the given points.

    Weiszfeld's iteration with the step of Vardi and Zhang (PNAS 97(4), 2000, Eq. 2.6) where the
    estimate falls on a point. Where the minimum is not unique, as between two points, it is the
    one that the iteration reaches from `start`.

    Parameters
    ----------
    blocks
        Called for each pass over the points; yields float64 arrays (m, d).
    start
        float64 (d,), the first estimate.
    tolerance
        Stop when a step is shorter than this fraction of the mean distance to the points.
    max_steps
        Stop after so many passes.

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
            distance = np.linalg.norm(block - estimate, axis=1)
            apart = distance > 0
            weight = 1.0 / distance[apart]
            weighted += weight @ block[apart]
            weights += weight.sum()
            on_point += len(block) - int(np.count_nonzero(apart))
            distances += distance.sum()
            points += len(block)
        if weights == 0:  # every point is the estimate
            return estimate
        target = weighted / weights
        if on_point:
            pull = float(np.linalg.norm(target - estimate)) * weights
            share = min(1.0, on_point / pull) if pull > 0 else 1.0
            target = (1 - share) * target + share * estimate
        step = np.linalg.norm(target - estimate)
        estimate = target
        if step <= tolerance * distances / points:
            break
    return estimate


def _euclidean(block: Doubles, center: Doubles) -> Doubles:
    block -= center  # the block is a scratch copy
    return np.sqrt(_dot(block, block))


def _cosine(block: Doubles, center: Doubles) -> Doubles:
    """One minus the cosine; 1 where either vector is zero and has no direction."""
    product = block @ center
    norms = np.sqrt(_dot(block, block) * (center @ center))
    cosine = np.divide(product, norms, out=np.zeros_like(product), where=norms > 0)
    return 1.0 - cosine.clip(-1.0, 1.0)


def _dot(one: Doubles, other: Doubles) -> Doubles:
    """Dot product row by row."""
    products: Doubles = np.einsum("ij,ij->i", one, other)
    return products


def _classes(rows: Rows, labels: Labels) -> list[Rows]:
    """Rows of each class, in ascending order."""
    order = rows[np.argsort(labels[rows], kind="stable")]
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(order) else []


def _blocks(features: Features, members: Rows) -> Iterator[Doubles]:
    """Yield the rows of a class as float64, in a scratch array that the next block overwrites."""
    step = max(1, BLOCK_BYTES // (8 * max(1, features.shape[1])))
    scratch = np.empty((min(step, len(members)), features.shape[1]))
    for start in range(0, len(members), step):
        part = features[_slice(members[start : start + step])]
        block = scratch[: len(part)]
        np.copyto(block, part)
        yield block


def _slice(members: Rows) -> Rows | slice:
    """Return neighboring rows as a slice: on a memory-mapped matrix that reads without a copy."""
    if members[-1] - members[0] == len(members) - 1:
        return slice(int(members[0]), int(members[-1]) + 1)
    return members


CENTERS: dict[str, Callable[[Features, Rows], Doubles]] = {
    "mean": _mean,
    "median": _median,
    "geometric-median": _geometric_median,
}
METRICS: dict[str, Callable[[Doubles, Doubles], Doubles]] = {
    "euclidean": _euclidean,
    "cosine": _cosine,
}
