"""Where the bytes of images come from: files of this machine, or what other modules add."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from moderate_cli.errors import ModerateError

Stat = tuple[int, int]
NO_STAT = (-1, -1)


class NotAFile(ModerateError):
    """A path that can be opened but is not a regular file."""


class Source(Protocol):
    """What images are read from, by the root of their dataset, a slash, and their path in it."""

    def stat(self, name: str) -> Stat:
        """Size in bytes, and a number that changes when the content does; -1 if missing."""

    def read(self, name: str) -> tuple[bytes, Stat]:
        """Bytes of an image, and their stat.

        Raises
        ------
        NotAFile
            If it is something else.
        OSError
            If it cannot be read.
        """

    @property
    def has_neighbors(self) -> bool:
        """Whether features can lie beside the dataset."""

    def part(self, names: Iterable[str]) -> Source:
        """Return what can read these, at least; it may be sent to another machine."""


@dataclass(frozen=True)
class Files:
    """Files of this machine, or of a file system that is mounted on it."""

    has_neighbors = True

    def stat(self, name: str) -> Stat:
        """Size in bytes and modification time in nanoseconds of a file; -1 if missing."""
        return file_stat(name)

    def read(self, name: str) -> tuple[bytes, Stat]:
        """Bytes of a regular file, and its stat when it was opened."""
        return read_file(name)

    def part(self, _names: Iterable[str]) -> Files:
        """Return the same."""
        return self


FILES = Files()


def file_stat(path: str) -> Stat:
    """Size in bytes and modification time in nanoseconds of a file; -1 if missing."""
    try:
        status = os.stat(path)
    except OSError:
        return NO_STAT
    return (status.st_size, status.st_mtime_ns)


def read_head(path: str, size: int) -> bytes:
    """First bytes of a regular file.

    Raises
    ------
    NotAFile
        If it is a FIFO, a device or a folder.
    OSError
        If it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotAFile("is not a regular file")
        return file.read(size)


def read_file(path: str) -> tuple[bytes, Stat]:
    """Bytes of a regular file, and its size and modification time when it was opened.

    Raises
    ------
    NotAFile
        If it is a FIFO, a device or a folder.
    OSError
        If it cannot be read.
    """
    # Without O_NONBLOCK the opening of a FIFO waits for a writer that never comes.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotAFile("is not a regular file")
        return file.readall(), (status.st_size, status.st_mtime_ns)


def is_readable(name: str, source: Source = FILES) -> bool:
    """Whether the bytes of an image can be read."""
    try:
        source.read(name)
    except (OSError, NotAFile):
        return False
    return True
