"""Real processes that run `moderate`, and can be killed or starved at a chosen point."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .forking import context

# What images are read with.
READS = ("open",)
# What the store and the outputs are written with, beside plain file writes, which a limit on the
# size of files stops.
WRITES = ("pwrite", "fsync", "fdatasync", "replace", "rename", "mkdir", "link", "sendfile")

OPTIONS = {
    "MODERATE_BACKBONE": "pixels",
    "MODERATE_DTYPE": "float32",
    "MODERATE_RUNTIME": "torch",
}


class Fault(NamedTuple):
    """What shall go wrong in a child.

    Attributes
    ----------
    calls
        Functions of the system that are counted.
    fails_at
        Number of the call that fails; 0 for none.
    error
        Its error number.
    file_size
        Limit on the size of files, in bytes; -1 for none.
    """

    calls: tuple[str, ...] = WRITES
    fails_at: int = 0
    error: int = errno.ENOSPC
    file_size: int = -1


NO_FAULT = Fault()


class Child:
    """A running `moderate ARGS` in `folder`, with the backbone `pixels`."""

    def __init__(self, folder: Path, *args: object, fault: Fault = NO_FAULT) -> None:
        self._folder = folder
        arguments = [os.fspath(arg) if isinstance(arg, Path) else str(arg) for arg in args]
        self._process = context.Process(target=_run, args=(folder, arguments, fault))
        (folder / "ready").unlink(missing_ok=True)
        self._process.start()
        while not (folder / "ready").exists() and self._process.is_alive():
            time.sleep(0.001)

    def kill_after(self, seconds: float, number: int) -> None:
        """Wait, then send a signal, if it still runs."""
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    def wait(self) -> tuple[int, list[str]]:
        """Return exit status, negative for a signal, and the lines on stderr."""
        self._process.join()
        lines = (self._folder / "stderr").read_text().splitlines()
        return self._process.exitcode, [line for line in lines if line]


def run(folder: Path, *args: object, fault: Fault = NO_FAULT) -> tuple[int, list[str]]:
    """Run a command to its end."""
    return Child(folder, *args, fault=fault).wait()


def embedded(folder: Path) -> int:
    """Return how many images all runs in a folder have put through the network."""
    log = folder / "embedded"
    return sum(map(int, log.read_text().split())) if log.exists() else 0


def calls(folder: Path) -> int:
    """Return how many counted calls the last run in a folder made."""
    return int((folder / "calls").read_text())


def _run(folder: Path, args: list[str], fault: Fault) -> None:
    os.chdir(folder)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.environ |= OPTIONS
    _count_images(folder / "embedded")
    made = _count_calls(fault)
    if fault.file_size >= 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (fault.file_size, fault.file_size))

    from moderate_cli.cli import main

    status = 0
    try:
        (folder / "ready").touch()
        main(args)
    except SystemExit as error:
        status = error.code
    (folder / "calls").write_text(str(made()))
    os._exit(status)


def _count_images(log: Path) -> None:
    from moderate_cli.embedding.engines import batches

    def finish(started, original=batches._Started.finish):
        features = original(started)
        with log.open("a") as file:
            file.write(f"{len(features)}\n")
        return features

    batches._Started.finish = finish


def _count_calls(fault: Fault) -> Callable[[], int]:
    """Make one of the calls fail; return what tells how many were made."""
    numbers = itertools.count(1)

    def counted(original):
        def call(*args, **options):
            if next(numbers) == fault.fails_at:
                raise OSError(fault.error, os.strerror(fault.error))
            return original(*args, **options)

        return call

    for name in fault.calls:
        setattr(os, name, counted(getattr(os, name)))
    return lambda: next(numbers) - 1
