"""Pick images whose sum follows a target, step by step: the search behind matching and herding.

Each step picks i = argmax <theta, z_i> - cost_i of the remaining images; then target - z_i is added
to theta.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Doubles, Features, Points, Rows, blocks, scratch

# Products of all pairs of images take less time than those of the picked ones, if these are more
# than 1 / FEW of the images; and too much memory for more than MANY images.
FEW, MANY = 4, 4096
BLOCK_NUMBERS = 1 << 15  # that stay in the cache while they are computed with
SMALL = 1e-24  # squares of features from which on, or up to 1 / SMALL, single precision is used
EPSILON = float(np.finfo(np.float32).eps)


class Picked(NamedTuple):
    """The images picked from one part of a class.

    Attributes
    ----------
    rows
        int64 (k,), in the order picked; ties go to the first row.
    left
        float64 (d,), what the next part has to make up for: the targets of all steps so far, minus
        the picked features.
    """

    rows: Rows
    left: Doubles


class Scaled:
    """Features of one class, each times a scale, in double precision where it is asked for.

    Parameters
    ----------
    features
        (n, d), float32 or float64; may be memory-mapped.
    scales
        float64 (n,); None for 1.
    """

    def __init__(self, features: Features, scales: Doubles | None = None) -> None:
        self.features, self.scales = features, scales

    @classmethod
    def directions(cls, features: Features) -> Scaled:
        """Scale features to length 1; rows of zeros stay zeros."""
        lengths = np.sqrt(cls(features).squares)
        found = cls(features, np.divide(1, lengths, out=np.ones_like(lengths), where=lengths > 0))
        found.squares = (lengths > 0).astype(np.float64)
        return found

    def rows(self, rows: Rows) -> Points:
        """Return some rows, float64 (m, d)."""
        found: Points = self.features[rows].astype(np.float64)
        return found if self.scales is None else found * self.scales[rows, None]

    def row(self, row: int) -> Doubles:
        """Return one row, float64 (d,)."""
        found: Doubles = self.features[row].astype(np.float64)
        return found if self.scales is None else found * self.scales[row]

    def blocks(self) -> Iterator[Points]:
        """Yield all rows in blocks, each valid until the next."""
        n, d = self.features.shape
        step = max(1, BLOCK_NUMBERS // d)
        memory = scratch("block", min(n, step), d)
        for part in blocks(n, step):
            block = memory[: part.stop - part.start]
            np.copyto(block, self.features[part])
            if self.scales is not None:
                block *= self.scales[part, None]
            yield block

    @cached_property
    def single(self) -> Features:
        """The features without their scales, in single precision unless they do not fit it."""
        squares = self.squares.max() if self.scales is None else 1 / self.scales.min() ** 2
        fits = SMALL < squares < 1 / SMALL
        return self.features.astype(np.float32 if fits else np.float64, copy=False)

    @cached_property
    def mean(self) -> Doubles:
        """The mean, float64 (d,)."""
        total = np.zeros(self.features.shape[1])
        for block in self.blocks():
            total += block.sum(axis=0)
        return total / len(self.features)

    @cached_property
    def squares(self) -> Doubles:
        """Squared lengths, float64 (n,)."""
        return np.concatenate([np.vecdot(block, block) for block in self.blocks()])


def follow(
    points: Scaled, target: Doubles, k: int, left: Doubles | float, cost: Doubles | float = 0.0
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
        float64 (d,), from the part before, which is added to the start; 0 for the first part.
    cost
        float64 (n,), by which an image is less preferred.
    """
    n = len(points.features)
    pick = _pick_few if k <= n // FEW or n > MANY else _pick_many
    picked = pick(points, target, k, left + target, np.zeros(n) + cost)
    return Picked(picked, left + k * target - points.rows(picked).sum(axis=0))


def _pick_many(points: Scaled, target: Doubles, k: int, theta: Doubles, cost: Doubles) -> Rows:
    """Pick with the products of all pairs, (n, n), of which each step adds one row."""
    whole = points.rows(np.arange(len(cost)))
    pull = whole @ target
    standing = whole @ theta - cost
    products = whole @ whole.T
    picked = np.empty(k, dtype=np.int64)
    for step in range(k):
        best = picked[step] = standing.argmax()
        standing += pull
        standing -= products[best]
        standing[best] = -np.inf
    return picked


def _pick_few(points: Scaled, target: Doubles, k: int, theta: Doubles, cost: Doubles) -> Rows:
    """Pick with products with theta in single precision, which takes half the time, and no memory.

    Where rounding could decide, the products are computed in double precision.
    """
    features, longest = points.single, math.sqrt(points.squares.max())
    kind = features.dtype
    paid, scales = cost.astype(kind), None
    if points.scales is not None:
        scales = points.scales.astype(kind)
    # Bounds of the rounding of a product, and of its difference to a cost, for two images.
    rounding = 2 * (features.shape[1] + 8) * EPSILON * longest
    apart = 4 * EPSILON * float(np.abs(cost).max(initial=0))
    picked = np.empty(k, dtype=np.int64)
    for step in range(k):
        standing = features @ theta.astype(kind)
        if scales is not None:
            standing *= scales
        standing -= paid
        best = int(standing.argmax())
        top, standing[best] = float(standing[best]), -np.inf
        unsure = top - rounding * math.sqrt(theta @ theta) - apart
        if standing.max() >= unsure:
            near = np.sort(np.append(np.flatnonzero(standing >= unsure), best))
            best = int(near[(np.vecdot(points.rows(near), theta) - cost[near]).argmax()])
        picked[step] = best
        paid[best] = np.inf
        theta = theta + target - points.row(best)
    return picked
