"""The prototypes criterion: distance to the nearest cluster center, without labels."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from moderate_cli.arrays import Doubles, Features, Rows, blocks, directions, read_rows
from moderate_cli.threads import in_threads, one_blas_thread

BLOCK_ROWS = 4096
SAMPLE = 256  # images per cluster that suffice to find it
STEPS = 25


def prototype_distances(features: Features, rows: Rows, clusters: int, seed: int) -> Doubles:
    """Cosine distance to the nearest k-means center (Sorscher et al., NeurIPS 2022, Section 6).

    Parameters
    ----------
    features
        (n, d) of any float type.
    rows
        int64 (m,), rows to score, ascending.
    clusters
        Number of k-means centers; limited to the number of images.
    seed
        Random seed of the initial centers.

    Returns
    -------
    float64 (m,)
        One minus the cosine of the angle to the nearest center.
    """
    scores = np.empty(len(rows))
    for part, cosine in _cosines(features, rows, min(clusters, len(rows)), seed):
        scores[part] = 1.0 - cosine.max(axis=1).clip(-1.0, 1.0)
    return scores


@one_blas_thread()
def clusters_of(features: Features, rows: Rows, clusters: int, seed: int) -> Rows:
    """Return the index of the nearest k-means center, int64 (m,); see `prototype_distances`."""
    numbers = np.empty(len(rows), dtype=np.int64)
    for part, cosine in _cosines(features, rows, clusters, seed):
        numbers[part] = cosine.argmax(axis=1)
    return numbers


def _cosines(
    features: Features, rows: Rows, clusters: int, seed: int
) -> Iterator[tuple[slice, Doubles]]:
    """Yield blocks of images, and the cosine to each center, (b, clusters)."""
    centers = spherical_kmeans(features, rows, clusters, np.random.default_rng(seed))

    def of_block(part: slice) -> Doubles:
        found: Doubles = directions(read_rows(features, rows[part])) @ centers.T
        return found

    parts = list(blocks(len(rows), BLOCK_ROWS))
    yield from zip(parts, in_threads(of_block, parts), strict=True)


def spherical_kmeans(
    features: Features, rows: Rows, clusters: int, rng: np.random.Generator
) -> Doubles:
    """Cluster directions (Dhillon and Modha, 2001) of at most `SAMPLE` images per cluster.

    Returns
    -------
    float64 (clusters, d)
        Centers of length 1. An empty cluster is moved to the image that is farthest from its
        center.
    """
    size = min(len(rows), SAMPLE * clusters)
    sample = np.sort(rng.choice(rows, size, replace=False))
    points = directions(read_rows(features, sample))
    parts = list(blocks(size, BLOCK_ROWS))
    centers = points[rng.choice(size, clusters, replace=False)]
    for _ in range(STEPS):
        found = list(in_threads(partial(_nearest, points, centers), parts))
        nearest = np.concatenate([rows for rows, _ in found])
        counts = np.bincount(nearest, minlength=clusters)
        sums = np.zeros_like(centers)
        order = np.argsort(nearest, kind="stable")
        present = np.flatnonzero(counts)
        sums[present] = np.add.reduceat(
            points[order], (np.cumsum(counts) - counts)[present], axis=0
        )
        empty = np.flatnonzero(counts == 0)
        cosine = np.concatenate([highest for _, highest in found])
        farthest = np.argsort(cosine, kind="stable")[: len(empty)]
        sums[empty] = points[farthest]
        moved = directions(sums)
        if np.array_equal(moved, centers):
            break
        centers = moved
    return centers


def _nearest(points: Doubles, centers: Doubles, part: slice) -> tuple[Rows, Doubles]:
    """Return the nearest center of some points, int64 (b,), and the cosine to it, float64 (b,)."""
    cosine = points[part] @ centers.T
    return cosine.argmax(axis=1), cosine.max(axis=1)
