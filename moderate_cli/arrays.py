"""Types of arrays, and reading of features in blocks, because they may exceed memory."""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]  # (n,), a subset of the images
Rows = npt.NDArray[np.int64]  # (m,), row numbers of images, or positions
Counts = npt.NDArray[np.int64]  # (c,), number of images per class
Labels = npt.NDArray[np.integer[Any]]  # (n,), class index of each image
Features = npt.NDArray[np.floating[Any]]  # (n, d), may be memory-mapped
Points = npt.NDArray[np.float64]  # (n, d), features in memory
Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Values = npt.NDArray[Any]
Stats = npt.NDArray[np.int64]  # (n, 4), size, times and inode of each file; -1 if unknown
Digests = npt.NDArray[np.uint8]  # (n, 16), BLAKE2b of the bytes of each file
Orientations = npt.NDArray[np.uint8]  # (n,), tag of each image's EXIF orientation; 0 if unknown
UPRIGHT = 1  # its tag for an image that is not to be turned

# Rows to read before releasing their pages: the system maps up to 2 MB around each.
SCATTERED = 128
LEAST_SQUARE = 1e-280  # of a length; smaller ones lose digits

_lent = threading.local()


def blocks(n: int, size: int) -> Iterator[slice]:
    """Yield slices of `size` rows that cover 0..n; the last may be smaller.

    >>> list(blocks(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def oversized(labels: Labels) -> str:
    """Say which label is too large for int64, in which it would be another; "" if none is.

    >>> oversized(np.array([7, 2**63], dtype=np.uint64))
    '9223372036854775808 is larger than int64 can be; number the classes from 0'
    """
    largest = int(labels.max(initial=0))
    if largest <= np.iinfo(np.int64).max:
        return ""
    return f"{largest} is larger than int64 can be; number the classes from 0"


def read_rows(features: Features, rows: Rows) -> Points:
    """Copy rows, in ascending order, to memory: float64 (m, d)."""
    with np.errstate(invalid="ignore"):  # a signaling NaN, as in a damaged file, is a NaN
        return copy_rows(features, rows).astype(np.float64, copy=False)


def copy_rows(features: Features, rows: Rows, dtype: npt.DTypeLike | None = None) -> Features:
    """Copy rows, in ascending order, to memory, as a type; half precision as float32: (m, d).

    Numpy computes in single precision, and goes from it to double, much faster than from half.
    """
    if dtype is None:
        dtype = np.float32 if features.dtype == np.float16 else features.dtype
    place = as_slice(rows)
    if isinstance(place, slice):
        with np.errstate(invalid="ignore"):
            copied = np.array(features[place], dtype=dtype)  # no longer memory-mapped
        release(features)
        return copied
    copied = np.empty((len(rows), features.shape[1]), dtype)
    for block in blocks(len(rows), SCATTERED):
        with np.errstate(invalid="ignore"):
            copied[block] = features[rows[block]]
        release(features)
    return copied


def classes_in(labels: Labels) -> Labels:
    """Return the labels that occur, (c,), ascending.

    >>> classes_in(np.array([7, 4, 7]))
    array([4, 7])
    """
    # Asked for nothing else, numpy.unique loads numpy.ma, which takes a fifth of numpy's own time.
    return np.unique(labels, return_counts=True)[0]


def scratch(use: str, rows: int, d: int) -> Points:
    """Return memory for float64 (rows, d), valid until the next call for this use.

    Each thread has its own, as long as it lives. New memory for each block costs more time than
    computing with it: the system has to find and clear its pages.
    """
    found: Points | None = getattr(_lent, use, None)
    if found is None or found.size < rows * d:
        found = np.empty(rows * d)
        setattr(_lent, use, found)
    return found[: rows * d].reshape(rows, d)


def directions(points: Points) -> Points:
    """Scale rows (m, d) to length 1; rows of zeros have no direction and stay zeros."""
    with np.errstate(over="ignore", under="ignore"):
        squares = np.vecdot(points, points)
    lost = np.flatnonzero(~((squares > LEAST_SQUARE) & (squares < np.inf)))
    if np.any(largest := np.abs(points[lost]).max(axis=1, initial=0.0)):
        points = points.copy()
        points[lost] /= np.where(largest > 0, largest, 1.0)[:, None]
        squares[lost] = np.vecdot(points[lost], points[lost])
    scaled: Points = points / np.sqrt(np.where(squares > 0, squares, 1.0))[:, None]
    return scaled


def as_slice(rows: Rows) -> Rows | slice:
    """Return neighboring rows as a slice, which needs no copy of a memory-mapped matrix."""
    if rows[-1] - rows[0] == len(rows) - 1:
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def release(features: Features) -> None:
    """Release mapped pages, which count as memory of this process once they are read."""
    mapped = getattr(features, "_mmap", None)
    mode = getattr(features, "mode", None)
    if isinstance(mapped, mmap.mmap) and mode == "r" and hasattr(mapped, "madvise"):
        mapped.madvise(mmap.MADV_DONTNEED)
