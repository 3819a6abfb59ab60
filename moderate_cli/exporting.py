"""Make a pruned ImageFolder of the images that are kept."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from moderate_cli.dataset import Dataset
from moderate_cli.errors import ArgumentError, OutputError
from moderate_cli.files import new_folder


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
        Replace an earlier export: a folder that holds nothing but folders named like classes.
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
    _check_apart(dataset, target, os.fspath(destination))
    samples = [sample for sample, keep in zip(dataset.samples, kept, strict=True) if keep]
    _check_classes(dataset, {label for _, label in samples}, os.fspath(destination))
    if force:
        _check_replaceable(dataset, target, os.fspath(destination))
    with new_folder(destination, replace=force) as folder:
        for name in dataset.classes:
            (folder / name).mkdir()
        made = set(dataset.classes)
        for done, (path, _) in enumerate(samples, start=1):
            parent = os.path.dirname(path)
            if parent not in made:
                (folder / parent).mkdir(parents=True, exist_ok=True)
                made.add(parent)
            _place(f"{dataset.root}/{path}", f"{folder}/{path}", link)
            if on_progress is not None:
                on_progress(done, len(samples))


def _place(source: str, target: str, link: str) -> None:
    try:
        LINKS[link](source, target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise OutputError(
                f"{source}: a hard link cannot lead to another file system; use --link symbolic"
            ) from None
        raise OutputError(f"{source}: cannot be exported ({error.strerror})") from None


def _hard_link(source: str, target: str) -> None:
    # The file itself, not a symbolic link to it, which might lead nowhere from its new place.
    os.link(os.path.realpath(source), target)


def _copy(source: str, target: str) -> None:
    shutil.copy2(source, target)


def _check_apart(dataset: Dataset, target: Path, shown: str) -> None:
    root, real = Path(os.path.realpath(dataset.root)), Path(os.path.realpath(target))
    if real.is_relative_to(root) or root.is_relative_to(real):
        raise OutputError(f"{shown}: lies in the dataset or around it; name a folder beside it")


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


def _check_replaceable(dataset: Dataset, target: Path, shown: str) -> None:
    if not os.path.lexists(target):
        return
    if target.is_symlink() or not target.is_dir():
        raise OutputError(f"{shown}: is not a folder; name another")
    for path in target.iterdir():
        if path.name not in dataset.classes or path.is_symlink() or not path.is_dir():
            raise OutputError(
                f"{shown}: holds {path.name!r}, which no export of this dataset made;"
                " --force replaces exports only"
            )


LINKS: dict[str, Callable[[str, str], None]] = {
    "none": _copy,
    "hard": _hard_link,
    "symbolic": os.symlink,
}
