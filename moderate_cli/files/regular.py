"""Open what should be a regular file: a FIFO or a device would keep its reader for ever."""

from __future__ import annotations

import errno
import io
import os
import select
import stat
from collections.abc import Callable

PATIENCE = 1.0  # seconds in which something must come out of a FIFO, or somebody hold its other end


class NotRegularError(OSError):
    """A FIFO or a device where a regular file should be."""


def open_regular(path: str | os.PathLike[str]) -> io.BufferedReader:
    """Open a regular file for reading.

    Raises
    ------
    OSError
        If it cannot be opened, or is a FIFO, a device or a folder.
    """
    return os.fdopen(_opened(path, _is_regular), "rb")


def check_regular(path: str | os.PathLike[str]) -> None:
    """Raise what `open_regular` does, before somebody else opens a file by its name."""
    open_regular(path).close()


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """Read a regular file, or raise what `open_regular` does."""
    with open_regular(path) as file:
        return file.read()


def read_once(path: str | os.PathLike[str], on_wait: Callable[[], None]) -> bytes:
    """Read a regular file, or a pipe that somebody writes to, such as `<(command)` of a shell.

    Parameters
    ----------
    path
        What to read; of devices, only the null device.
    on_wait
        Called before waiting for a writer that is there and has not written anything yet.

    Raises
    ------
    OSError
        If it cannot be read, is another device or a folder, or nobody writes to it.
    """
    with os.fdopen(_opened(path, _is_stream), "rb", buffering=0) as file:
        if not stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
            return file.readall()
        begun = _begin(path, file, on_wait)
        os.set_blocking(file.fileno(), True)
        return begun + file.readall()


def _opened(path: str | os.PathLike[str], is_right: Callable[[os.stat_result], bool]) -> int:
    """Open what is of the right kind, and return its descriptor."""
    # Without O_NONBLOCK the opening of a FIFO waits for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    status = os.fstat(descriptor)
    if is_right(status):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    raise NotRegularError(errno.EINVAL, "is not a regular file", os.fspath(path))


def _is_regular(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode)


def _is_stream(status: os.stat_result) -> bool:
    is_null = os.path.samestat(status, os.stat(os.devnull))
    return stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode) or is_null


def _begin(path: str | os.PathLike[str], file: io.FileIO, on_wait: Callable[[], None]) -> bytes:
    """Return the first bytes of a pipe, or none if it has a writer that is yet to write some."""
    poll = select.poll()
    poll.register(file, select.POLLIN)
    poll.poll(PATIENCE * 1000)
    begun = file.read(select.PIPE_BUF)
    if begun is None:
        on_wait()
        return b""
    if not begun:
        raise OSError(errno.EINVAL, "is a pipe that nobody writes to", os.fspath(path))
    return begun
