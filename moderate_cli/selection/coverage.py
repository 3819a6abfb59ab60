"""Strategies that cover a class: k-center and facility-location."""

from __future__ import annotations

import heapq

import numpy as np

from moderate_cli.arrays import Points, Rows, directions

DIGITS = 9  # decimals of a gain that are compared


def k_center(points: Points, k: int) -> Rows:
    """Greedy k-center (Gonzalez, 1985; Sener and Savarese, ICLR 2018, Algorithm 1).

    Starts with the image nearest to the mean, then repeatedly picks the image that is farthest
    from its nearest picked image. The largest of these distances ends up at most twice the smallest
    possible for k images. Memory beside the points is O(n).

    Parameters
    ----------
    points
        float64 (n, d), the features of one class.
    k
        Number to pick, at most n.

    Returns
    -------
    int64 (k,)
        Rows in the order picked; ties go to the first row.

    Examples
    --------
    >>> k_center(np.array([[0.0], [1.0], [2.0], [3.0], [9.0]]), 3)
    array([3, 4, 0])
    """
    squares = np.vecdot(points, points)
    best = int(np.argmin(squares - 2 * (points @ points.mean(axis=0))))
    nearest = np.full(len(points), np.inf)  # squared distance to the nearest picked image
    picked = np.empty(k, dtype=np.int64)
    for step in range(k):
        picked[step] = best
        np.minimum(nearest, squares + (squares[best] - 2 * (points @ points[best])), out=nearest)
        nearest[best] = -np.inf
        best = int(np.argmax(nearest))
    return picked


def facility_location(points: Points, k: int) -> Rows:
    """Greedy facility location (Nemhauser et al., 1978), by lazy evaluation (Minoux, 1978).

    Each step adds the image that increases sum_i max_j s(i, j) most, where j are the picked images
    and s is one plus the cosine similarity. The result is within 1 - 1/e of the optimum.

    Parameters and result as of `k_center`.

    >>> facility_location(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]]), 2)
    array([1, 2])
    """
    similarity = 1 + (unit := directions(points)) @ unit.T
    reached = np.zeros(len(points))  # similarity of each image to its nearest picked image
    # The gain of an image only shrinks as others are picked, so an old gain is an upper bound. Two
    # images that are nearest to each other have equal gains; rounding gives such ties to the first.
    gains = similarity.sum(axis=1).round(DIGITS).tolist()
    bounds = [(-gain, row, 0) for row, gain in enumerate(gains)]
    heapq.heapify(bounds)
    picked: list[int] = []
    while len(picked) < k:
        _, row, step = heapq.heappop(bounds)
        if step == len(picked):
            picked.append(row)
            np.maximum(reached, similarity[row], out=reached)
        else:
            gain = round(float(np.maximum(similarity[row] - reached, 0).sum()), DIGITS)
            heapq.heappush(bounds, (-gain, row, len(picked)))
    return np.array(picked, dtype=np.int64)
