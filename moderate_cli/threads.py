"""How many processors this process may use, and work in as many threads."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Part = TypeVar("Part")
Done = TypeVar("Done")


_shares: list[int] = []


def processors() -> int:
    """Return their number, which a container or `taskset` may make smaller than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return min([len(os.sched_getaffinity(0)), *_shares])
    return min([os.cpu_count() or 1, *_shares])


def take_share(count: int) -> None:
    """Leave all but `count` processors to other processes on this machine, from now on."""
    _shares.append(count)


def in_threads(work: Callable[[Part], Done], parts: Iterable[Part]) -> Generator[Done, None, None]:
    """Work on parts in one thread per processor; yield what becomes of them, in order.

    Once the iterator is closed no thread works any more.
    """
    with ThreadPoolExecutor(processors()) as pool:
        try:
            with _signals_held():
                results = pool.map(work, parts)
            yield from results
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Let signals wait while threads start: a thread that one interrupts would not be waited for.

    It might go on writing to a folder that is being removed. A mask would not do: threads of other
    libraries take signals, too, and it is this thread that then runs the handler.
    """
    if threading.current_thread() is not threading.main_thread():  # where no handler ever runs
        yield
        return
    held: list[int] = []
    before = {number: signal.getsignal(number) for number in ENDING}
    handlers = {number: handler for number, handler in before.items() if callable(handler)}
    try:
        for number in handlers:
            signal.signal(number, lambda number, _frame: held.append(number))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for waiting in held:
            signal.raise_signal(waiting)
