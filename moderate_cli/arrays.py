"""Read `.npy` files that may hold anything, or nothing."""

from __future__ import annotations

import io
import os
import tokenize
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.regular import check_regular
from moderate_cli.text import one_line

# What numpy raises for files that are no arrays, cut short, or changed.
FORMAT_ERRORS = (
    ValueError, EOFError, SyntaxError, TypeError, OverflowError, MemoryError, RecursionError,
    KeyError, tokenize.TokenError,
)  # fmt: skip


def read_array(source: str | os.PathLike[str] | bytes) -> npt.NDArray[Any]:
    """Memory-map an array for reading, or take it from bytes; never unpickle.

    Raises
    ------
    ValueError
        With the reason, if it is not one whole array.
    OSError
        If the file cannot be read.
    """
    try:
        if isinstance(source, bytes):
            array = np.load(io.BytesIO(source), allow_pickle=False)
        else:
            check_regular(source)
            array = np.load(source, mmap_mode="r", allow_pickle=False)
    except FORMAT_ERRORS as error:
        raise ValueError(one_line(error)) from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise ValueError("is an archive of arrays")
    return array
