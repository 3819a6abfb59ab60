"""Read `.npy` files, which may be damaged or hostile."""

from __future__ import annotations

import errno
import hashlib
import io
import math
import os
import tokenize
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.files.regular import NotRegularError, check_regular
from moderate_cli.text import one_line

# Errors of numpy for files that are not arrays, truncated, or changed.
FORMAT_ERRORS = (
    ValueError, EOFError, SyntaxError, TypeError, OverflowError, MemoryError, RecursionError,
    KeyError, tokenize.TokenError,
)  # fmt: skip
SEAL_SIZE = 16

# Errors that mean that there is no such file; other errors say nothing about the file.
MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError, NotRegularError)
# The next step if a file cannot be read.
ADVICE = {
    errno.EACCES: "make it readable",
    errno.EPERM: "make it readable",
    errno.EMFILE: "allow more open files, as ulimit -n does",
    errno.ENFILE: "run again when fewer files are open",
    errno.ENOMEM: "run again when more memory is free",
}


def read_array(source: str | os.PathLike[str] | bytes) -> npt.NDArray[Any]:
    """Memory-map an array for reading, or read it from bytes; never unpickle.

    Raises
    ------
    ValueError
        With the reason, if it is not one complete array.
    OSError
        If the file cannot be read.
    MemoryError
        If there is no memory for a complete array.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd headers, which are read or refused below
            if isinstance(source, bytes):
                array = np.load(io.BytesIO(source), allow_pickle=False)
            else:
                check_regular(source)
                array = np.load(source, mmap_mode="r", allow_pickle=False)
    except FORMAT_ERRORS as error:
        if isinstance(error, MemoryError) and isinstance(source, bytes) and _is_whole(source):
            raise
        raise ValueError(one_line(error)) from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise ValueError("is an archive of arrays")
    return array


def advice_on(error: OSError) -> str:
    """Return the next step for a file that cannot be read, though it may be intact."""
    return ADVICE.get(error.errno or 0, "run again; the file may be intact")


def sealed(content: bytes, key: bytes) -> bytes:
    """Append a keyed sum to the bytes of an array, which binds it to `key`.

    `numpy.load` ignores the sum.
    """
    return content + _seal(content, key)


def read_sealed(content: bytes, key: bytes) -> npt.NDArray[Any]:
    """Read an array from `sealed`, without a copy; it is read-only.

    Raises
    ------
    ValueError
        If it was changed since, or is bound to another key.
    """
    array = memoryview(content)[:-SEAL_SIZE]
    if content[-SEAL_SIZE:] != _seal(array, key):
        raise ValueError("was changed since it was written, or belongs to another feature set")
    shape, fortran, dtype, start = _header_of(content)
    found = np.frombuffer(content, dtype, math.prod(shape), start)
    return found.reshape(shape, order="F" if fortran else "C")


def _seal(content: bytes | memoryview, key: bytes) -> bytes:
    return hashlib.blake2b(content, key=key, digest_size=SEAL_SIZE).digest()


def _is_whole(content: bytes) -> bool:
    """Whether the bytes match the header; a damaged header may ask for any amount of memory."""
    try:
        shape, _, dtype, start = _header_of(content)
    except FORMAT_ERRORS:
        return False
    return dtype.itemsize * math.prod(shape) <= len(content) - start


def _header_of(content: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Return shape, whether in Fortran order, dtype, and offset of the numbers."""
    file = io.BytesIO(content)
    versions = {(1, 0): np.lib.format.read_array_header_1_0}
    read = versions.get(np.lib.format.read_magic(file), np.lib.format.read_array_header_2_0)
    return (*read(file), file.tell())
