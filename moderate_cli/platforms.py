"""Parts of the system that Windows or macOS lacks, each with its substitute.

Each is found by looking for it, not by the name of the system, so that tests can take it away.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

WINDOWS = fcntl is None  # all other systems have it


def _flags(*names: str) -> int:
    """Join flags of `os.open`; those that the system lacks count as 0."""
    return sum(getattr(os, name, 0) for name in names)


# Without O_NONBLOCK, opening a FIFO would wait for a writer; without O_BINARY, Windows would
# change the bytes of line ends.
_PLAIN = ("O_CLOEXEC", "O_BINARY")
READ = os.O_RDONLY | _flags("O_NONBLOCK", *_PLAIN)
READ_NO_LINK = READ | _flags("O_NOFOLLOW")
NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | _flags(*_PLAIN)
APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _flags(*_PLAIN)
LOCK = os.O_RDWR | os.O_CREAT | _flags("O_NOFOLLOW", "O_NONBLOCK", *_PLAIN)
FOLDER_NO_LINK = os.O_RDONLY | _flags("O_DIRECTORY", "O_NOFOLLOW", *_PLAIN)

# Signals that end a command, and the one of a timer.
ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
ALARM = getattr(signal, "SIGALRM", signal.SIGTERM)
BROKEN_PIPE = getattr(signal, "SIGPIPE", 13)


def ring(seconds: float) -> None:
    """Raise the signal `ALARM` after some time."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)
    else:
        threading.Timer(seconds, signal.raise_signal, (ALARM,)).start()


def die_by(number: int) -> None:
    """End this process by a signal, or with the status that a shell shows for one.

    On Windows, and for the first process of a container, no signal does it.
    """
    if not WINDOWS:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(128 + number)


def flock(descriptor: int, *, shared: bool = False, wait: bool = True) -> None:
    """Lock an open file or folder; the system frees it with the process.

    On Windows by filelock, which torch needs anyway: it locks files, not folders, and never shares.
    Elsewhere by the system itself, which does both, and whose queue is fair.

    Raises
    ------
    BlockingIOError
        If another process holds it, unless `wait`.
    OSError
        If there are no such locks.
    """
    if fcntl is not None:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
        return
    if shared or not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    from filelock import lock_descriptor

    if not lock_descriptor(descriptor, blocking=wait):
        raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))


def unlock(descriptor: int) -> None:
    """Free the lock of an open file or folder; raises OSError as `flock` does."""
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    elif stat.S_ISREG(os.fstat(descriptor).st_mode):
        from filelock import unlock_descriptor

        with contextlib.suppress(OSError):  # it was not locked
            unlock_descriptor(descriptor)


def open_folder(path: str | os.PathLike[str], flags: int = READ) -> int:
    """Open a folder, for its lock; on Windows the null device, because folders cannot be opened."""
    if WINDOWS:
        os.scandir(path).close()  # raises the error that opening it would
        return os.open(os.devnull, os.O_RDONLY)
    return os.open(path, flags)


def let_go(descriptor: int) -> None:
    """Let an open file be renamed, which Windows refuses; no more can be written then."""
    if WINDOWS:
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def rename_folder(folder: Path, destination: Path) -> None:
    """Rename a folder to a path that is free or an empty folder, which Windows does not replace."""
    if WINDOWS:
        with contextlib.suppress(OSError):
            os.rmdir(destination)
    os.rename(folder, destination)


def exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step; False where the system cannot (not Linux)."""
    import ctypes

    at_fdcwd, rename_exchange = -100, 2
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, TypeError, OSError):
        return False
    paths = os.fsencode(one), os.fsencode(other)
    return not renameat2(at_fdcwd, paths[0], at_fdcwd, paths[1], rename_exchange)


def take_after(descriptor: int, old: os.stat_result) -> None:
    """Give a new file the owner and the permissions of the one that it replaces."""
    if not hasattr(os, "fchown"):
        return
    # Only root may change the owner; others may choose one of their groups.
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, -1, old.st_gid)
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, old.st_uid, -1)
    os.fchmod(descriptor, old.st_mode & 0o777)


def pread(descriptor: int, size: int, offset: int) -> bytes:
    """Read at a position of a file; the position of the descriptor stays the same."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, size, offset)
    before = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.lseek(descriptor, offset, os.SEEK_SET)
    try:
        return os.read(descriptor, size)
    finally:
        os.lseek(descriptor, before, os.SEEK_SET)


def pwrite(descriptor: int, content: memoryview, offset: int) -> int:
    """Write at a position of a file, and return the number of bytes that were written."""
    if hasattr(os, "pwrite"):
        return os.pwrite(descriptor, content, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.write(descriptor, content)


def sync(descriptor: int) -> None:
    """Wait until the content of a file is on the disk."""
    getattr(os, "fdatasync", os.fsync)(descriptor)


def size_on_disk(status: os.stat_result) -> int:
    """Return the bytes that a file takes, without its holes; on Windows those of its content."""
    found = getattr(status, "st_blocks", None)
    return status.st_size if found is None else found * 512
