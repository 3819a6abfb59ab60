"""Silence the warnings of decoders."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import warnings
from collections.abc import Iterator
from functools import cache

_entering = threading.Lock()
_inside = 0


@contextlib.contextmanager
def without_warnings() -> Iterator[None]:
    """Silence warnings of PIL and C libraries; enter this before threads start.

    PIL warns of odd metadata, palettes and sizes in images that it can read. For a damaged file,
    libjpeg and libtiff print a line without its name; if they cannot read it, they also return an
    error.
    """
    with warnings.catch_warnings(), _quiet_libraries():
        # Once, not for each image: changing filters is not thread-safe.
        warnings.filterwarnings("ignore", module="PIL")
        yield


@contextlib.contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Discard output of C libraries to stderr, as long as any thread is in a block.

    Output of Python, child processes and C++ to file descriptor 2 is not affected.
    """
    global _inside
    stream = _c_stderr()
    if stream is None:
        yield
        return
    pointer, loud, null = stream
    with _entering:
        _inside += 1
        pointer.value = null
    try:
        yield
    finally:
        with _entering:
            _inside -= 1
            if not _inside:
                pointer.value = loud


@cache
def _c_stderr() -> tuple[ctypes.c_void_p, int | None, int] | None:
    """Return C's variable `stderr`, its value, and a stream to the null device.

    Only for glibc, where a program may set the variable `stderr` (glibc manual, "Standard
    Streams"). Elsewhere it may be in read-only memory, so this returns None.
    """
    try:
        os.confstr("CS_GNU_LIBC_VERSION")
        library = ctypes.CDLL(None)
        pointer = ctypes.c_void_p.in_dll(library, "stderr")
    except (AttributeError, ValueError, OSError):
        return None
    library.fopen.restype = ctypes.c_void_p
    null = library.fopen(os.devnull.encode(), b"w")
    return None if null is None else (pointer, pointer.value, null)
