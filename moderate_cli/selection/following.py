"""Pick images whose sum follows a target, step by step: the search behind matching and herding.

Each step picks i = argmax <theta, z_i> - cost_i of the remaining images; then target - z_i is added
to theta. The cost is half the squared length, or nothing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Doubles, Rows
from moderate_cli.selection.scaled import Scaled, rounding

# Products of all pairs of images take less time than those of the picked ones, if these are more
# than 1 / FEW of the images; and too much memory for more than MANY images.
FEW, MANY = 4, 4096
CLOSE = 16  # images from which on computing all values anew may leave fewer of them


class Picked(NamedTuple):
    """The images picked from one part of a class.

    Attributes
    ----------
    rows
        int64 (k,), in the order picked; ties go to the first row.
    points
        The part, (n, d).
    target
        float64 (d,), that of each step.
    before
        What the part before left; None for the first part.
    """

    rows: Rows
    points: Scaled
    target: Doubles
    before: Doubles | None

    def left(self) -> Doubles:
        """What the next part has to make up for, float64 (d,): what is due but not picked."""
        due = len(self.rows) * self.target + (0.0 if self.before is None else self.before)
        missing: Doubles = due - self.points.rows(self.rows).sum(axis=0)
        return missing


def follow(
    points: Scaled, target: Doubles, k: int, left: Doubles | None, costly: bool = False
) -> Picked:
    """Pick k images; ties go to the first row.

    Parameters
    ----------
    points
        Features of one class or a part of it, (n, d).
    target
        float64 (d,), by which theta grows with each step, and its start.
    k
        Number to pick, at most n.
    left
        float64 (d,), from the part before, which is added to the start; None for the first part.
    costly
        Whether an image costs half its squared length.
    """
    n = len(points)
    pick = _pick_few if k <= n // FEW or n > MANY else _pick_many
    picked = pick(points, target, k, target if left is None else left + target, costly)
    return Picked(picked, points, target, left)


def _pick_many(points: Scaled, target: Doubles, k: int, theta: Doubles, costly: bool) -> Rows:
    """Pick with the products of all pairs, (n, n), of which each step adds one row."""
    whole = points.whole()
    pull = whole @ target
    products = whole @ whole.T
    standing = whole @ theta
    if costly:
        standing -= np.vecdot(whole, whole) / 2
    firsts = points.firsts()
    if not np.array_equal(firsts, np.arange(len(points))):
        # BLAS rounds by the place of a row, too, so that another than the first could be picked.
        pull, standing, products = pull[firsts], standing[firsts], products[:, firsts]
    picked = np.empty(k, dtype=np.int64)
    for step in range(k):
        best = picked[step] = standing.argmax()
        standing += pull
        standing -= products[best]
        standing[best] = -np.inf
    return picked


def _pick_few(points: Scaled, target: Doubles, k: int, theta: Doubles, costly: bool) -> Rows:
    """Pick with the products of the picked images, which takes no memory."""
    picked = _Standing(points, target, theta, costly).pick(k) if k else []
    return np.array(picked, dtype=np.int64)


class _Standing:
    """<theta, z_i> - cost_i of each image in single precision, and how far rounding may move it.

    Where that could decide, the best images are compared in double precision.
    """

    def __init__(self, points: Scaled, target: Doubles, theta: Doubles, costly: bool) -> None:
        self._points, self._target, self._theta, self._costly = points, target, theta, costly
        self._features, self._scales = points.single, points.scales
        self._costs = points.squares / 2 if costly else np.zeros_like(points.squares)
        self._product = np.empty_like(self._costs)
        self._added: list[int] = []  # images picked since theta was computed
        self._epsilon = float(np.finfo(self._costs.dtype).eps)
        self._rate = rounding(len(target)) * self._epsilon
        self._longest = math.sqrt(points.largest)
        self._step = self._longest * (_length(target) + self._longest)
        self._unsure = 0.0
        self._compute()

    def pick(self, k: int) -> list[int]:
        """Pick k images; add the target to theta after each, and subtract the image."""
        features, scales, product = self._features, self._scales, self._product
        target = self._target.astype(features.dtype)
        picked: list[int] = []
        while True:
            values = self._values
            best = int(values.argmax())
            top, values[best] = values[best], -np.inf
            if not values[values.argmax()] < top - self._unsure:
                values[best] = top
                best = self._decide()
                values = self._values
            picked.append(best)
            if len(picked) == k:
                return picked
            self._added.append(best)
            image = features[best] if scales is None else features[best] * scales[best]
            np.dot(features, image - target, out=product)
            if scales is not None:
                product *= scales
            values -= product
            # Products are rounded independently of each other; the target and the sum, the same
            # way in the worst case.
            self._steps += 1
            self._size += self._step
            self._drift += 3 * self._epsilon * self._size
            self._unsure = self._rate * (self._begun + self._step * math.sqrt(self._steps))
            self._unsure += self._drift

    def _decide(self) -> int:
        """Return the best image by the exact theta."""
        if self._added:
            taken = self._points.rows(np.array(self._added)).sum(axis=0)
            self._theta = self._theta + len(self._added) * self._target - taken
            self._added = []
            self._size = self._longest * (_length(self._theta) + self._longest)
        near = self._near()
        if len(near) > CLOSE:
            picked = self._values == -np.inf
            self._compute()
            self._values[picked] = -np.inf
            near = self._near()
        if len(near) > 1:
            rows = self._points.rows(near)
            exact = np.vecdot(rows, self._theta)
            if self._costly:
                exact -= np.vecdot(rows, rows) / 2
            near = near[[exact.argmax()]]
        self._values[near] = -np.inf
        return int(near[0])

    def _near(self) -> Rows:
        """Return the images that may be the best."""
        return np.flatnonzero(self._values >= self._values.max() - self._unsure)

    def _compute(self) -> None:
        """Compute all values, and bounds of a value and of the error of a difference of two."""
        self._values = self._features @ self._theta.astype(self._costs.dtype)
        if self._scales is not None:
            self._values *= self._scales
        self._values -= self._costs
        self._size = self._begun = self._longest * (_length(self._theta) + self._longest)
        self._steps, self._drift = 0, 0.0
        self._unsure = self._rate * self._begun


def _length(vector: Doubles) -> float:
    return math.sqrt(vector @ vector)
