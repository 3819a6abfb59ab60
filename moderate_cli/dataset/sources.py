"""Where the bytes of images come from: files of this machine, or what other modules add."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from moderate_cli.errors import ModerateError

# Size in bytes; a number that changes with the content, such as the modification time; and two more
# that change where the first two were put back: time of the last change to the inode, and inode.
Stat = tuple[int, int, int, int]
NO_STAT: Stat = (-1, -1, -1, -1)
# What tells that a file is unchanged -> how many numbers of its stat must be those that it had. The
# times and inodes of some network file systems are others each time.
CHECKS = {"stat": 4, "mtime": 2, "content": 0}
LARGEST = (1 << 63) - 1  # that an int64 holds; some file systems have larger inode numbers


class NotAFile(ModerateError):
    """A path that can be opened but is not a regular file."""


class Source(Protocol):
    """What images are read from, by the root of their dataset, a slash, and their path in it."""

    def stat(self, name: str) -> Stat:
        """What is cheap to know, and changes when the content does; -1 if missing."""

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
        """Size, times in nanoseconds, and inode of a file; -1 if missing."""
        return file_stat(name)

    def read(self, name: str) -> tuple[bytes, Stat]:
        """Bytes of a regular file, and its stat when it was opened."""
        return read_file(name)

    def part(self, _names: Iterable[str]) -> Files:
        """Return the same."""
        return self


FILES = Files()


def file_stat(path: str) -> Stat:
    """Size, times in nanoseconds, and inode of a file; -1 if missing."""
    try:
        return as_stat(os.stat(path))
    except OSError:
        return NO_STAT


def as_stat(status: os.stat_result) -> Stat:
    """Take of a file's status what changes with its content.

    The modification time can be put back, and a file can take the place of another of its size and
    time: `touch -r`, `cp -p`, `tar -x`, or two files that change places. The other two tell.
    """
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino & LARGEST)


def read_file(path: str) -> tuple[bytes, Stat]:
    """Bytes of a regular file, and its stat when it was opened.

    Raises
    ------
    NotAFile
        If it is a FIFO, a device or a folder.
    OSError
        If it cannot be read.
    """
    # Without O_NONBLOCK the opening of a FIFO waits for a writer that never comes.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise NotAFile("is not a regular file")
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        return file.readall(), as_stat(status)


def is_readable(name: str, source: Source = FILES) -> bool:
    """Whether the bytes of an image can be read."""
    try:
        source.read(name)
    except (OSError, NotAFile):
        return False
    return True
