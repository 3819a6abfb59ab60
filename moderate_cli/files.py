"""Write a file or a folder whole or not at all.

Everything is written under a temporary name beside its destination, then renamed. Writers hold
an advisory lock on their temporary; one that nobody holds was left by a killed run, and the next
writer to the same destination removes it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from moderate_cli.errors import OutputError
from moderate_cli.locks import held, is_held, turn


@contextlib.contextmanager
def new_file(destination: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a binary file that takes its place at `destination` only if the block succeeds.

    An existing file is replaced in one step and keeps its permissions; a symbolic link goes on
    pointing to its target, which is what is replaced.

    Raises
    ------
    OutputError
        If `destination` is a folder, or cannot be written; what was there before stays.
    """
    path = Path(os.path.realpath(destination))
    if path.is_dir():
        raise OutputError(f"{os.fspath(destination)}: is a folder; name a file")
    check_folder_of(destination)
    remove_stale(path)
    temporary = _temporary(path)
    try:
        with (
            _named(destination, temporary),
            temporary.open("xb") as file,
            held(file.fileno()),
        ):
            yield file
            file.flush()
            os.fsync(file.fileno())
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(file.fileno(), path.stat().st_mode & 0o777)
            os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def new_folder(destination: str | os.PathLike[str], *, replace: bool = False) -> Iterator[Path]:
    """Fill a folder that takes its place at `destination` only if the block succeeds.

    Parameters
    ----------
    destination
        Must not exist, or be an empty folder, unless `replace` is true.
    replace
        Remove what is at `destination`, after the new folder is complete.

    Raises
    ------
    OutputError
        If `destination` exists and may not be replaced, even if it came to be meanwhile.
    """
    path = Path(os.path.abspath(destination))
    if not replace:
        check_free(destination)
    temporary = _temporary(path)
    lock = contextlib.ExitStack()
    try:
        with _named(destination, temporary):
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_stale(path)
            temporary.mkdir()
            lock.enter_context(turn(temporary))
            yield temporary
            if replace:
                replace_folder(temporary, path)
            else:
                _take_place(temporary, path, destination)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    finally:
        lock.close()


@contextlib.contextmanager
def first_folder(destination: str | os.PathLike[str]) -> Iterator[Path]:
    """Fill a folder that takes its place at `destination` unless another process comes first.

    Of several that do so at once, one succeeds, and all find a whole folder there. Needs no locks,
    which some network file systems do not have.
    """
    path = Path(os.path.abspath(destination))
    temporary = _temporary(path)
    temporary.mkdir()
    lock = contextlib.ExitStack()
    try:
        lock.enter_context(turn(temporary))
        yield temporary
        try:
            os.rename(temporary, path)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        lock.close()


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


def check_free(destination: str | os.PathLike[str], advice: str = "--force replaces it") -> None:
    """Refuse a destination for a folder where there is something already."""
    if is_taken(destination):
        raise OutputError(f"{os.fspath(destination)}: exists; {advice}")


def is_taken(destination: str | os.PathLike[str]) -> bool:
    """Whether there is a folder that holds something; what is no folder is refused."""
    # As an absolute path, for of "missing/../here" the system says that it does not exist.
    path = Path(os.path.abspath(destination))
    if is_empty_folder(path) or not os.path.lexists(path):
        return False
    if path.is_symlink() or not path.is_dir():
        raise OutputError(f"{os.fspath(destination)}: is not a folder; name another")
    return True


def _take_place(source: Path, path: Path, destination: str | os.PathLike[str]) -> None:
    """Rename folder `source` to `path`, where there is nothing, or an empty folder."""
    try:
        os.rename(source, path)
    except OSError:
        check_free(destination)
        raise


def check_folder_of(destination: str | os.PathLike[str]) -> None:
    """Refuse a file in a folder that does not exist."""
    folder = os.path.dirname(os.path.realpath(destination))
    if not os.path.isdir(folder):
        name = os.fspath(destination)
        raise OutputError(f"{name}: there is no folder {os.path.dirname(name) or folder}")


def replace_folder(source: Path, destination: Path) -> None:
    """Rename folder `source` to `destination`; a folder that is there is replaced, then removed."""
    if not os.path.lexists(destination) or is_empty_folder(destination):
        os.rename(source, destination)
        return
    _exchange(source, destination)
    try:
        if source.is_symlink() or not source.is_dir():
            source.unlink()
        else:
            shutil.rmtree(source)
    except OSError as error:
        raise OutputError(
            f"{destination}: is complete, but what it replaced cannot be removed from {source}"
            f" ({error.strerror})"
        ) from None


def is_empty_folder(path: Path) -> bool:
    """Whether `path` is a folder, not a link to one, that holds nothing."""
    return path.is_dir() and not path.is_symlink() and not os.listdir(path)


@contextlib.contextmanager
def _named(destination: str | os.PathLike[str], temporary: Path) -> Iterator[None]:
    """Name the destination, not its temporary, where something cannot be written."""
    try:
        yield
    except OSError as error:
        if error.filename is None or os.fsdecode(error.filename).startswith(os.fspath(temporary)):
            reason = f"cannot be written ({error.strerror or error})"
            raise OutputError(f"{os.fspath(destination)}: {reason}") from None
        raise


def _exchange(one: Path, other: Path) -> None:
    # One step where the system has it (Linux renameat2), so that no moment shows neither folder.
    at_fdcwd, rename_exchange = -100, 2
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None and not renameat2(
        at_fdcwd, os.fsencode(one), at_fdcwd, os.fsencode(other), rename_exchange
    ):
        return
    aside = _temporary(other)
    os.rename(other, aside)
    try:
        os.rename(one, other)
    except BaseException:
        os.rename(aside, other)
        raise
    os.rename(aside, one)


def _temporary(path: Path) -> Path:
    # The name is cut so that a destination of 255 bytes, the longest there is, has one too.
    name = os.fsdecode(os.fsencode(path.name)[:200])
    return path.with_name(f".{name}.{secrets.token_hex(4)}.moderate-tmp")


def remove_stale(path: Path) -> None:
    """Remove temporaries of a destination that killed writers left."""
    name = os.fsdecode(os.fsencode(path.name)[:200])
    ours = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{8}}\.moderate-tmp", re.DOTALL)
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            if ours.fullmatch(entry.name) and not entry.is_symlink() and not is_held(entry.path):
                if entry.is_dir():
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)
