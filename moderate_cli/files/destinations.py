"""Check whether a file or a folder may be written to a destination."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from moderate_cli.errors import OutputError
from moderate_cli.files.places import is_mount, place


def check_file(destination: str | os.PathLike[str]) -> None:
    """Refuse a destination without a folder, or one that is protected or not a regular file.

    Raises
    ------
    OutputError
        With the reason.
    """
    shown, path = os.fspath(destination), os.path.realpath(destination)
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        missing = os.path.dirname(shown) or folder
        raise OutputError(f"{shown}: there is no folder {missing}; create it first")
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


def check_free(destination: str | os.PathLike[str]) -> None:
    """Refuse a destination for a folder that exists and is not an empty folder."""
    if is_taken(destination):
        raise OutputError(f"{os.fspath(destination)}: exists; choose another folder")


def is_taken(destination: str | os.PathLike[str]) -> bool:
    """Whether there is a folder with contents; raises OutputError for other things."""
    path = place(destination)
    if is_empty_folder(path) or not os.path.lexists(path):
        return False
    if path.is_symlink() or not path.is_dir():
        raise OutputError(f"{os.fspath(destination)}: is not a folder; choose another name")
    return True


def check_room(destination: str | os.PathLike[str]) -> None:
    """Refuse a destination to which no folder can be renamed, before one is filled.

    Raises
    ------
    OutputError
        If it is a mount point, or its parent folder is not writable.
    """
    shown, path = os.fspath(destination), place(destination)
    if path.is_dir() and is_mount(path):
        raise OutputError(
            f"{shown}: is a mount point, which cannot be replaced; choose a folder inside it, e.g."
            f" {os.path.join(shown, 'out')}"
        )
    above = next(folder for folder in path.parents if os.path.lexists(folder))
    if not above.is_dir():
        raise OutputError(f"{shown}: {above} is not a folder; choose another place")
    if not os.access(above, os.W_OK | os.X_OK):
        advice = "choose another place"
        if path.is_dir() and os.access(path, os.W_OK):
            advice = f"choose a folder inside it, e.g. {os.path.join(shown, 'out')}"
        raise OutputError(f"{shown}: cannot be created, because {above} is not writable; {advice}")


def is_empty_folder(path: Path) -> bool:
    """Whether `path` is an empty folder, and not a link to one."""
    return path.is_dir() and not path.is_symlink() and not os.listdir(path)
