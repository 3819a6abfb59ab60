"""Write blocks in a thread of its own, so that nobody waits for the disk."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from moderate_cli.store.blocks import EmbeddedBlock
from moderate_cli.store.writer import Writer

WAITING = 2  # blocks, beside the one that is being written


class Behind:
    """Hands blocks over to the thread.

    Attributes
    ----------
    seconds
        Time that the thread spent on writing.
    """

    def __init__(self, write: Callable[[EmbeddedBlock], object], pool: ThreadPoolExecutor) -> None:
        self.seconds = 0.0
        self._write, self._pool = write, pool
        self._writes: deque[Future[None]] = deque()

    def write(self, block: EmbeddedBlock) -> None:
        """Let a block be written after those before it; wait while several are pending.

        Raises
        ------
        StoreError
            If an earlier block could not be written.
        """
        while self._writes and (len(self._writes) > WAITING or self._writes[0].done()):
            self._writes.popleft().result()
        self._writes.append(self._pool.submit(self._timed, block))

    def finish(self) -> None:
        """Wait until all blocks are written.

        Raises
        ------
        StoreError
            If one could not be written.
        """
        while self._writes:
            self._writes.popleft().result()

    def _timed(self, block: EmbeddedBlock) -> None:
        begun = time.perf_counter()
        self._write(block)
        self.seconds += time.perf_counter() - begun


@contextlib.contextmanager
def behind(writer: Writer) -> Iterator[Behind]:
    """Write in a thread until the context ends; blocks that were handed over are then written.

    Raises
    ------
    StoreError
        If a block could not be written, unless the context ends in another error.
    """
    with ThreadPoolExecutor(1) as pool:
        # Started now: one that a signal keeps from being registered has nothing to write.
        pool.submit(int).result()
        writes = Behind(writer.write, pool)
        yield writes
        writes.finish()
