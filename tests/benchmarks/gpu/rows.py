"""Rows of the results: written as soon as they are measured, so that an abort loses nothing."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

HEADER = "| what | measured | unit | before | aim | met |\n| --- | ---: | --- | ---: | ---: | --- |"


class Row(NamedTuple):
    """A figure; `before` and `aim` are figures of the same unit, or None.

    `most` tells that smaller figures are better. `why` explains a figure that is missing.
    """

    name: str
    value: float | None
    unit: str = "images/s"
    before: float | None = None
    aim: float | None = None
    most: bool = False
    why: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the aim is met."""
        if self.value is None or self.aim is None:
            return None
        return bool(self.value <= self.aim if self.most else self.value >= self.aim)

    def line(self) -> str:
        """A line of the table."""
        cells = [self.why if self.value is None else shown(self.value), self.unit]
        cells += ["" if one is None else shown(one) for one in (self.before, self.aim)]
        met = {None: "", True: "yes", False: "NO"}[self.met]
        return f"| {self.name} | {' | '.join(cells)} | {met} |"


def shown(value: float) -> str:
    """Return a number with about three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


class OutOfTime(Exception):
    """A step took too long."""


class Bench:
    """Runs steps within a number of seconds, and collects their rows.

    Attributes
    ----------
    folder
        A folder for photos and features.
    device
        "cuda", or "cpu" without a GPU.
    images
        Number of photos; other numbers follow it.
    """

    def __init__(
        self, folder: Path, device: str, images: int, seconds: float, file: IO[str] | None
    ) -> None:
        self.folder, self.device, self.images = folder, device, images
        self.rows: list[Row] = []
        self._begun, self._end, self._file = time.monotonic(), time.monotonic() + seconds, file

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self._end - time.monotonic()

    def add(self, name: str, value: float | None, unit: str = "images/s", **facts: Any) -> None:
        """Add a row, and write it as a line of JSON."""
        row = Row(name, None if value is None else float(value), unit, **facts)
        self.rows.append(row)
        self._write({**row._asdict(), "met": row.met, "at": time.monotonic() - self._begun})

    def tell(self, **facts: Any) -> None:
        """Write facts that are no row."""
        self._write(facts)

    def step(self, work: Callable[[Bench], None], seconds: float) -> None:
        """Run a step for at most so many seconds; an error costs only its own rows."""
        begun, room = time.monotonic(), min(seconds, self.left)
        name, fact = work.__name__, "done"
        try:
            if room < min(1.0, seconds):
                raise OutOfTime("no time is left")
            with limited_to(room):
                work(self)
        except OutOfTime as error:
            fact = f"ended: {error}"
        except Exception as error:
            fact = f"failed: {type(error).__name__}: {error}"[:600]
        self.tell(step=name, fact=fact, seconds=round(time.monotonic() - begun, 2))
        if fact != "done":
            self.rows.append(Row(name, None, why=fact))

    def table(self) -> str:
        """Return all rows as a table."""
        return "\n".join([HEADER, *(row.line() for row in self.rows)])

    def _write(self, facts: dict[str, Any]) -> None:
        line = json.dumps(facts)
        print(line, flush=True)
        if self._file is not None:
            self._file.write(line + "\n")
            self._file.flush()


@contextlib.contextmanager
def limited_to(seconds: float) -> Iterator[None]:
    """Raise OutOfTime in the main thread after so many seconds."""

    def end(*_: object) -> None:
        raise OutOfTime(f"after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def rate(work: Callable[[], int], seconds: float) -> float:
    """Repeat work that returns its number of images; return images a second, without the first."""
    work()
    count, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        count += work()
    return count / (time.perf_counter() - begun)
