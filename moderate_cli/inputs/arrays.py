"""Arrays of a user: features, labels and scores, from files or memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Features, Mask, blocks, oversized, release
from moderate_cli.errors import ArrayError
from moderate_cli.files.near import near_or
from moderate_cli.files.npy import MISSING, advice_on, read_array

Array = str | os.PathLike[str] | npt.NDArray[Any]

BLOCK_ROWS = 4096


def as_name(array: Array, what: str) -> str:
    """Return the name of a file, or `what` for an array in memory."""
    return os.fspath(array) if isinstance(array, (str, os.PathLike)) else what


def read_features(array: Array) -> Features:
    """Memory-map a user's feature matrix (n, d)."""
    return _read_array(array, "features", ndim=2, kinds="f", needed="a float matrix (n, d)")


def read_labels(array: Array, n: int) -> npt.NDArray[np.int64]:
    """Read a user's class indices (n,)."""
    labels = _read_array(array, "labels", ndim=1, kinds="iu", needed="an integer vector (n,)")
    if len(labels) != n:
        name = as_name(array, "labels")
        raise ArrayError(f"{name}: {len(labels)} labels for {n} images; give one per row")
    if why := oversized(labels):
        raise ArrayError(f"{as_name(array, 'labels')}: {why}")
    return labels.astype(np.int64)


def read_scores(array: Array) -> Doubles:
    """Read a user's scores (n,) of any criterion; NaN for images without a score."""
    scores = _read_array(array, "scores", ndim=1, kinds="fiu", needed="a vector of numbers (n,)")
    name, values = as_name(array, "scores"), scores.astype(np.float64)
    check_finite(name, values[:, None], readable_rows(name, values[:, None]))
    return values


def readable_rows(path: str, matrix: npt.NDArray[Any]) -> Mask:
    """Return which rows belong to readable images; the rows of others are all NaN.

    Parameters
    ----------
    path
        Name of the matrix.
    matrix
        (n, d) of any float type; may be memory-mapped.

    Returns
    -------
    bool (n,)

    Raises
    ------
    ArrayError
        If no row does.
    """
    readable = np.ones(len(matrix), dtype=np.bool_)
    for part in blocks(len(matrix) if matrix.shape[1] else 0, BLOCK_ROWS):
        block = matrix[part]
        rows = np.flatnonzero(np.isnan(block[:, 0]))
        readable[part.start + rows] = ~np.isnan(block[rows]).all(axis=1)
        release(matrix)
    if not readable.any():
        raise ArrayError(f"{path}: contains only NaN; none of its images could be read")
    return readable


def check_scorable(
    features: Mapping[str, npt.NDArray[Any]],
    values: Doubles,
    readable: Mask,
) -> None:
    """Refuse features that make scores NaN or infinite; name the file and the row."""
    if not np.all(np.isfinite(values[readable])):
        for path, own in features.items():
            check_finite(path, own, readable)
        raise ArrayError(
            f"{', '.join(features)}: values are too large to compute distances; scale them down"
        )


def check_finite(path: str, matrix: npt.NDArray[Any], readable: Mask) -> None:
    """Refuse NaN or infinite values in readable rows; name the first row."""
    for part in blocks(len(matrix), BLOCK_ROWS):
        good = np.isfinite(matrix[part]).all(axis=1) | ~readable[part]
        release(matrix)
        if not good.all():
            row = part.start + int(np.argmin(good))
            raise ArrayError(f"{path}: row {row} is not finite; leave such rows out")


def _read_array(array: Array, what: str, *, ndim: int, kinds: str, needed: str) -> npt.NDArray[Any]:
    name = as_name(array, what)
    found = _read_file(name) if isinstance(array, (str, os.PathLike)) else np.asarray(array)
    if found.ndim != ndim or found.dtype.kind not in kinds:
        raise ArrayError(f"{name}: is {found.dtype} {found.shape}; {needed} is needed")
    if 0 in found.shape:
        raise ArrayError(f"{name}: is empty; {needed} is needed")
    return found


def _read_file(name: str) -> npt.NDArray[Any]:
    try:
        return read_array(name)
    except MISSING as error:
        advice = near_or(name, "pass a .npy file")
        raise ArrayError(f"{name}: {error.strerror or error}; {advice}") from None
    except OSError as error:
        reason = error.strerror or error
        raise ArrayError(f"{name}: cannot be read ({reason}); {advice_on(error)}") from None
    except ValueError as error:
        raise ArrayError(
            f"{name}: is not a .npy array ({error}); write one with numpy.save"
        ) from None
