"""Copy or link the kept images into a new dataset of the same kind."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import stat
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Rows, blocks
from moderate_cli.dataset import Dataset, scan
from moderate_cli.dataset.sources import NotAFile, read_file
from moderate_cli.dataset.tars import Tars, write_tars
from moderate_cli.errors import ArgumentError, OutputError, check_choice
from moderate_cli.exporting.trees import rest_of
from moderate_cli.files.atomic import new_file, new_folder
from moderate_cli.files.destinations import check_room, is_taken
from moderate_cli.files.places import place
from moderate_cli.guard import Guard
from moderate_cli.listening import SILENT, Listener
from moderate_cli.text import one_line, printable
from moderate_cli.threads import in_threads

PART = 500  # files that one thread copies between two reports of progress
MARK = ".moderate-export"  # lists the files of an export; ImageFolder does not look at it
MARK_TITLE = "moderate export 3"  # its first line; of earlier versions, a number of files


Counts = Generator[int, None, None]


def export(
    data: str | os.PathLike[str] | Dataset,
    kept: npt.ArrayLike,
    destination: str | os.PathLike[str],
    *,
    link: str = "none",
    force: bool = False,
    tree: str | os.PathLike[str] | None = None,
    listener: Listener = SILENT,
) -> None:
    """Write the kept images to a new folder with the same classes, completely or not at all.

    For a dataset in tar files, the folder gets tar files of the same names; for that of a list, the
    images at their paths and the rows of the list.

    Parameters
    ----------
    data
        A `Dataset`, or a path or URL as for `scan`. It is never changed.
    kept
        bool (n,), such as a `Selection` of it.
    destination
        Must not exist, or be empty, unless `force` is true.
    link
        "none" copies, "hard" and "symbolic" link to the source's files.
    force
        Replace an earlier export in which no file was added or changed since.
    tree
        Folder that contains the dataset, such as `data` with `data/train`. The new folder is one
        like it: all else in it, such as `data/val`, is copied or linked as it is.
    listener
        Told how far the work is.

    Raises
    ------
    OutputError
        If `destination` cannot be written, or a class would be left without images: ImageFolder's
        class indices would shift silently.

    Examples
    --------
    >>> from moderate_cli import select
    >>> selection = select("data/train", ratio=0.5, backbone="pixels")
    >>> export("data/train", selection, "data/train-half")
    """
    check_choice("link", link, LINKS)
    dataset, mask = data if isinstance(data, Dataset) else scan(data), np.asarray(kept)
    if mask.dtype != bool or mask.shape != (len(dataset),):
        raise ArgumentError(f"kept: is not a mask, a bool array of shape ({len(dataset)},)")
    shown, source, rows = os.fspath(destination), dataset.source, np.flatnonzero(mask)
    listed = dataset.listed
    guard = Guard.of(dataset)
    if tree is not None:
        guard.add_folder(tree, "the tree of splits")
    guard.check_folder(destination, replace=force)
    check_destination(destination, force=force)
    inner = "" if tree is None else _inside(tree, dataset)
    if isinstance(source, Tars):
        if link != "none":
            raise ArgumentError(f"link: {link!r} needs images in folders, not in tar files")
        _check_names(source, shown)
    elif listed is not None:
        if not listed.portable:
            raise OutputError(
                f"{shown}: the paths in {listed.path.name} are absolute, so it would not list the"
                " copies; -o lists the kept images"
            )
    elif dataset.in_files:
        _check_classes(dataset, set(dataset.labels[rows].tolist()), shown)
    else:
        raise OutputError(
            f"{shown}: images of {dataset.root} are not on this machine; -o lists the kept ones"
        )
    with new_folder(destination, may_replace=check_replaceable if force else None) as whole:
        folder = whole / inner
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(source, Tars):
            written = _write_tars(source, {dataset.paths[row] for row in rows.tolist()}, folder)
        else:
            written = _write_files(dataset, rows, folder, link)
        # Closed on errors, so that no thread writes to a folder that is being removed.
        with listener.progress("copy") as move, closing(written) as counts:
            for done in counts:
                move(done, len(rows))
        if listed is not None:
            with new_file(folder / listed.path.name) as file:
                listed.copy(rows, file)
        if tree is not None:
            _write_rest(place(tree), dataset.root, whole, link)
        mark(whole)


def _inside(tree: str | os.PathLike[str], dataset: Dataset) -> str:
    """Return the path of a dataset in a tree."""
    top = place(tree)
    if not dataset.in_files or dataset.home != dataset.root or top not in dataset.root.parents:
        raise ArgumentError(f"tree: {os.fspath(tree)} does not contain the folder {dataset.home}")
    return os.path.relpath(dataset.root, top)


def _write_rest(tree: Path, dataset: Path, folder: Path, link: str) -> None:
    """Put all else of a tree into a folder."""
    for branch in rest_of(tree, dataset):
        target = folder / branch.path
        target.mkdir(exist_ok=True)
        copy_files(tree / branch.path, target, [(name, name) for name in branch.files], link)


def _write_files(dataset: Dataset, rows: Rows, folder: Path, link: str) -> Counts:
    """Put images into a folder; yield the number done, part by part."""
    for name in dataset.classes if dataset.listed is None else ():
        (folder / name).mkdir(exist_ok=True)  # a flat dataset's only class is the folder itself
    parts = list(_parts(dataset.paths[row] for row in rows.tolist()))
    for parent in {parent for parent, _ in parts}:
        (folder / parent).mkdir(parents=True, exist_ok=True)

    def work(part: tuple[str, list[tuple[str, str]]]) -> int:
        parent, names = part
        return copy_files(dataset.root / parent, folder / parent, names, link)

    with closing(in_threads(work, parts)) as counts:
        yield from itertools.accumulate(counts)


def _write_tars(source: Tars, keys: set[str], folder: Path) -> Counts:
    """Write tar files with the samples of these keys; yield the number done."""
    for done, _ in enumerate(write_tars(source, keys, folder), 1):
        yield done


def _parts(paths: Iterable[str]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield parts of the images: a folder, and for each file its name, twice: old and new."""
    for parent, group in itertools.groupby(paths, os.path.dirname):
        names = [os.path.basename(path) for path in group]
        for part in blocks(len(names), PART):
            yield parent, [(name, name) for name in names[part]]


def copy_files(source: Path, target: Path, names: Sequence[tuple[str, str]], link: str) -> int:
    """Link or copy files of one folder to another, each under a new name; count them."""
    # Relative to an open folder, a name is not looked up from the root.
    folders = [os.open(folder, os.O_RDONLY | os.O_CLOEXEC) for folder in (source, target)]
    try:
        for name, new in names:
            try:
                LINKS[link](source / name, target / new, *folders)
            except OSError as error:
                reason = f"cannot be exported ({error.strerror or one_line(error)})"
                if error.errno == errno.EXDEV:
                    reason = "a hard link cannot lead to another file system; use --link symbolic"
                raise OutputError(f"{source / name}: {reason}") from None
    finally:
        for folder in folders:
            os.close(folder)
    return len(names)


def _copy(source: Path, target: Path, _from: int, _to: int) -> None:
    shutil.copy2(source, target)


def _hard_link(source: Path, target: Path, from_: int, to: int) -> None:
    # To the file behind a symbolic link: from its new place the link might lead nowhere.
    os.link(source.name, target.name, src_dir_fd=from_, dst_dir_fd=to, follow_symlinks=True)


def _symbolic_link(source: Path, target: Path, _from: int, to: int) -> None:
    os.symlink(source, target.name, dir_fd=to)


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
    """Refuse a folder that is not an export, or in which a file was added or changed since.

    Raises
    ------
    OutputError
        Naming the first such file.
    """
    if not is_taken(destination):
        return
    shown, target = os.fspath(destination), place(destination)
    exported = _marked(target, shown)
    nodes = {own.node for own in exported.values()}
    for name, status in _files(target):
        if not _is_as_exported(exported.get(name), _Exported.of(status), status, nodes):
            what = "was changed" if name in exported else "was added"
            raise OutputError(
                f"{shown}: {printable(name)} {what} since the export, and --force would lose it;"
                " move it away, or choose another folder"
            )


class _Exported(NamedTuple):
    """A file when it was exported: its size, modification time, device and inode."""

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
    """Read the list of an export: path -> file when it was exported."""
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
    """Write the list of an export's files into it."""
    lines = [json.dumps([name, *_Exported.of(status)]) for name, status in _files(folder)]
    (folder / MARK).write_text("\n".join([MARK_TITLE, *lines, ""]), encoding="ascii")


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield all files below a folder except the mark, each with its stat, sorted by name."""
    stack = [""]
    while stack:
        parent = stack.pop()
        with os.scandir(folder / parent) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        inner = [entry.is_dir(follow_symlinks=False) for entry in found]
        for entry, is_folder in zip(found, inner, strict=True):
            name = f"{parent}{entry.name}"
            if not is_folder and name != MARK:
                yield name, entry.stat(follow_symlinks=False)
        folders = [entry.name for entry, is_folder in zip(found, inner, strict=True) if is_folder]
        stack += [f"{parent}{name}/" for name in reversed(folders)]


def _check_names(source: Tars, shown: str) -> None:
    if len({os.path.basename(shard) for shard in source.shards}) < len(source.shards):
        raise OutputError(f"{shown}: two of the tar files have the same name; rename one")


def _check_classes(dataset: Dataset, kept: set[int], shown: str) -> None:
    empty = set(dataset.empty_classes)
    lost: Sequence[str] = [
        name
        for label, name in enumerate(dataset.classes)
        if label not in kept and name not in empty
    ]
    if lost:
        raise OutputError(
            f"{shown}: {len(lost)} of {len(dataset.classes)} classes would be empty, e.g."
            f" {lost[0]!r}, and ImageFolder's class indices would shift; keep more images"
        )


Link = Callable[[Path, Path, int, int], None]
LINKS: dict[str, Link] = {"none": _copy, "hard": _hard_link, "symbolic": _symbolic_link}
