"""Locks between processes, on files and folders; the kernel frees those of a process that dies.

A lock belongs to the open file, which a forked copy of the process has, too. So each is freed by
unlocking, which frees it for all copies, and not by closing, which waits for the last of them.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from moderate_cli.errors import StoreError
from moderate_cli.files.places import identity

# How a network file system says that it has no locks, or none on a file that is open for reading.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF)
LOCK_FILE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextlib.contextmanager
def lock(path: Path, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock file at `path`; wait for other processes that hold it.

    The kernel drops the lock when its holder dies, so none is ever stale.

    Parameters
    ----------
    path
        The lock file, made if it is missing.
    on_wait
        Called once, with the holder's name, before waiting.

    Raises
    ------
    StoreError
        If it cannot be made, or the file system has no locks.
    """
    with _lock_file(path) as file, _unlocking(file.fileno()):
        try:
            _flock(file, fcntl.LOCK_EX, on_wait)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            raise StoreError(
                f"{path.parent}: its file system has no locks; --part 1/1 does without, and"
                " --store DIR puts it elsewhere"
            ) from None
        yield


@contextlib.contextmanager
def shared_lock(path: Path, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock file as `lock` does, with all others that share it; go on where locks fail."""
    with _lock_file(path) as file, _unlocking(file.fileno()):
        with _where_there_are_locks():
            _flock(file, fcntl.LOCK_SH, on_wait)
        yield


@contextlib.contextmanager
def lock_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock file if nobody does; yields whether that is so, or there are no locks."""
    with _lock_file(path) as file, _unlocking(file.fileno()):
        try:
            with _where_there_are_locks():
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


@contextlib.contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, as far as locks on folders reach; wait while another has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with held(descriptor):
            yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def held(descriptor: int) -> Iterator[None]:
    """Hold the lock of a file or folder that is open, as far as there are locks."""
    with _unlocking(descriptor):
        with _where_there_are_locks():
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def held_in_place(
    opened: Callable[[], tuple[Path, int] | None],
) -> Iterator[tuple[Path, int] | None]:
    """Open a file or folder and hold its lock; again, if another one took its place meanwhile.

    Parameters
    ----------
    opened
        Opens it: its path, and a descriptor, which is closed at the end. None, which is yielded,
        if there is none.
    """
    while True:
        found = opened()
        if found is None:
            yield None
            return
        path, descriptor = found
        try:
            with held(descriptor):
                status = os.fstat(descriptor)
                if identity(path) == (status.st_dev, status.st_ino):
                    yield found
                    return
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def held_by_nobody_else(path: str) -> Iterator[bool]:
    """Hold the lock of what is at a path if nobody does; yields whether that is so.

    False where it cannot be known, or there is nothing.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        with _unlocking(descriptor):
            yield _is_mine(descriptor)
    finally:
        os.close(descriptor)


def _is_mine(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if not isinstance(error, BlockingIOError) and error.errno not in NO_LOCKS:
            raise
        return False
    return True


@contextlib.contextmanager
def _lock_file(path: Path) -> Iterator[BinaryIO]:
    try:
        descriptor = os.open(path, LOCK_FILE, 0o666)
    except OSError as error:
        raise StoreError(
            f"{path.parent}: {error.strerror}; --store DIR puts it elsewhere"
        ) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StoreError(f"{path}: is not a regular file; move it away")
    with os.fdopen(descriptor, "r+b") as file:
        yield file


def _flock(file: BinaryIO, kind: int, on_wait: Callable[[str], None] | None) -> None:
    """Lock a file, tell before waiting for its holder, and write there who holds it now."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        if on_wait is not None:
            on_wait(file.read(256).decode(errors="replace").strip() or "another process")
        fcntl.flock(file, kind)
    file.seek(0)
    file.truncate()
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    file.flush()


@contextlib.contextmanager
def _unlocking(descriptor: int) -> Iterator[None]:
    """Free the lock of an open file at the end, whoever has a copy of it; does no harm if none."""
    owner = os.getpid()
    try:
        yield
    finally:
        # A copy of this process that comes by here must not free what this process holds.
        if os.getpid() == owner:
            with _where_there_are_locks():
                fcntl.flock(descriptor, fcntl.LOCK_UN)


@contextlib.contextmanager
def _where_there_are_locks() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
