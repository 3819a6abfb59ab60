"""Read `.npy` files that may hold anything, or nothing."""

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

# What numpy raises for files that are no arrays, cut short, or changed.
FORMAT_ERRORS = (
    ValueError, EOFError, SyntaxError, TypeError, OverflowError, MemoryError, RecursionError,
    KeyError, tokenize.TokenError,
)  # fmt: skip
SEAL_SIZE = 16

# How it is said that a file is not there, or is none; whatever else is said tells nothing of it.
MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError, NotRegularError)
# What to do where a file cannot be read.
ADVICE = {
    errno.EACCES: "make it readable",
    errno.EPERM: "make it readable",
    errno.EMFILE: "allow more open files, as ulimit -n does",
    errno.ENFILE: "run again when fewer files are open",
    errno.ENOMEM: "run again when more memory is free",
}


def read_array(source: str | os.PathLike[str] | bytes) -> npt.NDArray[Any]:
    """Memory-map an array for reading, or take it from bytes; never unpickle.

    Raises
    ------
    ValueError
        With the reason, if it is not one whole array.
    OSError
        If the file cannot be read.
    MemoryError
        If there is no memory for an array that is whole.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd headers: they are read, or refused below
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
    """Say what to do where a file, which may be whole, cannot be read."""
    return ADVICE.get(error.errno or 0, "run again; the file may be whole")


def sealed(content: bytes, key: bytes) -> bytes:
    """Put a sum behind the bytes of an array, which binds it to what `key` stands for.

    `numpy.load` reads the array as it does without.
    """
    return content + _seal(content, key)


def read_sealed(content: bytes, key: bytes) -> npt.NDArray[Any]:
    """Read what `sealed` made, without a copy: the array cannot be written to.

    Raises
    ------
    ValueError
        If it was changed since, or is bound to something else.
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
    """Whether there are as many bytes as a header says; a damaged one may ask for any memory."""
    try:
        shape, _, dtype, start = _header_of(content)
    except FORMAT_ERRORS:
        return False
    return dtype.itemsize * math.prod(shape) <= len(content) - start


def _header_of(content: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether it is in Fortran's order, dtype, and where the numbers begin."""
    file = io.BytesIO(content)
    versions = {(1, 0): np.lib.format.read_array_header_1_0}
    read = versions.get(np.lib.format.read_magic(file), np.lib.format.read_array_header_2_0)
    return (*read(file), file.tell())
