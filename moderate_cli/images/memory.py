"""Memory for large pictures: how many of them are decoded at once.

A picture takes 12 to 20 bytes a pixel while it is decoded, converted and resized.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

LARGE = 25_000_000  # pixels; a larger picture waits until there is room for it
ROOM = 180_000_000  # pixels of all large pictures together; a larger one is decoded alone

Done = TypeVar("Done")

_freed = threading.Condition()
_taken = 0


def _alone(_pixels: int) -> AbstractContextManager[None]:
    """Wait for nobody: no other process decodes pictures."""
    return contextlib.nullcontext()


_beside: Callable[[int], AbstractContextManager[None]] = _alone


def share_room(beside: Callable[[int], AbstractContextManager[None]]) -> None:
    """Share the room with other processes: `beside` waits until they leave room for a picture."""
    global _beside
    _beside = beside


@contextlib.contextmanager
def room_for(pixels: int) -> Iterator[None]:
    """Make a large picture wait until those of other threads and processes leave room for it."""
    global _taken
    if pixels <= LARGE:
        yield
        return
    share = min(pixels, ROOM)
    with _freed:
        _freed.wait_for(lambda: _taken + share <= ROOM)
        _taken += share
    try:
        with _beside(share):
            yield
    finally:
        with _freed:
            _taken -= share
            _freed.notify_all()


def tried_twice(work: Callable[[int], Done]) -> Done:
    """Try work that may run out of memory beside other pictures; if it does, retry it alone.

    Parameters
    ----------
    work
        Called with the minimum number of pixels to reserve room for.

    Raises
    ------
    MemoryError
        If there is not enough memory even for it alone.
    """
    with contextlib.suppress(MemoryError):
        return work(0)
    # By now the traceback of the first try, whose frames held memory, is gone.
    return work(ROOM)
