"""Make a pruned ImageFolder of the images that are kept."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.dataset import Dataset
from moderate_cli.errors import ArgumentError, OutputError
from moderate_cli.files import is_taken, new_folder
from moderate_cli.processors import in_threads
from moderate_cli.tars import Tars, write_tars

PART = 500  # files that one thread places before it tells of progress
MARK = ".moderate-export"  # holds the number of files; ImageFolder does not look at it


def export(
    dataset: Dataset,
    kept: npt.NDArray[Any],
    destination: str | os.PathLike[str],
    *,
    link: str = "none",
    force: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the kept images to a new folder with the same classes, whole or not at all.

    Of a dataset in tar files, the folder holds tar files of the same names.

    Parameters
    ----------
    dataset
        The source, which is only read.
    kept
        bool (n,).
    destination
        Must not exist, or be empty, unless `force` is true.
    link
        "none" copies, "hard" and "symbolic" link to the source's files.
    force
        Replace an earlier export, to which no files were added since.
    on_progress
        Called with the number of images done and the number of all.

    Raises
    ------
    OutputError
        If `destination` may not be written, or a class would be left without images: leaving its
        folder out would shift the class indices of ImageFolder, silently.
    """
    if link not in LINKS:
        raise ArgumentError(f"link: {link!r} is none of {', '.join(LINKS)}")
    target = Path(os.path.abspath(destination))
    if isinstance(dataset.source, Tars):
        if link != "none":
            raise ArgumentError(f"link: {link!r} wants images in folders, not in tar files")
        _export_tars(dataset, dataset.source, kept, target, force, on_progress)
        return
    if not dataset.in_files:
        raise OutputError(
            f"{os.fspath(destination)}: images of {dataset.root} are not on this machine; -o lists"
            " those that are kept"
        )
    check_apart(dataset, destination)
    rows = np.flatnonzero(kept)
    _check_classes(dataset, set(dataset.labels[rows].tolist()), os.fspath(destination))
    if force:
        check_replaceable(destination)
        _check_links(dataset, destination)
    with new_folder(destination, replace=force) as folder:
        for name in dataset.classes:
            (folder / name).mkdir(exist_ok=True)  # a flat dataset's only class is the folder
        parts = list(_parts(dataset.paths[row] for row in rows.tolist()))
        for parent in {parent for parent, _ in parts}:
            (folder / parent).mkdir(parents=True, exist_ok=True)
        _mark(folder, len(rows))
        done = 0
        with closing(
            in_threads(
                lambda part: place(dataset.root / part[0], folder / part[0], part[1], link), parts
            )
        ) as counts:
            for count in counts:
                done += count
                if on_progress is not None:
                    on_progress(done, len(rows))
        if force:
            check_replaceable(destination)  # files may have been added meanwhile


def _export_tars(
    dataset: Dataset,
    source: Tars,
    kept: npt.NDArray[Any],
    target: Path,
    force: bool,
    on_progress: Callable[[int, int], None] | None,
) -> None:
    names = {os.path.basename(shard) for shard in source.shards}
    if force:
        check_replaceable(target)
    folders = {os.path.dirname(shard) for shard in source.shards}
    folders |= {os.path.dirname(os.path.realpath(shard)) for shard in source.shards}
    if os.path.realpath(target) in map(os.path.realpath, folders):
        raise OutputError(f"{target}: the tar files lie there; name another folder")
    if len(names) < len(source.shards):
        raise OutputError(f"{target}: two of the tar files have the same name; rename one")
    keys = {dataset.paths[row] for row in np.flatnonzero(kept).tolist()}
    done = 0
    with new_folder(target, replace=force) as folder:
        _mark(folder, len(source.shards))
        for _ in write_tars(source, keys, folder):
            done += 1
            if on_progress is not None:
                on_progress(done, len(keys))
        if force:
            check_replaceable(target)


def _parts(paths: Iterable[str]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield parts of the images: a folder, and names in it, which they keep."""
    for parent, group in itertools.groupby(paths, os.path.dirname):
        names = [os.path.basename(path) for path in group]
        for start in range(0, len(names), PART):
            yield parent, [(name, name) for name in names[start : start + PART]]


def place(source: Path, target: Path, names: Sequence[tuple[str, str]], link: str) -> int:
    """Link or copy files of one folder to another, each under a new name; return how many."""
    # Relative to open folders, no name has to be looked up from the root.
    folders = [os.open(folder, os.O_RDONLY | os.O_CLOEXEC) for folder in (source, target)]
    try:
        for name, new in names:
            try:
                LINKS[link](source / name, target / new, *folders)
            except OSError as error:
                reason = f"cannot be exported ({error.strerror})"
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
    # The file itself, not a symbolic link to it, which might lead nowhere from its new place.
    os.link(source.name, target.name, src_dir_fd=from_, dst_dir_fd=to, follow_symlinks=True)


def _symbolic_link(source: Path, target: Path, _from: int, to: int) -> None:
    os.symlink(source, target.name, dir_fd=to)


def check_apart(dataset: Dataset, destination: str | os.PathLike[str]) -> None:
    """Refuse a folder that lies in the dataset, or that some of the dataset lies in.

    A class folder may be a link to one that lies elsewhere.
    """
    target = Path(os.path.realpath(destination))
    for name in ("", *dataset.classes):
        folder = Path(os.path.realpath(dataset.root / name))
        if target.is_relative_to(folder) or folder.is_relative_to(target):
            raise OutputError(
                f"{os.fspath(destination)}: lies in the dataset or around it; name a folder beside"
                " it"
            )


def check_replaceable(destination: str | os.PathLike[str]) -> None:
    """Refuse a folder that is no export, or to which files were added since."""
    if not is_taken(destination):
        return
    target = Path(os.path.abspath(destination))
    try:
        exported = int((target / MARK).read_text())
    except (OSError, ValueError):
        raise OutputError(
            f"{os.fspath(destination)}: is no export; --force replaces what --copy-to made, and"
            " nothing else"
        ) from None
    there = sum(len(names) for _, _, names in os.walk(target)) - 1
    if there > exported:
        raise OutputError(
            f"{os.fspath(destination)}: holds {there} files, of which {exported} were exported;"
            " --force would lose the others"
        )


def _check_links(dataset: Dataset, destination: str | os.PathLike[str]) -> None:
    """Refuse to replace a folder that images of the dataset are links to."""
    if not os.path.lexists(destination):
        return
    target = Path(os.path.realpath(destination))
    for path in dataset.paths:
        image = dataset.root / path
        if image.is_symlink() and Path(os.path.realpath(image)).is_relative_to(target):
            raise OutputError(
                f"{os.fspath(destination)}: images of the dataset are links to it, {path!r} for"
                " one; name another folder"
            )


def _mark(folder: Path, files: int) -> None:
    """Say that a folder is an export, and of how many files."""
    (folder / MARK).write_text(f"{files}\n")


def _check_classes(dataset: Dataset, kept: set[int], shown: str) -> None:
    empty = set(dataset.empty_classes)
    lost: Sequence[str] = [
        name
        for label, name in enumerate(dataset.classes)
        if label not in kept and name not in empty
    ]
    if lost:
        raise OutputError(
            f"{shown}: {len(lost)} of {len(dataset.classes)} classes would be empty, {lost[0]!r}"
            " for one, and ImageFolder's class indices would shift; keep more images"
        )


Link = Callable[[Path, Path, int, int], None]
LINKS: dict[str, Link] = {"none": _copy, "hard": _hard_link, "symbolic": _symbolic_link}
