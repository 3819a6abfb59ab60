"""What a training tells of itself: its time, and, if it is stopped, the epochs that are kept."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from moderate_cli.fitting.options import FitOptions
from moderate_cli.listening import Listener
from moderate_cli.notices import Notice

if TYPE_CHECKING:
    from moderate_cli.fitting.checkpoint import Checkpoint
    from moderate_cli.fitting.learner import Training

PATIENCE = 5.0  # seconds of work, beside an epoch, that an interruption may cost


def begins(
    training: Training, images: int, how: FitOptions, seconds: float, *, goes_on: bool
) -> Notice:
    """Tell what is trained, and the time that it takes."""
    if not goes_on:
        return Notice("training", images, names=(training.network,), than=seconds)
    set_ = {
        name: value for name, value in asdict(how).items() if value != getattr(FitOptions(), name)
    }
    named = tuple(f"--{name} {value}" for name, value in set_.items())
    return Notice("training on", images, names=(training.network, *named), than=seconds)


def resumes(training: Training, state: dict[str, Any], seconds: float) -> Notice:
    """Tell at which epoch of all networks an interrupted training goes on."""
    epochs = _epochs_of(training, state)
    every = training.folds * training.epochs
    return Notice("resuming", epochs, every, names=(training.network,), than=seconds)


def _epochs_of(training: Training, state: dict[str, Any]) -> int:
    """Count the epochs of all networks that are in a state."""
    return int(state["current"]["epoch"] + len(state["done"]) * training.epochs)


@contextlib.contextmanager
def interruption_told(
    training: Training, state: dict[str, Any] | None, checkpoint: Checkpoint, listener: Listener
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yield what saves the state of an epoch, unless one was saved moments ago.

    If the user stops the training, tell what is kept.
    """
    kept, moments = [] if state is None else [state], [time.monotonic()]

    def save(state: dict[str, Any]) -> None:
        if time.monotonic() - moments[-1] >= PATIENCE:
            checkpoint.write(state)
            kept[:] = [state]
            moments.append(time.monotonic())

    try:
        yield save
    except BaseException as error:
        if not isinstance(error, Exception):
            epochs = sum(_epochs_of(training, one) for one in kept)
            listener.notice(Notice("interrupted", epochs, training.folds * training.epochs))
        raise
