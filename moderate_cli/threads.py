"""Processors of this process, and work in one thread per processor."""

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
    """Return the number of processors, which a container or `taskset` may limit."""
    if hasattr(os, "sched_getaffinity"):
        return min([len(os.sched_getaffinity(0)), *_shares])
    return min([os.cpu_count() or 1, *_shares])


def take_share(count: int) -> None:
    """Use at most `count` processors from now on."""
    _shares.append(count)


def in_threads(work: Callable[[Part], Done], parts: Iterable[Part]) -> Generator[Done, None, None]:
    """Work on parts in one thread per processor; yield the results, in order.

    When the iterator is closed, all threads have ended.
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
    """Delay signals while threads start: a thread interrupted while starting is never joined.

    It might write to a folder that is being removed. A signal mask is not enough: threads of other
    libraries may receive the signal, and the main thread would still run the handler.
    """
    if (
        threading.current_thread() is not threading.main_thread()
    ):  # handlers run in the main thread only
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
