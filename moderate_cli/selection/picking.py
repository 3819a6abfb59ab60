"""Pick images of one class by their features, in parts if the class is large."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from moderate_cli.arrays import (
    Doubles,
    Features,
    Points,
    Rows,
    Values,
    as_slice,
    copy_rows,
    scratch,
)
from moderate_cli.errors import ArgumentError
from moderate_cli.selection.counts import quotas
from moderate_cli.selection.scaled import Scaled
from moderate_cli.selection.strategies import Follow, Pick, Search

PicksFeatures = Pick | Search | Follow

# Larger classes are divided into parts. Matrices of all pairs of images grow with the square of
# their number, features with the number, and time with the number of picks times that of images.
PART_ROWS = 4096
PART_NUMBERS, PART_STEPS = PART_ROWS**2, PART_ROWS**2 // 2


def pick_from_class(
    pick: PicksFeatures, features: Features, rows: Rows, values: Values, k: int
) -> Rows:
    """Pick k images of one class.

    Parameters
    ----------
    pick
        Function of the strategy.
    features
        (n, d) of any float type; may be memory-mapped.
    rows
        int64 (m,), rows of the class, ascending.
    values
        (m,), their scores.
    k
        Number to pick, at most m.

    Returns
    -------
    int64 (k,), positions in `rows`.

    Raises
    ------
    ArgumentError
        With the first row that is not finite.
    """
    parts = number_of_parts(pick, len(rows), features.shape[1], k)
    if parts == 1:
        return _pick(pick, features, rows, values, k)[0]
    pieces = [np.arange(part, len(rows), parts) for part in range(parts)]
    sizes = np.array([len(piece) for piece in pieces])
    kept = []
    left: Doubles | None = None
    for piece, share in zip(pieces, quotas(sizes, k, np.zeros_like(sizes)).tolist(), strict=True):
        # Each part makes up for those before, as if the class were whole.
        picked, left_after = _pick(pick, features, rows[piece], values[piece], share, left)
        kept.append(piece[picked])
        left = left_after()
    return np.concatenate(kept)


def number_of_parts(pick: PicksFeatures, n: int, d: int, k: int) -> int:
    """Return the number of parts of a class."""
    if n <= PART_ROWS:
        return 1
    if isinstance(pick, Pick):
        return -(-n // PART_ROWS)
    return max(-(-n * d // PART_NUMBERS), math.ceil(math.sqrt(n * k / PART_STEPS)))


def _pick(
    pick: PicksFeatures,
    features: Features,
    rows: Rows,
    values: Values,
    k: int,
    left: Doubles | None = None,
) -> tuple[Rows, Callable[[], Doubles | None]]:
    """Pick from a part of a class; return the positions, and what the next part makes up for."""
    place = as_slice(rows)
    if isinstance(place, slice) and features.dtype in (np.float32, np.float64):
        own = np.asarray(features)[place]  # of which no copy is needed
    else:
        own = copy_rows(features, rows)
    if isinstance(pick, Pick):
        points = _doubles(own)
        _check_finite(float(np.vecdot(points, points).max()), own, rows)
        return pick.function(points, k, values), lambda: left
    scaled = Scaled(own)
    _check_finite(scaled.largest, own, rows)
    if isinstance(pick, Search):
        return pick.function(scaled, k), lambda: left
    picked = pick.function(scaled, k, left)
    return picked.rows, picked.left


def _check_finite(largest: float, points: Features, rows: Rows) -> None:
    """Refuse features that are not finite; `largest` is the largest of their squares."""
    if math.isfinite(largest):
        return
    bad = ~np.isfinite(points).all(axis=1)
    if bad.any():
        raise ArgumentError(
            f"features: row {rows[bad][0]} is not finite; set its score to NaN to leave it out"
        )


def _doubles(points: Features) -> Points:
    """Copy features to memory that this thread uses again."""
    copied = scratch("class", *points.shape)
    np.copyto(copied, points)
    return copied
