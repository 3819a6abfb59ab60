"""Signals that end a command, even where a library swallows the exception."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from moderate_cli.platforms import ALARM, ENDING, ring

MOMENT = 0.01  # seconds


class Terminated(BaseException):
    """A signal that ends the command."""


class Signals:
    """Signals that arrived.

    A library may swallow the exception that a signal raises, or turn it into another one; so
    signals are also recorded.
    """

    def __init__(self) -> None:
        self.received: list[int] = []
        self.interrupting = True

    def listen(self) -> None:
        """Record signals from now on."""
        for number in ENDING:
            # A signal that the parent ignores, as nohup does, stays ignored.
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                signal.signal(number, self.arrive)
        if ALARM not in ENDING:
            signal.signal(ALARM, self.interrupt)

    def arrive(self, number: int, _frame: FrameType | None) -> None:
        """Record a signal, and end the command if it still runs."""
        self.received.append(number)
        self.interrupt(number)

    def interrupt(self, _number: int, _frame: FrameType | None = None) -> None:
        """End the command if it still runs."""
        if self.interrupting:
            raise Terminated

    def try_again(self, swallowed: sys.UnraisableHookArgs) -> None:
        """Interrupt a moment later where no exception can pass, as in a finalizer."""
        if isinstance(swallowed.exc_value, Terminated):
            ring(MOMENT)
        else:
            sys.__unraisablehook__(swallowed)
