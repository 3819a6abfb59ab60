"""Memory for large pictures: how many of them are decoded at once.

A picture takes 12 to 20 bytes a pixel while it is decoded, converted and resized.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

LARGE = 25_000_000  # pixels from which on a picture waits until there is room for it
ROOM = 180_000_000  # pixels that large pictures may have together; one of more has it all

Done = TypeVar("Done")

_freed = threading.Condition()
_taken = 0


@contextlib.contextmanager
def room_for(pixels: int) -> Iterator[None]:
    """Wait, if a picture is large, until those that other threads are at leave room for it."""
    global _taken
    if pixels <= LARGE:
        yield
        return
    share = min(pixels, ROOM)
    with _freed:
        _freed.wait_for(lambda: _taken + share <= ROOM)
        _taken += share
    try:
        yield
    finally:
        with _freed:
            _taken -= share
            _freed.notify_all()


def tried_twice(work: Callable[[int], Done]) -> Done:
    """Do what may run out of memory beside other pictures; if it does, again without them.

    Parameters
    ----------
    work
        Takes the least number of pixels to ask room for.

    Raises
    ------
    MemoryError
        If there is not enough for it alone.
    """
    with contextlib.suppress(MemoryError):
        return work(0)
    # Here the traceback of the first try is gone, and with it the memory that its frames held.
    return work(ROOM)
