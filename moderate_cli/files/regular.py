"""Open regular files only: reading a FIFO or a device could block for ever."""

from __future__ import annotations

import errno
import io
import os
import select
import stat
from collections.abc import Callable

from moderate_cli.platforms import READ

PIPE_BUFFER = getattr(select, "PIPE_BUF", 512)  # bytes
PATIENCE = 1.0  # seconds in which a FIFO must have data, or a writer


class NotRegularError(OSError):
    """A FIFO or a device in place of a regular file."""


def open_regular(path: str | os.PathLike[str]) -> io.BufferedReader:
    """Open a regular file for reading.

    Raises
    ------
    OSError
        If it cannot be opened, or is a FIFO, a device or a folder.
    """
    return os.fdopen(_opened(path, _is_regular), "rb")


def check_regular(path: str | os.PathLike[str]) -> None:
    """Raise the errors of `open_regular`, before a library opens the file by its name."""
    open_regular(path).close()


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """Read a regular file; errors as of `open_regular`."""
    with open_regular(path) as file:
        return file.read()


def read_once(path: str | os.PathLike[str], on_wait: Callable[[], None]) -> bytes:
    """Read a regular file, or a pipe with a writer, such as `<(command)` in a shell.

    Parameters
    ----------
    path
        The file or pipe; of devices, only the null device.
    on_wait
        Called before waiting for a writer that has not written anything yet.

    Raises
    ------
    OSError
        If it cannot be read, is another device or a folder, or has no writer.
    """
    with os.fdopen(_opened(path, _is_stream), "rb", buffering=0) as file:
        if not stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
            return file.readall()
        begun = _begin(path, file, on_wait)
        if hasattr(os, "set_blocking"):
            os.set_blocking(file.fileno(), True)
        return begun + file.readall()


def _opened(path: str | os.PathLike[str], is_right: Callable[[os.stat_result], bool]) -> int:
    """Open a file of the right kind, and return its descriptor."""
    descriptor = os.open(path, READ)
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
    """Return the first bytes of a pipe; empty if its writer has not written yet."""
    if hasattr(select, "poll"):  # on Windows, reading waits
        poll = select.poll()
        poll.register(file, select.POLLIN)
        poll.poll(PATIENCE * 1000)
    begun = file.read(PIPE_BUFFER)
    if begun is None:
        on_wait()
        return b""
    if not begun:
        raise OSError(errno.EINVAL, "is a pipe without a writer", os.fspath(path))
    return begun
