"""Rows of a feature matrix that may lie on disk and be larger than memory."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.floating[Any]]
Rows = npt.NDArray[np.int64]

# Rows read before their pages are handed back: the system maps up to 2 MB around each of them.
SCATTERED = 128


def read_rows(features: Features, rows: Rows) -> npt.NDArray[np.float64]:
    """Copy rows, given in ascending order, to memory: float64 (m, d)."""
    place = as_slice(rows)
    if isinstance(place, slice):
        copied = features[place].astype(np.float64)
        release(features)
        return copied
    copied = np.empty((len(rows), features.shape[1]))
    for start in range(0, len(rows), SCATTERED):
        copied[start : start + SCATTERED] = features[rows[start : start + SCATTERED]]
        release(features)
    return copied


def directions(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Scale rows (m, d) to length 1; a row of zeros, which has no direction, stays."""
    norms = np.linalg.norm(points, axis=1, keepdims=True)
    scaled: npt.NDArray[np.float64] = np.divide(
        points, norms, out=np.zeros_like(points), where=norms > 0
    )
    return scaled


def as_slice(rows: Rows) -> Rows | slice:
    """Return neighboring rows as a slice: on a memory-mapped matrix that reads without a copy."""
    if rows[-1] - rows[0] == len(rows) - 1:
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def release(features: Features) -> None:
    """Hand mapped pages back, which count as memory of this process once they were read."""
    mapped = getattr(features, "_mmap", None)
    if isinstance(mapped, mmap.mmap) and getattr(features, "mode", None) == "r":
        mapped.madvise(mmap.MADV_DONTNEED)
