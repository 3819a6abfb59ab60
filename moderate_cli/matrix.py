"""A `.npy` matrix on disk that is made first and filled row by row.

It is written with `pwrite`, not through a memory map: on a full disk a write to a map kills the
process, where `pwrite` raises an error.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


class Matrix:
    """An open `.npy` file of fixed shape (n, d); rows not yet written are zeros."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b", buffering=0)
        np.lib.format.read_magic(self._file)
        shape, _, self.dtype = np.lib.format.read_array_header_1_0(self._file)
        self._start = self._file.tell()
        self._row_bytes = shape[1] * self.dtype.itemsize

    @classmethod
    def create(cls, path: Path, shape: tuple[int, int], dtype: npt.DTypeLike) -> Matrix:
        """Make the file; the zeros take no room on most file systems."""
        kind = np.dtype(dtype)
        header = {
            "descr": np.lib.format.dtype_to_descr(kind),
            "fortran_order": False,
            "shape": shape,
        }
        with path.open("xb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + shape[0] * shape[1] * kind.itemsize)
        return cls(path)

    def write(self, rows: npt.NDArray[np.int64], values: npt.NDArray[Any]) -> None:
        """Write rows, given in ascending order; neighbors go out in one call."""
        values = np.ascontiguousarray(values, dtype=self.dtype)
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        for run, part in zip(np.split(rows, breaks), np.split(values, breaks), strict=True):
            if len(run) == 0:
                continue
            content, offset = part.tobytes(), self._start + run[0] * self._row_bytes
            while content:
                written = os.pwrite(self._file.fileno(), content, offset)
                content, offset = content[written:], offset + written

    def sync(self) -> None:
        """Wait until all that was written is on the disk."""
        getattr(os, "fdatasync", os.fsync)(self._file.fileno())  # macOS has fsync only

    def close(self) -> None:
        """Close the file."""
        self._file.close()
