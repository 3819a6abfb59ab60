"""Copy or link the kept images into a new dataset of the same kind."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import accumulate, compress, groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Mask, Rows, blocks
from moderate_cli.dataset import Dataset, scan
from moderate_cli.dataset.image_folders import ImageFolder
from moderate_cli.dataset.tables import Tables
from moderate_cli.dataset.tars import Tars
from moderate_cli.errors import ArgumentError, OutputError, check_choice
from moderate_cli.exporting.cards import drop_sizes
from moderate_cli.exporting.containers import Counts, check_containers, write_containers
from moderate_cli.exporting.links import LINKS, copy_files
from moderate_cli.exporting.marks import check_destination, check_replaceable, mark
from moderate_cli.exporting.moving import moved_paths
from moderate_cli.exporting.trees import rest_of
from moderate_cli.files.atomic import new_file, new_folder
from moderate_cli.files.places import place
from moderate_cli.guard import Guard
from moderate_cli.listening import SILENT, Listener, with_bars
from moderate_cli.literals import Link as LinkName
from moderate_cli.text import clipped
from moderate_cli.threads import in_threads

PART = 500  # files that one thread copies between two reports of progress


def export(
    data: str | os.PathLike[str] | Dataset | ImageFolder,
    kept: npt.ArrayLike,
    destination: str | os.PathLike[str],
    *,
    link: LinkName = "none",
    force: bool = False,
    tree: str | os.PathLike[str] | None = None,
    progress: bool = False,
    listener: Listener = SILENT,
) -> None:
    """Write the kept images to a new folder with the same classes, completely or not at all.

    For a dataset in tar files or tables, the folder gets files of the same names; for that of a
    list, the images at their paths and the rows of the list. Images with a corrected label are
    written to the folder of that class.

    Parameters
    ----------
    data
        A `Dataset`, such as that of a `Selection`, or a path or URL as for `scan`. It is never
        changed.
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
    progress
        Show progress bars, in a notebook or a terminal.
    listener
        Hears progress.

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
    listener = with_bars(listener, progress)
    check_choice("link", link, LINKS)
    dataset, mask = data if isinstance(data, Dataset) else scan(data), np.asarray(kept)
    selected = getattr(kept, "dataset", None)  # of a `Selection`, maybe with corrected labels
    if isinstance(selected, Dataset) and dataset.corrections is None:
        dataset = replace(dataset, corrections=selected.corrections)
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
    inside = isinstance(source, (Tars, Tables))
    if inside:
        check_containers(dataset, link, shown)
    elif listed is not None:
        if not listed.portable:
            raise OutputError(
                f"{shown}: the paths in {listed.path.name} are absolute, so it would not list the"
                " copies; -o lists the kept images"
            )
        if listed.label is None:
            _check_uncorrected(dataset, rows)
    elif dataset.in_files and dataset.by_name:
        _check_uncorrected(dataset, rows)
    elif dataset.in_files:
        _check_classes(dataset, set(dataset.corrected_labels[rows].tolist()), shown)
    else:
        raise OutputError(
            f"{shown}: images of {dataset.root} are not on this machine; -o lists the kept ones"
        )
    with new_folder(destination, may_replace=check_replaceable if force else None) as whole:
        folder = whole / inner
        folder.mkdir(parents=True, exist_ok=True)
        if inside:
            written = write_containers(dataset, rows, folder)
        else:
            written = _write_files(dataset, mask, folder, link)
        # Closed on errors, so that no thread writes to a folder that is being removed.
        with listener.progress("copy") as move, closing(written) as counts:
            for done in counts:
                move(done, len(rows))
        if listed is not None and not inside:
            with new_file(folder / listed.path.name) as file:
                listed.copy(rows, file, dataset.corrected_classes())
        if tree is not None:
            _write_rest(place(tree), dataset, whole, link)
            if isinstance(source, Tables):
                drop_sizes(whole)
        mark(whole)


def _inside(tree: str | os.PathLike[str], dataset: Dataset) -> str:
    """Return the path of a dataset in a tree."""
    top, root = place(tree), dataset.root
    folders = dataset.in_files and dataset.home == root
    tables = isinstance(dataset.source, Tables) and top in dataset.home.parents
    if not (folders and top in root.parents) and not tables:
        raise ArgumentError(f"tree: {os.fspath(tree)} does not contain the folder {dataset.home}")
    return os.path.relpath(root, top)


def _write_rest(tree: Path, dataset: Dataset, folder: Path, link: str) -> None:
    """Put all else of a tree into a folder."""
    for branch in rest_of(tree, dataset):
        target = folder / branch.path
        target.mkdir(exist_ok=True)
        copy_files(tree / branch.path, target, [(name, name) for name in branch.files], link)


def _write_files(dataset: Dataset, kept: Mask, folder: Path, link: str) -> Counts:
    """Put the kept images into a folder; yield the number done, part by part."""
    for name in dataset.classes if dataset.in_class_folders else ():
        (folder / name).mkdir(exist_ok=True)  # a flat dataset's only class is the folder itself
    old = new = list(compress(dataset.paths, kept.tolist()))
    if dataset.corrections is not None and dataset.listed is None:
        moved = moved_paths(dataset, dataset.corrected_labels.tolist())
        new = list(compress(moved, kept.tolist()))
    yield from copy_to_paths(dataset.root, zip(old, new, strict=True), folder, link)


def copy_to_paths(root: Path, images: Iterable[tuple[str, str]], folder: Path, link: str) -> Counts:
    """Put images, each a path below `root` and a new one, into a folder; yield the number done."""
    parts = list(_parts(images))
    for parent in {parent for _, parent, _ in parts}:
        (folder / parent).mkdir(parents=True, exist_ok=True)

    def work(part: tuple[str, str, list[tuple[str, str]]]) -> int:
        source, target, names = part
        return copy_files(root / source, folder / target, names, link)

    with closing(in_threads(work, parts)) as counts:
        yield from accumulate(counts)


def _parts(paths: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Yield parts of the images: their old and new folder, and old and new name of each file."""
    for (source, target), group in groupby(map(_split, paths), operator.itemgetter(0)):
        names = [names for _, names in group]
        for part in blocks(len(names), PART):
            yield source, target, names[part]


def _split(paths: tuple[str, str]) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the folders of an old and a new path, and the names in them."""
    source, name = os.path.split(paths[0])
    target, new = (source, name) if paths[0] == paths[1] else os.path.split(paths[1])
    return (source, target), (name, new)


def _check_uncorrected(dataset: Dataset, rows: Rows) -> None:
    """Refuse corrected labels where names of files have the classes.

    Raises
    ------
    OutputError
        If one of these rows has one.
    """
    corrections = dataset.corrections
    if corrections is not None and corrections.count(rows):
        raise OutputError(
            f"{corrections.name}: copies keep their file names, which have the classes, so they"
            " cannot have corrected ones; -o FILE.csv lists the kept images with these"
        )


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
            f" {clipped(lost[0])!r}, and ImageFolder's class indices would shift; keep more images"
        )
