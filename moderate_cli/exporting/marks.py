"""The mark of an export, a list of all in it: what it lists may be replaced, and nothing else."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from moderate_cli.dataset.sources import NotAFile, read_file
from moderate_cli.errors import OutputError
from moderate_cli.files.destinations import check_room, is_taken
from moderate_cli.files.places import place
from moderate_cli.text import printable

MARK = ".moderate-export"  # ImageFolder does not look at it
MARK_TITLE = "moderate export 3"  # its first line; of earlier versions, a number of files


def check_destination(destination: str | os.PathLike[str], *, force: bool = False) -> None:
    """Refuse a folder that an export could not be written to, before any work.

    Raises
    ------
    OutputError
        With the reason, and whether `force` would replace it.
    """
    check_room(destination)
    if force:
        check_replaceable(destination)
    elif is_taken(destination):
        advice = "choose another folder"
        with suppress(OutputError):
            check_replaceable(destination)
            advice = "--force replaces it"
        raise OutputError(f"{os.fspath(destination)}: exists; {advice}")


def check_replaceable(destination: str | os.PathLike[str]) -> None:
    """Refuse a folder that is not an export, or in which something was added or changed since.

    Raises
    ------
    OutputError
        Naming the first such file, or folder that is empty.
    """
    if not is_taken(destination):
        return
    shown, target = os.fspath(destination), place(destination)
    exported = _marked(target, shown)
    nodes, folders = {own.node for own in exported.values()}, _folders_of(exported)
    for name, status in _content(target):
        if name not in folders and not _is_as_exported(
            exported.get(name), _Exported.of(status), status, nodes
        ):
            what = "was changed" if name in exported else "was added"
            raise OutputError(
                f"{shown}: {printable(name)} {what} since the export, and --force would lose it;"
                " move it away, or choose another folder"
            )


def _folders_of(exported: Iterable[str]) -> set[str]:
    """Return the folders of an export, also those whose files were all removed since."""
    found = set()
    for name in exported:
        while (end := name.rfind("/", 0, -1)) >= 0:
            name = name[: end + 1]
            found.add(name)
    return found | {name for name in exported if name.endswith("/")}


class _Exported(NamedTuple):
    """A file or empty folder when it was exported: size, modification time, device and inode."""

    size: int
    time: int
    device: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> _Exported:
        return cls(status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino)

    @property
    def node(self) -> tuple[int, int]:
        return (self.device, self.inode)


def _is_as_exported(
    then: _Exported | None, now: _Exported, status: os.stat_result, nodes: set[tuple[int, int]]
) -> bool:
    """Whether a file is still the exported one; `nodes` are those of all exported files."""
    if then is None:
        return False
    if then.node == now.node and stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
        return True  # its image was changed with it, and has another name; no byte is lost
    # With the node of another name, two files were swapped. A new node may be of a copied export.
    moved = then.node != now.node and now.node in nodes
    return then[:2] == now[:2] and not moved


def _marked(folder: Path, shown: str) -> dict[str, _Exported]:
    """Read the list of an export: path -> file or empty folder when it was exported."""
    try:
        title, *lines = read_file(os.fspath(folder / MARK))[0].decode("ascii").splitlines()
        if title == MARK_TITLE:
            entries = (json.loads(line) for line in lines)
            return {str(name): _Exported(*map(int, own)) for name, *own in entries}
        if title.isdecimal():
            raise OutputError(
                f"{shown}: was exported by an earlier version, which kept no list of its files;"
                " remove it yourself, or choose another folder"
            )
    except (OSError, NotAFile, ValueError, TypeError):
        pass  # a file of that name, but not ours
    raise OutputError(
        f"{shown}: was not made by --copy-to, so --force does not replace it; choose another folder"
    )


def mark(folder: Path) -> None:
    """Write the list of an export's files and empty folders into it."""
    # Encoding the name alone takes a third of the time of a list.
    lines = [
        f"[{json.dumps(name)}, {', '.join(map(str, _Exported.of(status)))}]"
        for name, status in _content(folder)
    ]
    (folder / MARK).write_text("\n".join([MARK_TITLE, *lines, ""]), encoding="ascii")


def _content(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield all below a folder except the mark, each with its stat, sorted by name.

    That is files, and folders that are empty, whose name ends in a slash.
    """
    stack = [""]
    while stack:
        parent = stack.pop()
        with os.scandir(folder / parent) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        if parent and not found:
            yield parent, os.stat(folder / parent)
        inner = [entry.is_dir(follow_symlinks=False) for entry in found]
        for entry, is_folder in zip(found, inner, strict=True):
            name = f"{parent}{entry.name}"
            if not is_folder and name != MARK:
                yield name, entry.stat(follow_symlinks=False)
        folders = [entry.name for entry, is_folder in zip(found, inner, strict=True) if is_folder]
        stack += [f"{parent}{name}/" for name in reversed(folders)]
