"""Sources of the bytes of images: files on this machine, or those that other modules add."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from moderate_cli.errors import ModerateError
from moderate_cli.platforms import READ

# Size in bytes; a number that changes with the content, such as the modification time; and two that
# change even if the first two were restored: time of the last change to the inode, and inode.
Stat = tuple[int, int, int, int]
NO_STAT: Stat = (-1, -1, -1, -1)
# How to detect changed files -> how many numbers of the stat must be equal. On some network file
# systems, times and inodes differ at each mount.
CHECKS = {"stat": 4, "mtime": 2, "content": 0}
MORE = 1 << 20  # bytes
LARGEST = (1 << 63) - 1  # of int64; some file systems have larger inode numbers


class NotAFile(ModerateError):
    """A path that can be opened but is not a regular file."""


class Source(Protocol):
    """Reads images; a name is the root of the dataset, a slash, and the path of the image."""

    def stat(self, name: str) -> Stat:
        """Return numbers that change with the content, without reading it; -1 if missing."""

    def read(self, name: str) -> tuple[bytes, Stat]:
        """Return the bytes of an image, and their stat.

        Raises
        ------
        NotAFile
            If it is not a regular file.
        OSError
            If it cannot be read.
        """

    @property
    def has_neighbors(self) -> bool:
        """Whether features can be stored beside the dataset."""

    @property
    def containers(self) -> Sequence[str]:
        """Files of this machine that hold the images, such as tar files; none for plain files."""

    @property
    def suffix(self) -> str:
        """Ending of the containers' names, which the root of the dataset lacks; "" for folders."""

    def part(self, names: Iterable[str]) -> Source:
        """Return a source that can read at least these, for use on another machine."""


@dataclass(frozen=True)
class Files:
    """Files on this machine, or on a file system that is mounted on it."""

    has_neighbors = True
    containers = ()
    suffix = ""

    def stat(self, name: str) -> Stat:
        """Return size, times in nanoseconds, and inode of a file; -1 if missing."""
        return file_stat(name)

    def read(self, name: str) -> tuple[bytes, Stat]:
        """Return the bytes of a regular file, and its stat when it was opened."""
        return read_file(name)

    def part(self, _names: Iterable[str]) -> Files:
        """Return itself: it can read every file."""
        return self


FILES = Files()


def file_stat(path: str) -> Stat:
    """Return size, times in nanoseconds, and inode of a file; -1 if missing."""
    try:
        return as_stat(os.stat(path))
    except OSError:
        return NO_STAT


def as_stat(status: os.stat_result) -> Stat:
    """Return the fields of a file's status that change with its content.

    Size and modification time are not enough: `touch -r`, `cp -p`, `tar -x`, or a swap of two files
    may leave them equal.
    """
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino & LARGEST)


def read_file(path: str) -> tuple[bytes, Stat]:
    """Return the bytes of a regular file, and its stat when it was opened.

    Raises
    ------
    NotAFile
        If it is a FIFO, a device or a folder.
    OSError
        If it cannot be read.
    """
    descriptor = os.open(path, READ)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotAFile("is not a regular file")
        return _whole(descriptor, status.st_size), as_stat(status)
    finally:
        os.close(descriptor)


def _whole(descriptor: int, size: int) -> bytes:
    """Read all of a file, mostly in one call: a file object would make five of the system."""
    content = os.read(descriptor, size + 1)  # of a regular file, fewer bytes are the last ones
    if len(content) == size:
        return content
    parts = [content]  # it has changed its size, or is larger than one call reads
    while parts[-1]:
        parts.append(os.read(descriptor, MORE))
    return b"".join(parts)


def is_readable(name: str, source: Source = FILES) -> bool:
    """Whether the bytes of an image can be read."""
    try:
        source.read(name)
    except (OSError, NotAFile):
        return False
    return True
