"""Scores: the distance of each image's feature to the center of its class.

Pure numpy: arrays in, arrays out. Features are read in blocks of rows, so a memory-mapped matrix
larger than memory is fine; all arithmetic is in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.errors import ArgumentError

Features = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.integer[Any]]
Rows = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

BLOCK_BYTES = 1 << 20  # a block of float64 rows that stays in the second-level cache
CLASS_BYTES = 1 << 28  # a class up to this size is held in memory while its center is sought


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

    def name(self, row: int) -> str:
        """The path of an image, or its row number where there are no paths."""
        return self.paths[row] if self.paths else str(row)

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
    rows = np.arange(len(labels)) if readable is None else np.flatnonzero(readable)
    classes = np.unique(labels[rows])
    indices = np.searchsorted(classes, labels)
    centers = CENTERS[center](features, rows, indices, len(classes))
    values = np.full(len(labels), np.nan)
    for block in _blocks(rows, features.shape[1]):
        values[block] = METRICS[metric](_take(features, block), centers[indices[block]])
    return values


def _mean_centers(features: Features, rows: Rows, indices: Rows, classes: int) -> Doubles:
    sums = np.zeros((classes, features.shape[1]))
    for block in _blocks(rows, features.shape[1]):
        order = block[np.argsort(indices[block], kind="stable")]
        present, starts = np.unique(indices[order], return_index=True)
        sums[present] += np.add.reduceat(_take(features, order), starts, axis=0)
    counts = np.bincount(indices[rows], minlength=classes)
    return sums / counts[:, None]


def _median_centers(features: Features, rows: Rows, indices: Rows, classes: int) -> Doubles:
    """Coordinate-wise median, as in the authors' released code."""
    centers = np.empty((classes, features.shape[1]))
    for index, members in _members(rows, indices, classes):
        low, high = (len(members) - 1) // 2, len(members) // 2
        width = max(1, CLASS_BYTES // (len(members) * features.itemsize))
        for start in range(0, features.shape[1], width):
            columns = slice(start, start + width)
            ordered = np.partition(features[members, columns], (low, high), axis=0)
            middle = ordered[[low, high]].astype(np.float64)
            centers[index, columns] = middle.mean(axis=0)
    return centers


def _geometric_median_centers(
    features: Features, rows: Rows, indices: Rows, classes: int
) -> Doubles:
    centers = _mean_centers(features, rows, indices, classes)
    for index, members in _members(rows, indices, classes):
        centers[index] = geometric_median(_passes(features, members), centers[index])
    return centers


def _passes(features: Features, members: Rows) -> Callable[[], Iterator[Doubles]]:
    """Return what yields the rows of a class, as often as it is called."""
    if len(members) * features.shape[1] * 8 <= CLASS_BYTES:
        held = _take(features, members)
        return lambda: iter([held])
    return lambda: (_take(features, block) for block in _blocks(members, features.shape[1]))


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


def _euclidean(features: Doubles, centers: Doubles) -> Doubles:
    difference = features - centers
    return np.sqrt(_dot(difference, difference))


def _cosine(features: Doubles, centers: Doubles) -> Doubles:
    """One minus the cosine; 1 where either vector is zero and has no direction."""
    product = _dot(features, centers)
    norms = np.sqrt(_dot(features, features) * _dot(centers, centers))
    cosine = np.divide(product, norms, out=np.zeros_like(product), where=norms > 0)
    return 1.0 - cosine.clip(-1.0, 1.0)


def _dot(one: Doubles, other: Doubles) -> Doubles:
    """Dot product row by row."""
    products: Doubles = np.einsum("ij,ij->i", one, other)
    return products


def _blocks(rows: Rows, width: int) -> Iterator[Rows]:
    step = max(1, BLOCK_BYTES // (8 * max(1, width)))
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def _take(features: Features, rows: Rows) -> Doubles:
    # A run of neighbors is sliced: on a memory-mapped matrix that reads without a copy.
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and np.all(np.diff(rows) == 1):
        return features[rows[0] : rows[-1] + 1].astype(np.float64)
    return features[rows].astype(np.float64)


def _members(rows: Rows, indices: Rows, classes: int) -> Iterator[tuple[int, Rows]]:
    order = rows[np.argsort(indices[rows], kind="stable")]
    bounds = np.searchsorted(indices[order], np.arange(classes + 1))
    for index in range(classes):
        yield index, order[bounds[index] : bounds[index + 1]]


CENTERS: dict[str, Callable[[Features, Rows, Rows, int], Doubles]] = {
    "mean": _mean_centers,
    "median": _median_centers,
    "geometric-median": _geometric_median_centers,
}
METRICS: dict[str, Callable[[Doubles, Doubles], Doubles]] = {
    "euclidean": _euclidean,
    "cosine": _cosine,
}
