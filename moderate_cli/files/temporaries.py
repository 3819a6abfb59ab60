"""Temporary files and folders beside a destination, until it is complete.

Each is locked by its writer; one without a lock was left by a killed writer.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from moderate_cli.errors import OutputError
from moderate_cli.files.locks import held_by_nobody_else, held_in_place
from moderate_cli.platforms import NEW, open_folder

TEMPORARY, ASIDE = "moderate-tmp", "moderate-old"


@contextlib.contextmanager
def held_temporary(
    destination: str | os.PathLike[str], path: Path, *, folder: bool
) -> Iterator[tuple[Path, int]]:
    """Make a temporary file or folder and lock it; yields its path and its descriptor.

    If it still has its name at the end, it is removed, even after an error or a signal.

    Parameters
    ----------
    destination, path
        The destination, as the user wrote it and with links followed.
    folder
        Whether to make a folder.
    """
    names: list[Path] = []
    make = _open_new_folder if folder else _open_new_file

    def opened() -> tuple[Path, int]:
        while True:
            names.append(temporary_of(path))
            # Before it is locked, another writer may mistake it for a stale one.
            with naming(destination), contextlib.suppress(_Vanished):
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


def temporary_of(path: Path, kind: str = TEMPORARY) -> Path:
    """Return a new name beside a destination."""
    # Cut, so that a destination of 255 bytes, the longest name, has one too.
    name = os.fsdecode(os.fsencode(path.name)[:200])
    return path.with_name(f".{name}.{os.urandom(4).hex()}.{kind}")


@contextlib.contextmanager
def naming(destination: str | os.PathLike[str], temporary: Path | None = None) -> Iterator[None]:
    """Name the destination, not its temporary, in errors of writing."""
    try:
        yield
    except OSError as error:
        name = "" if error.filename is None else os.fsdecode(error.filename)
        if temporary is None or not name or name.startswith(os.fspath(temporary)):
            reason = f"cannot be written ({error.strerror or error})"
            raise OutputError(f"{os.fspath(destination)}: {reason}") from None
        raise


class _Vanished(Exception):
    """A temporary was removed by another process."""


def _open_new_file(path: Path) -> int:
    return os.open(path, NEW, 0o666)


def _open_new_folder(path: Path) -> int:
    path.mkdir()
    try:
        return open_folder(path)
    except FileNotFoundError:
        raise _Vanished from None


def remove_stale(path: Path, *, folders: bool) -> None:
    """Remove temporaries of killed writers to a destination; restore a folder that was put aside.

    `folders` says whether the destination is a folder; only such temporaries are touched.
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
    """Return paths with the name of a temporary of a destination; some may be in use."""
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
