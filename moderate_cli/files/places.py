"""Resolve paths as the kernel does, and identify folders."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

Identity = tuple[int, int]  # device and inode: the same under all names of a folder

MOST_STEPS = 10_000  # of a path with links; more are a circle of links

MOUNTS = "/proc/self/mountinfo"  # Linux; elsewhere mounts are detected by their device


def place(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path; if it is itself a link, that link is not followed.

    Links before the last name are followed, and `..` is the parent of a link's target, as for the
    kernel. `os.path.abspath` removes `link/..` as text, which may give another folder.

    >>> place("/usr/../etc/./hosts")
    PosixPath('/etc/hosts')
    """
    text = os.fspath(path)
    folder, name = os.path.split(text.rstrip("/" + os.sep) or text)
    if name in ("", os.curdir, os.pardir):
        return Path(os.path.realpath(text))
    return Path(os.path.realpath(folder), name)


def identity(path: str | os.PathLike[str]) -> Identity | None:
    """Return device and inode of a path, links followed; None if it does not exist."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino)


def lineage(path: str | os.PathLike[str]) -> Iterator[Identity]:
    """Yield the identity of a path and of each folder above it, if they exist."""
    real = Path(os.path.realpath(path))
    for folder in (real, *real.parents):
        found = identity(folder)
        if found is not None:
            yield found


def contains(folder: str | os.PathLike[str], path: str | os.PathLike[str]) -> bool:
    """Whether a path is a folder, or inside it; neither needs to exist yet.

    This also holds for a folder that is mounted at two places, as in containers.
    """
    if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        return True
    return identity(folder) in set(lineage(path))


def passed_through(path: str | os.PathLike[str]) -> set[Identity]:
    """Return all folders on the way to the target of a path, link after link, and the target.

    If one of them were removed, the path would no longer lead to its target.
    """
    found = set()
    whole = Path(os.path.abspath(path))
    here, rest = whole.anchor, list(whole.parts[:0:-1])
    for _ in range(MOST_STEPS):
        folder = identity(here)
        if folder is not None:
            found.add(folder)
        if not rest:
            break
        name = rest.pop()
        if name == os.pardir:
            here = os.path.dirname(here)
        else:
            step = os.path.join(here, name)
            if os.path.islink(step):
                target = Path(os.readlink(step))
                here = target.anchor or here
                rest += target.parts[::-1][: -1 if target.anchor else None]
            else:
                here = step
    return found


def is_mount(path: str | os.PathLike[str]) -> bool:
    """Whether something is mounted at a path."""
    return os.path.ismount(path) or Path(os.path.realpath(path)) in set(_mounts())


def mount_below(folder: str | os.PathLike[str]) -> Path | None:
    """Return a mount point inside a folder, if there is one."""
    real = Path(os.path.realpath(folder))
    return next((point for point in _mounts() if real in point.parents), None)


def _mounts() -> Iterator[Path]:
    # os.path.ismount misses a folder that is mounted again on its own file system.
    with contextlib.suppress(OSError), open(MOUNTS, "rb") as lines:
        for line in lines:
            point = re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8)]), line.split()[4])
            yield Path(os.fsdecode(point))
