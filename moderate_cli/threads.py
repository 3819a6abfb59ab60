"""Processors of this process, and work in one thread per processor.

The only threads that compute are those of `in_threads`. The library behind numpy's matrix products
(BLAS) would start its own for each product, which then wait for each other: with two processors,
small products take several times as long. So it computes in the thread that asks.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from moderate_cli.cgroups import allowed_processors

if TYPE_CHECKING:
    from concurrent.futures import Future

    from threadpoolctl import ThreadpoolController

AHEAD = 2  # parts per thread that are in work, or wait for their results to be used
# Seconds in which one thread works alone: work that is done by then takes longer in several, which
# have to start.
ALONE = 0.002
# Multiplications that are worth a thread, about 0.2 s; and those that take as long as the steps of
# the interpreter between two calls of numpy. Threads that wait for the lock of the interpreter, and
# wake each other at each call, take more time than they save.
WORTH, STEPS = 1 << 32, 100_000

Part = TypeVar("Part")
Done = TypeVar("Done")


_shares: list[int] = []
_worker = threading.local()


def processors() -> int:
    """Return the number of processors, which a container or `taskset` may limit."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13, which an option of it may limit too
        count = os.process_cpu_count()
    elif hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count()
    if count == 1:
        return 1
    allowed = allowed_processors()
    return min([count or 1, *([] if allowed is None else [math.ceil(allowed)]), *_shares])


def take_share(count: int) -> None:
    """Use at most `count` processors from now on."""
    _shares.append(count)


def in_threads(
    work: Callable[[Part], Done],
    parts: Iterable[Part],
    at_once: int | None = None,
    count: int | None = None,
    alone: float | None = None,
    most: int | None = None,
) -> Generator[Done, None, None]:
    """Work on parts in one thread per processor, but at most `most`; yield the results, in order.

    Others help the first one once it has worked for `alone` seconds. At most `at_once` results, or
    `AHEAD` per thread, are in work or wait to be used. Work that calls this again stays in its
    thread. When the iterator is closed, all threads have ended.

    With `count`, so many threads work ahead of this one, even a single one; else nothing is gained
    by one thread beside this one.
    """
    if hasattr(_worker, "busy"):
        yield from map(work, parts)
        return
    threads = count or min(processors(), most or sys.maxsize)
    if not count:
        parts = iter(parts)
        first = list(itertools.islice(parts, 2 if threads > 1 else 0))
        parts = itertools.chain(first, parts)
        if len(first) < 2:
            with one_blas_thread():
                yield from map(work, parts)
            return
    from concurrent.futures import ThreadPoolExecutor, wait  # which take 4 ms to load

    room = min(AHEAD * threads, at_once or AHEAD * threads)
    with one_blas_thread(), ThreadPoolExecutor(threads, initializer=_begin) as pool:
        waiting: deque[Future[Done]] = deque()
        end = time.monotonic() + (ALONE if alone is None else alone)
        try:
            for part in parts:
                with _signals_held():
                    waiting.append(pool.submit(work, part))
                if (left := end - time.monotonic()) > 0:
                    wait(waiting, left)
                if len(waiting) >= room:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def threads_for(multiplications: float, calls: float = 0.0) -> int:
    """Return how many threads some work on arrays is worth.

    The interpreter can keep as many threads busy as its steps fit into a call of numpy.
    """
    most = multiplications // WORTH
    if calls:
        most = min(most, 1 + multiplications / calls // STEPS)
    return int(min(processors(), max(1, most)))


def _begin() -> None:
    _worker.busy = True


class _Limit:
    """The limit of BLAS to one thread, from the first of those who need it to the last.

    It is one setting of the whole process, and several threads of a user may compute at once.
    """

    def __init__(self) -> None:
        self._lock, self._users = threading.Lock(), 0
        self._limits = contextlib.ExitStack()

    def take(self) -> None:
        with self._lock:
            if self._users == 0:
                self._limits.enter_context(_limited())
            self._users += 1

    def give(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._limits.close()


_limit = _Limit()


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Compute matrix products in the thread that asks for them; also a decorator."""
    _limit.take()
    try:
        yield
    finally:
        _limit.give()


def _limited() -> contextlib.AbstractContextManager[object]:
    # Loading threadpoolctl takes 5 ms. Without it, the number of threads is that of the start.
    every = os.environ.get("OMP_NUM_THREADS")
    begun = [os.environ.get(f"{name}_NUM_THREADS", every) for name in ("OPENBLAS", "MKL")]
    if begun == ["1", "1"] and "threadpoolctl" not in sys.modules:
        return contextlib.nullcontext()
    try:
        limits: contextlib.AbstractContextManager[object] = _libraries().limit(
            limits=1, user_api="blas"
        )
        return limits
    except ImportError:  # from a checkout that is not installed; the command line has set one
        return contextlib.nullcontext()


@functools.cache
def _libraries() -> ThreadpoolController:
    """Find the loaded libraries, which takes milliseconds, once."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


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
    import signal

    from moderate_cli.platforms import ENDING

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
