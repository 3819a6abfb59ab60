"""The features of one class: searched in single precision, decided by in double."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator

import numpy as np

from moderate_cli.arrays import Doubles, Features, Points, Rows, Values, blocks, scratch

BLOCK_NUMBERS = 1 << 16  # that stay in the cache while they are computed with
MEAN_ROWS = 256  # few enough that their sum loses no digit that matters
SMALL = 1e-24  # squares of features from which on, or up to 1 / SMALL, single precision is used


def rounding(d: int) -> float:
    """Return a bound of the rounding of a product of two vectors of length 1.

    It is in units of epsilon, and for the difference of two products. The d terms are rounded, as
    are some steps after that. Rounding errors do not all go one way: a bound of 8 times the square
    root of their number is broken with a probability of 1e-11 (Higham and Mary, SIAM J. Sci.
    Comput. 41(5), 2019).
    """
    return min(d, 8 * math.sqrt(d)) + 8


class Scaled:
    """Features of one class, as they are or scaled to length 1.

    Parameters
    ----------
    features
        (n, d), float32 or float64; may be memory-mapped.

    Attributes
    ----------
    single
        (n, d), the features before scaling, in single precision unless they do not fit it.
    scales
        (n,), what to multiply them by, in the same precision; None for 1.
    squares
        (n,), squared lengths after scaling, in the same precision.
    largest
        The largest of these.
    """

    def __init__(self, features: Features) -> None:
        self._features = features
        self._scales: Doubles | None = None
        self.scales: Features | None = None
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.vecdot(features, features)
            fits = SMALL < squares.max() < 1 / SMALL
            self.single: Features = features.astype(np.float32 if fits else np.float64, copy=False)
            if not fits:
                squares = np.vecdot(self.single, self.single)
        self.squares: Features = squares.astype(self.single.dtype, copy=False)
        self.largest = float(self.squares.max())

    def directions(self) -> Scaled:
        """Return the features scaled to length 1; rows of zeros stay zeros."""
        found = copy.copy(self)
        squares = np.concatenate([np.vecdot(block, block) for block in self.blocks()])
        found._scales = 1 / np.sqrt(np.where(squares > 0, squares, 1.0))
        found.scales = found._scales.astype(self.single.dtype)
        found.squares = (squares > 0).astype(self.single.dtype)
        found.largest = float(found.squares.max())
        return found

    def __len__(self) -> int:
        return len(self._features)

    def distinct(self) -> Rows:
        """Return the rows that equal no earlier one, int64 (m,), ascending."""
        return np.flatnonzero(self.firsts() == np.arange(len(self)))

    def firsts(self) -> Rows:
        """Return the first row that equals each row, int64 (n,)."""
        n, d = self.single.shape
        firsts = np.arange(n)
        # Equal rows have the same length and product with a vector; others hardly ever have both.
        alike = _repeated(self.squares)
        if not len(alike):
            return firsts
        waves = np.sin(np.arange(1, d + 1)).astype(self.single.dtype)
        alike = alike[_repeated(np.vecdot(self.single[alike], waves))]
        seen: dict[bytes, int] = {}
        for row in alike.tolist():
            content = (self._features[row] + 0.0).tobytes()  # -0.0 becomes 0.0, which equals it
            firsts[row] = seen.setdefault(content, row)
        return firsts

    def part(self, rows: Rows) -> Scaled:
        """Return some rows as they are."""
        return Scaled(self._features[rows])

    def rows(self, rows: Rows) -> Points:
        """Return some rows, float64 (m, d)."""
        found: Points = self._features.take(rows, axis=0).astype(np.float64)
        if self._scales is not None:
            found *= self._scales[rows, None]
        return found

    def whole(self) -> Points:
        """Return all rows, float64 (n, d)."""
        found: Points = self._features.astype(np.float64)
        if self._scales is not None:
            found *= self._scales[:, None]
        return found

    def blocks(self) -> Iterator[Points]:
        """Yield all rows in blocks, float64 (m, d), each valid until the next."""
        n, d = self._features.shape
        step = max(1, BLOCK_NUMBERS // d)
        memory = scratch("block", min(n, step), d)
        for part in blocks(n, step):
            block = memory[: part.stop - part.start]
            np.copyto(block, self._features[part])
            if self._scales is not None:
                block *= self._scales[part, None]
            yield block

    def mean(self) -> Doubles:
        """Return the mean, float64 (d,), of sums of some rows in the precision of `single`."""
        weights = np.ones_like(self.squares) if self.scales is None else self.scales
        total: Doubles = np.zeros(self.single.shape[1])
        for part in blocks(len(self), MEAN_ROWS):
            total += weights[part] @ self.single[part]
        total /= len(self)
        return total


def _repeated(values: Values) -> Rows:
    """Return the positions of values that are there more than once, ascending."""
    ordered = np.sort(values)
    same = ordered[1:] == ordered[:-1]
    return np.flatnonzero(np.isin(values, ordered[1:][same])) if same.any() else np.arange(0)
