"""Write a file or a folder whole or not at all.

Everything is written under a temporary name beside its destination, then renamed. Writers hold
an advisory lock on their temporary, and on a folder that they replace; what nobody holds was left
by a killed run. The next writer to the same destination removes it, or puts an old folder back.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from moderate_cli.errors import OutputError
from moderate_cli.files.locks import held_by_nobody_else, held_in_place
from moderate_cli.files.places import is_mount, mount_below, place


@contextlib.contextmanager
def new_file(destination: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a binary file that takes its place at `destination` only if the block succeeds.

    An existing file is replaced in one step and keeps its permissions and, as far as the system
    allows, its owner; a symbolic link goes on pointing to its target, which is what is replaced.

    Raises
    ------
    OutputError
        If `destination` is no file that may be replaced, or cannot be written; what was there
        before stays.
    """
    path = Path(os.path.realpath(destination))
    check_file(destination)
    remove_stale(path, folders=False)
    with (
        _held_temporary(destination, path, _open_new_file) as (temporary, descriptor),
        _named(destination, temporary),
        os.fdopen(descriptor, "wb", closefd=False) as file,
    ):
        yield file
        file.flush()
        os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            _take_after(file.fileno(), path.stat())
        check_file(destination)  # something may have come there meanwhile
        os.replace(temporary, path)


def check_file(destination: str | os.PathLike[str]) -> None:
    """Refuse to write over what is no regular file, or is protected, or is in no folder.

    Raises
    ------
    OutputError
        With the reason.
    """
    shown, path = os.fspath(destination), os.path.realpath(destination)
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise OutputError(f"{shown}: there is no folder {os.path.dirname(shown) or folder}")
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{shown}: cannot be written ({error.strerror})") from None
    if stat.S_ISDIR(mode):
        raise OutputError(f"{shown}: is a folder; name a file")
    if not stat.S_ISREG(mode):  # a device, a FIFO, a socket, a loop of links
        raise OutputError(f"{shown}: is not a regular file; choose another name")
    if not mode & 0o222 or not os.access(path, os.W_OK):
        raise OutputError(f"{shown}: is write-protected; make it writable, or choose another name")


def _take_after(file: int, old: os.stat_result) -> None:
    """Give a new file the owner and the permissions of the one that it replaces."""
    # Who is not root may not give a file away, but may give it to a group of their own.
    with contextlib.suppress(PermissionError):
        os.fchown(file, -1, old.st_gid)
    with contextlib.suppress(PermissionError):
        os.fchown(file, old.st_uid, -1)
    os.fchmod(file, old.st_mode & 0o777)


Check = Callable[[Path], None]


@contextlib.contextmanager
def new_folder(
    destination: str | os.PathLike[str], *, may_replace: Check | None = None
) -> Iterator[Path]:
    """Fill a folder that takes its place at `destination` only if the block succeeds.

    Parameters
    ----------
    destination
        Must not exist, or be an empty folder, unless `may_replace` is given.
    may_replace
        Called with the path of the folder that is to be removed once the new one is in its
        place; raises if it may not be.

    Raises
    ------
    OutputError
        If `destination` exists and may not be replaced, even if it came to be meanwhile.
    """
    path = place(destination)
    check_room(destination)
    remove_stale(path, folders=True)
    if may_replace is None:
        check_free(destination)
    with _named(destination):
        path.parent.mkdir(parents=True, exist_ok=True)
    with (
        _held_temporary(destination, path, _open_new_folder) as (temporary, _),
        _named(destination, temporary),
    ):
        yield temporary
        if may_replace is None:
            _take_place(temporary, path, destination)
        else:
            replace_folder(temporary, path, may_replace)


@contextlib.contextmanager
def first_folder(destination: str | os.PathLike[str]) -> Iterator[Path]:
    """Fill a folder that takes its place at `destination` unless another process comes first.

    Of several that do so at once, one succeeds, and all find a whole folder there. Needs no locks,
    which some network file systems do not have.
    """
    path = place(destination)
    with _held_temporary(destination, path, _open_new_folder) as (temporary, _):
        yield temporary
        try:
            os.rename(temporary, path)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise


@contextlib.contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Try to be the only one to do what a file at `path` stands for; yields whether that is so.

    Needs no locks. Who is killed leaves the file; somebody who knows must remove it.
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


def check_free(destination: str | os.PathLike[str]) -> None:
    """Refuse a destination for a folder where there is something already."""
    if is_taken(destination):
        raise OutputError(f"{os.fspath(destination)}: exists; choose another folder")


def is_taken(destination: str | os.PathLike[str]) -> bool:
    """Whether there is a folder that holds something; what is no folder is refused."""
    path = place(destination)
    if is_empty_folder(path) or not os.path.lexists(path):
        return False
    if path.is_symlink() or not path.is_dir():
        raise OutputError(f"{os.fspath(destination)}: is not a folder; name another")
    return True


def check_room(destination: str | os.PathLike[str]) -> None:
    """Refuse a destination for a folder that none could be renamed to, before one is filled.

    Raises
    ------
    OutputError
        If it is a mount point, or the folder above it cannot be written to.
    """
    shown, path = os.fspath(destination), place(destination)
    if path.is_dir() and is_mount(path):
        raise OutputError(
            f"{shown}: is a mount point, which nothing can be renamed to; name a folder inside it,"
            f" such as {os.path.join(shown, 'out')}"
        )
    above = next(folder for folder in path.parents if os.path.lexists(folder))
    if not above.is_dir():
        raise OutputError(f"{shown}: cannot be made, for {above} is not a folder")
    if not os.access(above, os.W_OK | os.X_OK):
        inside = f"; name a folder inside it, such as {os.path.join(shown, 'out')}"
        raise OutputError(
            f"{shown}: cannot be made, for {above} cannot be written to"
            + (inside if path.is_dir() and os.access(path, os.W_OK) else "")
        )


def _take_place(source: Path, path: Path, destination: str | os.PathLike[str]) -> None:
    """Rename folder `source` to `path`, where there is nothing, or an empty folder."""
    try:
        os.rename(source, path)
    except OSError:
        check_free(destination)
        raise


def replace_folder(source: Path, destination: Path, may_replace: Check) -> None:
    """Rename folder `source` to `destination`; a folder that is there is replaced, then removed.

    Parameters
    ----------
    source, destination
        Paths on one file system.
    may_replace
        As in `new_folder`. Called before the old folder is moved, and again when it has a name
        that nobody knows: if it raises, all is as it was.

    Raises
    ------
    OutputError
        If something is mounted in the old folder, or it cannot be removed.
    """
    with _held(destination) as there:
        if not there or is_empty_folder(destination):
            os.rename(source, destination)
            return
        may_replace(destination)
        mounted = mount_below(destination)
        if mounted is not None:
            raise OutputError(f"{destination}: {mounted} is mounted in it; unmount that first")
        aside = _temporary(destination, ASIDE)
        _put_aside(destination, aside, source)
        try:
            may_replace(aside)
        except BaseException:
            _put_aside(destination, source, aside)
            raise
        _remove(aside, destination)


def _put_aside(folder: Path, aside: Path, instead: Path) -> None:
    """Rename a folder to `aside`, and another one to its place."""
    # In one step where the system has it (Linux renameat2), so that no moment shows neither; else
    # `remove_stale` undoes what a kill between two steps leaves.
    at_fdcwd, rename_exchange = -100, 2
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None and not renameat2(
        at_fdcwd, os.fsencode(instead), at_fdcwd, os.fsencode(folder), rename_exchange
    ):
        os.rename(instead, aside)
        return
    os.rename(folder, aside)
    try:
        os.rename(instead, folder)
    except BaseException:
        os.rename(aside, folder)
        raise


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold the lock of a folder, so that of several that replace it each waits for its turn.

    Yields whether there is anything at its place; what is no folder has no lock.
    """

    def opened() -> tuple[Path, int] | None:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return folder, os.open(folder, flags)
        except OSError:
            return None

    with held_in_place(opened) as found:
        yield found is not None or os.path.lexists(folder)


def _remove(folder: Path, replaced_by: Path) -> None:
    while os.path.lexists(folder):
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:  # another process removes it, too
            continue
        except OSError as error:
            raise OutputError(
                f"{replaced_by}: is complete, but what it replaced cannot be removed from {folder}"
                f" ({error.strerror})"
            ) from None


def is_empty_folder(path: Path) -> bool:
    """Whether `path` is a folder, not a link to one, that holds nothing."""
    return path.is_dir() and not path.is_symlink() and not os.listdir(path)


@contextlib.contextmanager
def _named(destination: str | os.PathLike[str], temporary: Path | None = None) -> Iterator[None]:
    """Name the destination, not its temporary, where something cannot be written."""
    try:
        yield
    except OSError as error:
        name = "" if error.filename is None else os.fsdecode(error.filename)
        if temporary is None or not name or name.startswith(os.fspath(temporary)):
            reason = f"cannot be written ({error.strerror or error})"
            raise OutputError(f"{os.fspath(destination)}: {reason}") from None
        raise


TEMPORARY, ASIDE = "moderate-tmp", "moderate-old"


def _temporary(path: Path, kind: str = TEMPORARY) -> Path:
    # The name is cut so that a destination of 255 bytes, the longest there is, has one too.
    name = os.fsdecode(os.fsencode(path.name)[:200])
    return path.with_name(f".{name}.{secrets.token_hex(4)}.{kind}")


@contextlib.contextmanager
def _held_temporary(
    destination: str | os.PathLike[str], path: Path, make: Callable[[Path], int]
) -> Iterator[tuple[Path, int]]:
    """Make a temporary of a destination and hold its lock; yields it, and its descriptor.

    What still has its name in the end is removed, whatever happens and whenever.
    """
    names: list[Path] = []

    def opened() -> tuple[Path, int]:
        while True:
            names.append(_temporary(path))
            # Before it is locked, another writer may take it for one that was left.
            with _named(destination), contextlib.suppress(_Vanished):
                return names[-1], make(names[-1])

    try:
        with held_in_place(opened) as found:
            assert found is not None
            yield found
    finally:
        for name in names:
            if name.is_dir():
                shutil.rmtree(name, ignore_errors=True)
            else:
                name.unlink(missing_ok=True)


class _Vanished(Exception):
    """A temporary is not there any more."""


def _open_new_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)


def _open_new_folder(path: Path) -> int:
    path.mkdir()
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _Vanished from None


def remove_stale(path: Path, *, folders: bool) -> None:
    """Remove what killed writers to a destination left; a folder put aside returns to its place.

    `folders` says whether the destination is a folder; nothing else is touched.
    """
    for left in stale_of(path, folders=folders):
        with contextlib.suppress(OSError), held_by_nobody_else(os.fspath(left)) as stale:
            if not stale:
                continue
            if left.name.endswith(ASIDE) and not os.path.lexists(path):
                os.rename(left, path)
            elif folders:
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink()


def stale_of(path: Path, *, folders: bool) -> list[Path]:
    """Return what is named like a temporary of a destination; some may be in use."""
    name = os.fsdecode(os.fsencode(path.name)[:200])
    ours = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{8}}\.({TEMPORARY}|{ASIDE})", re.DOTALL)
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        return [
            path.with_name(entry.name)
            for entry in entries
            if ours.fullmatch(entry.name)
            and (entry.is_dir if folders else entry.is_file)(follow_symlinks=False)
        ]
    return []
