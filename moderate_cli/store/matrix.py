"""A `.npy` matrix on disk that is created first and filled row by row.

It is written with `pwrite`, not through a memory map: on a full disk `pwrite` raises an error, but
a write to a map kills the process. The first row begins at a whole page, and so does each block if
1,024 rows fill whole pages. Then machines that write neighboring blocks to a network file system,
which caches pages, share none.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.platforms import pwrite, sync

PAGE = 4096  # bytes


class Matrix:
    """An open `.npy` file of fixed shape (n, d); rows are zeros until they are written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b", buffering=0)
        np.lib.format.read_magic(self._file)
        shape, _, self.dtype = np.lib.format.read_array_header_1_0(self._file)
        self._start = self._file.tell()
        self._row_bytes = shape[1] * self.dtype.itemsize

    @classmethod
    def create(cls, path: Path, shape: tuple[int, int], dtype: npt.DTypeLike) -> Matrix:
        """Create the file; its zeros take no space on most file systems."""
        kind = np.dtype(dtype)
        with path.open("xb") as file:
            file.write(_header(shape, kind))
            file.truncate(file.tell() + shape[0] * shape[1] * kind.itemsize)
        return cls(path)

    def write(self, rows: npt.NDArray[np.int64], values: npt.NDArray[Any]) -> None:
        """Write rows, in ascending order; neighbors in one call."""
        values = np.ascontiguousarray(values, dtype=self.dtype)
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        for run, part in zip(np.split(rows, breaks), np.split(values, breaks), strict=True):
            if len(run) == 0:
                continue
            content = part.data.cast("B")
            offset = self._start + int(run[0]) * self._row_bytes
            while content:
                written = pwrite(self._file.fileno(), content, offset)
                content, offset = content[written:], offset + written

    def sync(self) -> None:
        """Wait until all written rows are on the disk."""
        sync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def as_bytes(values: npt.NDArray[Any]) -> bytes:
    """Return the content of the file of a matrix (n, d)."""
    return _header(values.shape, values.dtype) + np.ascontiguousarray(values).tobytes()


def _header(shape: tuple[int, ...], kind: np.dtype[Any]) -> bytes:
    header = {
        "descr": np.lib.format.dtype_to_descr(kind),
        "fortran_order": False,
        "shape": shape,
    }
    start = io.BytesIO()
    np.lib.format.write_array_header_1_0(start, header)
    return _padded(start.getvalue())


def _padded(header: bytes) -> bytes:
    """Pad the header of a `.npy` file with spaces, as the format allows, to a whole page."""
    magic, text = header[:8], header[10:].rstrip(b"\n ")
    size = -(-(len(header)) // PAGE) * PAGE
    length = size - 10  # magic, version and the length itself
    return magic + length.to_bytes(2, "little") + text.ljust(length - 1) + b"\n"
