"""Write a file or a folder completely or not at all.

Everything is written under a temporary name beside its destination, then renamed. Writers hold an
advisory lock on their temporary, and on a folder that they replace. A temporary that nobody holds
was left by a killed run: the next writer to that destination removes it, or restores an old folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from moderate_cli.errors import OutputError
from moderate_cli.files.destinations import check_file, check_free, check_room, is_empty_folder
from moderate_cli.files.locks import held_in_place
from moderate_cli.files.places import mount_below, place
from moderate_cli.files.temporaries import (
    ASIDE,
    held_temporary,
    naming,
    remove_stale,
    temporary_of,
)
from moderate_cli.platforms import (
    FOLDER_NO_LINK,
    exchange,
    let_go,
    open_folder,
    rename_folder,
    take_after,
)


@contextlib.contextmanager
def new_file(destination: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a binary file that takes its place at `destination` only if the block succeeds.

    An existing file is replaced in one step. The new one keeps its permissions and, if the system
    allows, its owner. If `destination` is a symbolic link, its target is replaced.

    Raises
    ------
    OutputError
        If `destination` is not a file that may be replaced, or cannot be written; an existing
        file stays as it was.
    """
    path = Path(os.path.realpath(destination))
    check_file(destination)
    remove_stale(path, folders=False)
    with (
        held_temporary(destination, path, folder=False) as (temporary, descriptor),
        naming(destination, temporary),
        os.fdopen(descriptor, "wb", closefd=False) as file,
    ):
        yield file
        file.flush()
        os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            take_after(descriptor, path.stat())
        check_file(destination)  # it may have been created meanwhile
        let_go(descriptor)
        os.replace(temporary, path)


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
        Called with the old folder before it is removed; raises an error to keep it.

    Raises
    ------
    OutputError
        If `destination` exists and may not be replaced, even if it was created meanwhile.
    """
    path = place(destination)
    check_room(destination)
    remove_stale(path, folders=True)
    if may_replace is None:
        check_free(destination)
    with naming(destination):
        path.parent.mkdir(parents=True, exist_ok=True)
    with (
        held_temporary(destination, path, folder=True) as (temporary, _),
        naming(destination, temporary),
    ):
        yield temporary
        if may_replace is None:
            _take_place(temporary, path, destination)
        else:
            replace_folder(temporary, path, may_replace)


@contextlib.contextmanager
def first_folder(destination: str | os.PathLike[str]) -> Iterator[Path]:
    """Fill a folder that takes its place at `destination` unless another process comes first.

    If several processes do so, one succeeds, and all find a complete folder. It needs no locks,
    which some network file systems lack.
    """
    path = place(destination)
    with held_temporary(destination, path, folder=True) as (temporary, _):
        yield temporary
        try:
            os.rename(temporary, path)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise


def _take_place(source: Path, path: Path, destination: str | os.PathLike[str]) -> None:
    """Rename folder `source` to `path`, which is free or an empty folder."""
    try:
        rename_folder(source, path)
    except OSError:
        check_free(destination)
        raise


def replace_folder(source: Path, destination: Path, may_replace: Check) -> None:
    """Rename folder `source` to `destination`, then remove the old folder.

    Parameters
    ----------
    source, destination
        Paths on one file system.
    may_replace
        As in `new_folder`. Called before the old folder is renamed, and again when it has a name
        that no other process knows. If it raises, the old folder is restored.

    Raises
    ------
    OutputError
        If the old folder contains a mount point, or cannot be removed.
    """
    with _held(destination) as there:
        if not there or is_empty_folder(destination):
            rename_folder(source, destination)
            return
        may_replace(destination)
        mounted = mount_below(destination)
        if mounted is not None:
            raise OutputError(
                f"{destination}: contains the mount point {mounted}; unmount that first"
            )
        aside = temporary_of(destination, ASIDE)
        _put_aside(destination, aside, source)
        try:
            may_replace(aside)
        except BaseException:
            _put_aside(destination, source, aside)
            raise
        try:
            _remove(aside, destination)
        except BaseException:  # a signal: the old folder is no longer needed
            shutil.rmtree(aside, ignore_errors=True)
            raise


def _put_aside(folder: Path, aside: Path, instead: Path) -> None:
    """Rename a folder to `aside`, and `instead` to its place."""
    # In one step where possible, so that there always is a folder; else
    # `remove_stale` repairs the state after a kill between the steps.
    if exchange(instead, folder):
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
    """Hold the lock of a folder, so that processes replace it one after another.

    Yields whether anything exists at its path; only a folder is locked.
    """

    def opened() -> tuple[Path, int] | None:
        try:
            return folder, open_folder(folder, FOLDER_NO_LINK)
        except OSError:
            return None

    with held_in_place(opened) as found:
        yield found is not None or os.path.lexists(folder)


def _remove(folder: Path, replaced_by: Path) -> None:
    while os.path.lexists(folder):
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:  # another process removes it too
            continue
        except OSError as error:
            raise OutputError(
                f"{replaced_by}: is complete, but its old version cannot be removed"
                f" ({error.strerror}); remove {folder}"
            ) from None
