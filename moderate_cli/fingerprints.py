"""What identifies the bytes of an image file: its stat, cheap, and its digest, certain."""

from __future__ import annotations

import hashlib
import os
import stat

import numpy as np
import numpy.typing as npt

from moderate_cli.dataset import Dataset
from moderate_cli.errors import ModerateError

NO_STAT = (-1, -1)
DIGEST_SIZE = 16
NO_DIGEST = bytes(DIGEST_SIZE)


class NotAFile(ModerateError):
    """A path that can be opened but is not a regular file."""


def file_stats(dataset: Dataset) -> npt.NDArray[np.int64]:
    """Size in bytes and modification time in nanoseconds of each image, (n, 2); -1 if missing."""
    top = os.fspath(dataset.root)
    return np.array([file_stat(f"{top}/{path}") for path, _ in dataset.samples], dtype=np.int64)


def file_stat(path: str) -> tuple[int, int]:
    """Size in bytes and modification time in nanoseconds of a file; -1 if missing."""
    try:
        status = os.stat(path)
    except OSError:
        return NO_STAT
    return (status.st_size, status.st_mtime_ns)


def read_file(path: str) -> tuple[bytes, tuple[int, int]]:
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


def is_readable(path: str) -> bool:
    """Whether the bytes of a file can be read."""
    try:
        read_file(path)
    except (OSError, NotAFile):
        return False
    return True


def content_digest(content: bytes) -> bytes:
    """BLAKE2b of the bytes of a file, `DIGEST_SIZE` long."""
    return hashlib.blake2b(content, digest_size=DIGEST_SIZE).digest()
