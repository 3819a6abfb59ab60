"""Strategies that cover a class: k-center and facility-location."""

from __future__ import annotations

import numpy as np

from moderate_cli.arrays import Doubles, Points, Rows

DIGITS = 9  # decimals of a gain that are compared
# Images whose products are computed together, because the next picks are among them; and numbers
# from which on features do not stay in the cache of a processor.
LIKELY, LARGE = 16, 1 << 18


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
    products = _Products(points)
    picked = np.empty(k, dtype=np.int64)
    for step in range(k):
        picked[step] = best
        product = products.of(best, nearest, k - step)
        np.minimum(nearest, squares + (squares[best] - 2 * product), out=nearest)
        nearest[best] = -np.inf
        best = int(np.argmax(nearest))
    return picked


class _Products:
    """Products of all points with one of them, for several likely ones at once.

    The farthest images mostly stay so. Features that do not fit into the cache of a processor are
    then read once for all of these products.
    """

    def __init__(self, points: Points) -> None:
        self._points = points
        self._likely, self._found = np.empty(0, dtype=np.int64), np.empty((0, len(points)))

    def of(self, row: int, nearest: Doubles, left: int) -> Doubles:
        """Return the products with a row, (n,); `left` is the number of rows still to ask for."""
        points = self._points
        if points.size < LARGE or np.isinf(nearest[row]):
            return np.asarray(points @ points[row])
        if row not in self._likely:
            count = min(LIKELY, left)
            likely = np.argpartition(nearest, -count)[-count:]
            self._likely = np.append(row, likely[likely != row][: count - 1])
            self._found = points[self._likely] @ points.T
        found: Doubles = self._found[np.argmax(self._likely == row)]
        return found


def facility_location(points: Points, k: int) -> Rows:
    """Greedy facility location (Nemhauser et al., 1978), by lazy evaluation (Minoux, 1978).

    Each step adds the image that increases sum_i max_j s(i, j) most, where j are the picked images
    and s is one plus the cosine similarity. The result is within 1 - 1/e of the optimum.

    Parameters and result as of `k_center`.

    >>> facility_location(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]]), 2)
    array([1, 2])
    """
    similarity = points @ points.T
    lengths = np.sqrt(similarity.diagonal())
    inverse = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    similarity *= inverse
    similarity *= inverse[:, None]
    similarity += 1
    reached = np.zeros(len(points))  # similarity of each image to its nearest picked image
    # The gain of an image only shrinks as others are picked, so an old gain is an upper bound. Two
    # images that are nearest to each other have equal gains; rounding gives such ties to the first.
    bounds = similarity.sum(axis=1).round(DIGITS)
    picked = np.empty(k, dtype=np.int64)
    stale, count = np.zeros(len(points), dtype=np.bool_), 1
    for step in range(k):
        count = max(1, count // 4)
        while stale[best := int(bounds.argmax())]:
            # As many bounds together as the step before needed, more if that decides nothing.
            old = np.flatnonzero(stale)
            if count < len(old):
                old = old[np.argpartition(bounds[old], -count)[-count:]]
            gain = np.maximum(similarity[old] - reached, 0).sum(axis=1)
            bounds[old] = gain.round(DIGITS)
            stale[old] = False
            count *= 2
        picked[step] = best
        np.maximum(reached, similarity[best], out=reached)
        bounds[best] = -np.inf
        stale = bounds > -np.inf
    return picked
