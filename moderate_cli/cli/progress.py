"""Progress on stderr: a line or a bar on a terminal; in a log, a line a minute.

`TQDM_DISABLE=1` turns it off, as in other programs with such bars.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from moderate_cli.cli import console

if TYPE_CHECKING:
    from tqdm import tqdm

FIRST_LINE, LINE_EVERY = 10.0, 60.0  # seconds, in a log
TICK = 1.0  # seconds; time goes on also where nothing moves
UNITS = {"img": "image"}


class Progress:
    """The phases of a command, of which the innermost is shown."""

    def __init__(self) -> None:
        self._phases: list[_Phase] = []
        self._due = time.monotonic() + FIRST_LINE
        self._lock = threading.RLock()
        console.aside = self._aside

    @contextlib.contextmanager
    def phase(
        self, what: str, unit: str = "img", delay: float = 0.0
    ) -> Iterator[Callable[[int, int], None]]:
        """Show a phase, and yield the function that moves it.

        A phase that ends within `delay` seconds shows nothing.
        """
        phase, over = _Phase(what, unit, delay), threading.Event()
        beat = threading.Thread(target=self._beat, args=(phase, over), daemon=True)
        with self._lock:
            if self._phases:
                self._phases[-1].hide()
            self._phases.append(phase)
            self._show(phase)

        def move(done: int, total: int) -> None:
            with self._lock:
                phase.move(done, total)
                self._show(phase)

        try:
            beat.start()
            yield move
        finally:
            over.set()
            with self._lock:
                self._phases.remove(phase)
                phase.close()

    def _beat(self, phase: _Phase, over: threading.Event) -> None:
        while not over.wait(TICK):
            with self._lock:
                if self._phases and self._phases[-1] is phase and not over.is_set():
                    self._show(phase)

    def _show(self, phase: _Phase) -> None:
        if os.environ.get("TQDM_DISABLE"):
            return
        if sys.stderr.isatty():
            phase.draw()
        elif time.monotonic() >= self._due:
            self._due = time.monotonic() + LINE_EVERY
            console.note(phase.line())

    def _aside(self) -> None:
        """Make room for a line; what is hidden is drawn again at the next beat."""
        with self._lock:
            for phase in self._phases:
                phase.hide()


class _Phase:
    """One piece of work."""

    def __init__(self, what: str, unit: str, delay: float) -> None:
        self._what, self._unit, self._delay = what, unit, delay
        self._begun = time.monotonic()
        self._first: tuple[int, float] | None = None  # number done at first, and when
        self._done = self._total = 0
        self._bar: tqdm[Any] | None = None
        self._drawn = 0  # characters of the line in place of a bar

    def move(self, done: int, total: int) -> None:
        """Take note of how much is done; a new total begins a new piece."""
        if self._first is None or total != self._total or done < self._done:
            self._first = done, time.monotonic()
        self._done, self._total = done, total

    def draw(self) -> None:
        """Draw the bar or, where nothing is counted, the line."""
        if time.monotonic() - self._begun < self._delay:
            return
        if self._first is None:
            self._draw_line()
        else:
            self._draw_bar(self._first[0])

    def _draw_line(self) -> None:
        seconds = int(time.monotonic() - self._begun)
        text = f"moderate: {self._what} ..." + (f" {console.duration(seconds)}" if seconds else "")
        text = text[: max(1, console.width() - 1)]
        console.tell(f"\r{text.ljust(self._drawn)}")
        self._drawn = len(text)

    def _draw_bar(self, initial: int) -> None:
        from tqdm import tqdm

        if self._bar is not None and self._bar.total != self._total:
            self._bar.close()
            self._bar = None
        if self._bar is None:
            self.hide()
            self._bar = tqdm(
                total=self._total,
                initial=initial,
                desc=f"moderate: {self._what}",
                unit="img" if self._unit == "%" else self._unit,
                file=sys.stderr,
            )
        if self._done > self._bar.n:
            self._bar.update(self._done - self._bar.n)
        else:
            self._bar.refresh()
        if self._done == self._total:  # the next piece of work may have a bar of its own
            self._bar.close()
            self._bar, self._first, self._begun = None, None, time.monotonic()
            self._delay = max(self._delay, TICK)

    def hide(self) -> None:
        """Remove it from the screen."""
        if self._bar is not None:
            self._bar.clear()
        if self._drawn:
            console.tell(f"\r{' ' * self._drawn}\r")
            self._drawn = 0

    def close(self) -> None:
        """Leave the bar as it is, or remove the line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self.hide()

    def line(self) -> str:
        """Return how far it is, for a log."""
        if self._first is None:
            return f"{self._what}, for {console.duration(time.monotonic() - self._begun)}"
        unit = UNITS.get(self._unit, self._unit)
        text = f"{self._what}: {self._done} of {self._total} {unit}s"
        if unit == "%":  # of images that are seen several times
            text = f"{self._what}: {100 * self._done // self._total} %"
        first, since = self._first
        seconds = time.monotonic() - since
        if self._done > first and seconds > 0:
            rate = (self._done - first) / seconds
            left = console.duration((self._total - self._done) / rate)
            shown = f"{rate:.0f} {unit}s/s, " if rate >= 10 and unit != "%" else ""
            text += f", {shown}about {left} left"
        return text
