"""Decoding images without the warnings of what decodes them."""

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
    """Leave out the warnings of PIL, torchvision and C libraries; enter this before threads start.

    PIL warns of odd metadata, palettes and sizes in images that it reads all the same; torchvision
    that its JPEG decoder will go. libjpeg and libtiff print a line, without the name of a file, for
    one that is damaged; if they cannot read it, the error that they return says the same.
    """
    with warnings.catch_warnings(), _quiet_libraries():
        # Once, not for each image: setting filters is not safe in threads.
        warnings.filterwarnings("ignore", module="PIL")
        warnings.filterwarnings("ignore", "The image decoding", DeprecationWarning)
        yield


@contextlib.contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Let what C libraries print to stderr go nowhere, for as long as any block lasts.

    What Python, processes that are started, and C++ write to file descriptor 2 goes on.
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
    """Return C's variable `stderr`, its value, and a stream to nowhere.

    None but for glibc, where "stderr" is a variable that a program may set (glibc manual, "Standard
    Streams"); elsewhere it may lie in memory that cannot be written.
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
