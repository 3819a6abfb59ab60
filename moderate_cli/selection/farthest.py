"""The strategy k-center: pick the farthest image again and again."""

from __future__ import annotations

import numpy as np

from moderate_cli.arrays import Doubles, Features, Points, Rows, blocks
from moderate_cli.selection.scaled import Scaled, rounding

# Images among which the next picks are sought, and the numbers that are computed with at once.
LEAST, MOST, BLOCK_NUMBERS = 16, 1024, 1 << 20


def k_center(points: Scaled, k: int) -> Rows:
    """Greedy k-center (Gonzalez, 1985; Sener and Savarese, ICLR 2018, Algorithm 1).

    Starts with the image nearest to the mean, then repeatedly picks the image that is farthest
    from its nearest picked image. The largest of these distances ends up at most twice the smallest
    possible for k images. Memory beside the features is O(n), unless images are equal, or so many
    are equally far that single precision decides nothing: then it is that of the features again, or
    of these in double precision.

    Distances only shrink as images are picked. So the next picks are among the images that are
    farthest now, as long as one of these is farther than all others were.

    Parameters
    ----------
    points
        (n, d), the features of one class.
    k
        Number to pick, at most n.

    Returns
    -------
    int64 (k,)
        Rows in the order picked; ties go to the first row. Of equal images, all but the first come
        last.

    Examples
    --------
    >>> k_center(Scaled(np.array([[0.0], [1.0], [2.0], [3.0], [9.0]])), 3)
    array([3, 4, 0])
    """
    rows = points.distinct()
    if len(rows) == len(points):
        return _pick(points, k, points.mean())
    # Rounding would tell equal images apart, each time in another way.
    picked = rows[_pick(points.part(rows), min(k, len(rows)), points.mean())]
    others = np.setdiff1d(np.arange(len(points)), picked)
    return np.concatenate([picked, others[: k - len(picked)]])


def _pick(points: Scaled, k: int, mean: Doubles) -> Rows:
    """Pick k images, no two of which are equal."""
    bounds = _Bounds(points, mean)
    picked = np.array([bounds.first])
    count = min(max(LEAST, k + k // 2), 4 * LEAST)
    while len(picked) < k:
        near, others = bounds.farthest(count)
        new = _pick_among(points, near, others, picked, k - len(picked))
        if not len(new) and count >= MOST:
            return _pick_one_by_one(points, picked, k)
        picked = np.concatenate([picked, new])
        if len(new) and len(picked) < k:
            bounds.lower(new)
        if not len(new) or len(new) >= count // 4:
            count = min(2 * count, MOST)
    return picked[:k]


class _Bounds:
    """Upper bounds of the squared distance of each image to its nearest picked image.

    They are computed in single precision, and rounding is added. The first picked image is the one
    nearest to the mean.
    """

    def __init__(self, points: Scaled, mean: Doubles) -> None:
        self._points, self._features, self._squares = points, points.single, points.squares
        epsilon = float(np.finfo(self._squares.dtype).eps)
        # Two squares and a product are rounded.
        self._error = 2 * rounding(self._features.shape[1]) * epsilon * points.largest
        self.first = self._most_central(mean)
        self._bounds = self._apart_from(self._features[self.first])  # -inf for a picked image
        self._bounds += self._squares[self.first] + self._error
        self._bounds[self.first] = -np.inf

    def _most_central(self, mean: Doubles) -> int:
        apart = self._apart_from(mean.astype(self._squares.dtype))
        best = int(apart.argmin())
        unsure, apart[best] = apart[best] + 2 * self._error, -np.inf
        near = np.flatnonzero(apart <= unsure)
        if len(near) == 1:
            return best
        rows = self._points.rows(near)
        return int(near[(np.vecdot(rows, rows) - 2 * (rows @ mean)).argmin()])

    def _apart_from(self, point: Features) -> Features:
        """Return the squared distance of each image to a point, without the square of the point."""
        apart: Features = self._features @ point
        apart *= -2
        apart += self._squares
        return apart

    def lower(self, picked: Rows) -> None:
        """Lower the bounds to the distances to images that are now picked."""
        chosen, squares, bounds = self._features[picked], self._squares, self._bounds
        added = squares[picked, None] + self._error
        for part in blocks(len(bounds), max(1, BLOCK_NUMBERS // len(picked))):
            apart = chosen @ self._features[part].T
            apart *= -2
            apart += added
            nearest = apart[0] if len(apart) == 1 else apart.min(axis=0)
            nearest += squares[part]
            np.minimum(bounds[part], nearest, out=bounds[part])
        bounds[picked] = -np.inf

    def farthest(self, count: int) -> tuple[Rows, float]:
        """Return the images with the highest bounds, ascending, and the highest of all others."""
        others = len(self._bounds) - count
        if others <= 0:
            return np.flatnonzero(self._bounds > -np.inf), -np.inf
        order = np.argpartition(self._bounds, others - 1)
        near = np.sort(order[others:])
        return near[self._bounds[near] > -np.inf], float(self._bounds[order[others - 1]])


def _pick_among(points: Scaled, near: Rows, others: float, picked: Rows, most: int) -> Rows:
    """Pick some of the images `near`, as long as they are farther than all others."""
    rows = points.rows(near)
    squares = np.vecdot(rows, rows)
    nearest = squares + _apart(rows, points.rows(picked[:MOST])).min(axis=1)
    for start in range(MOST, len(picked), MOST):
        before = _apart(rows, points.rows(picked[start : start + MOST]))
        np.minimum(nearest, squares + before.min(axis=1), out=nearest)
    apart = _apart(rows, rows)
    apart += squares[:, None]
    found: list[int] = []
    while len(found) < most:
        best = int(nearest.argmax())
        if not nearest[best] > others:
            break
        found.append(best)
        np.minimum(nearest, apart[best], out=nearest)
        nearest[best] = -np.inf
    return near[found]


def _apart(rows: Points, columns: Points) -> Points:
    """Return the squared distance of each row to each column, without the square of the row."""
    apart = rows @ columns.T
    apart *= -2
    apart += np.vecdot(columns, columns)
    return apart


def _pick_one_by_one(points: Scaled, picked: Rows, count: int) -> Rows:
    """Pick the images after those picked with the distances of all, which may be equal."""
    whole = points.whole()
    squares = np.vecdot(whole, whole)
    nearest, found = np.full(len(whole), np.inf), picked.tolist()
    for step in range(count):
        if step >= len(picked):
            found.append(int(nearest.argmax()))
        best = found[step]
        np.minimum(nearest, squares + (squares[best] - 2 * (whole @ whole[best])), out=nearest)
        nearest[best] = -np.inf
    return np.array(found)
