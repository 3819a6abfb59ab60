"""Seats for large pictures, so that several processes do not decode too many of them at once.

A seat is a byte of a file that the processes share, and who sits has a POSIX lock on it. The system
releases the locks of a process that ends, also if it was killed for lack of memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from moderate_cli.images.memory import LARGE, ROOM

SEATS = ROOM // LARGE
DOOR = SEATS  # the byte after them; who waits for several seats holds it, so that nobody passes
PAUSE = 0.01  # seconds


def sit_among(file: int) -> Callable[[int], AbstractContextManager[None]]:
    """Return a context for a picture of so many pixels, which waits for its seats.

    Parameters
    ----------
    file
        Descriptor of a file that no other code of these processes locks or closes.
    """

    @contextlib.contextmanager
    def seated(pixels: int) -> Iterator[None]:
        needed = min(-(-pixels // LARGE), SEATS)
        taken: list[int] = []
        try:
            fcntl.lockf(file, fcntl.LOCK_EX, 1, DOOR)
            try:
                while len(taken) < needed:
                    others = (seat for seat in range(SEATS) if seat not in taken)
                    seat = next((seat for seat in others if _take(file, seat)), None)
                    if seat is None:
                        time.sleep(PAUSE)
                    else:
                        taken.append(seat)
            finally:
                fcntl.lockf(file, fcntl.LOCK_UN, 1, DOOR)
            yield
        finally:
            for seat in taken:
                fcntl.lockf(file, fcntl.LOCK_UN, 1, seat)

    return seated


def _take(file: int, seat: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, seat)
    except OSError:
        return False
    return True
