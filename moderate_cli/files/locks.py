"""Locks between processes, on files and folders; the kernel frees those of a dead process.

A lock belongs to the open file, which a fork of the process shares. So each lock is freed by
unlocking, which works for all forks at once, not by closing, which waits for the last of them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from moderate_cli.errors import StoreError
from moderate_cli.files.places import identity
from moderate_cli.platforms import LOCK, READ_NO_LINK, WINDOWS, flock, open_folder, unlock

# Errors of network file systems without locks, or without locks on files open for reading.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF)


@contextlib.contextmanager
def lock(path: Path, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock file at `path`; wait for other processes that hold it.

    The kernel frees the lock when its holder dies, so it is never stale.

    Parameters
    ----------
    path
        The lock file, created if it is missing.
    on_wait
        Called once, with the holder's name, before waiting.

    Raises
    ------
    StoreError
        If it cannot be created, or the file system does not support locks.
    """
    with _lock_file(path) as file, _unlocking(file.fileno()):
        try:
            _flock(file, on_wait)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            raise StoreError(
                f"{path.parent}: its file system does not support locks; pass --part 1/1, or"
                " another --store DIR"
            ) from None
        yield


@contextlib.contextmanager
def shared_lock(path: Path, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock file together with other `shared_lock`s; do nothing if locks fail."""
    with _lock_file(path) as file, _unlocking(file.fileno()):
        with _if_supported():
            _flock(file, on_wait, shared=True)
        yield


@contextlib.contextmanager
def lock_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock file if it is free; yields False if another process holds it."""
    with _lock_file(path) as file, _unlocking(file.fileno()):
        try:
            with _if_supported():
                flock(file.fileno(), wait=False)
        except BlockingIOError:
            yield False
            return
        yield True


@contextlib.contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, if locks work there; wait while another process holds it."""
    descriptor = open_folder(folder)
    try:
        with held(descriptor):
            yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def held(descriptor: int) -> Iterator[None]:
    """Hold the lock of an open file or folder, if the file system supports locks."""
    with _unlocking(descriptor):
        with _if_supported():
            flock(descriptor)
        yield


@contextlib.contextmanager
def held_in_place(
    opened: Callable[[], tuple[Path, int] | None],
) -> Iterator[tuple[Path, int] | None]:
    """Open a file or folder and hold its lock; repeat if it was replaced meanwhile.

    Parameters
    ----------
    opened
        Opens it, and returns its path and a descriptor, which is closed at the end; None, which is
        yielded, if it does not exist.
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
                if WINDOWS or identity(path) == (status.st_dev, status.st_ino):
                    yield found
                    return
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def held_by_nobody_else(path: str) -> Iterator[bool]:
    """Hold the lock of a file or folder if it is free; yields whether it was.

    False if that is unknown, as on Windows, or nothing exists at the path.
    """
    if WINDOWS:  # it neither opens folders nor removes an open file
        yield False
        return
    try:
        descriptor = os.open(path, READ_NO_LINK)
    except FileNotFoundError:
        yield False
        return
    try:
        with _unlocking(descriptor):
            yield _is_mine(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Create a file at `path` to claim a task; yields whether no other process had claimed it.

    It needs no locks. A killed process leaves the file, and the caller must remove it.
    """
    try:
        path.open("x").close()
    except FileExistsError:
        yield False
        return
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _lock_file(path: Path) -> Iterator[BinaryIO]:
    try:
        descriptor = os.open(path, LOCK, 0o666)
    except OSError as error:
        raise StoreError(f"{path.parent}: {error.strerror}; pass another --store DIR") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StoreError(f"{path}: is not a regular file; move it away")
    with os.fdopen(descriptor, "r+b") as file:
        yield file


def _flock(file: BinaryIO, on_wait: Callable[[str], None] | None, *, shared: bool = False) -> None:
    """Lock a file, call `on_wait` before waiting, and write the new holder to the file."""
    try:
        flock(file.fileno(), shared=shared, wait=False)
    except BlockingIOError:
        if on_wait is not None:
            on_wait(_holder(file))
        flock(file.fileno(), shared=shared)
    file.seek(0)
    file.truncate()
    file.write(f"process {os.getpid()} on {platform.node()}\n".encode())
    file.flush()


def _holder(file: BinaryIO) -> str:
    with contextlib.suppress(PermissionError):  # on Windows no other process may read it
        if name := file.read(256).decode(errors="replace").strip():
            return name
    return "another process"


@contextlib.contextmanager
def _unlocking(descriptor: int) -> Iterator[None]:
    """Free the lock of an open file at the end, for all forks; harmless without a lock."""
    owner = os.getpid()
    try:
        yield
    finally:
        # A fork that runs this must not free the lock of its parent.
        if os.getpid() == owner:
            with _if_supported():
                unlock(descriptor)


@contextlib.contextmanager
def _if_supported() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise


def _is_mine(descriptor: int) -> bool:
    try:
        flock(descriptor, wait=False)
    except OSError as error:
        if not isinstance(error, BlockingIOError) and error.errno not in NO_LOCKS:
            raise
        return False
    return True
