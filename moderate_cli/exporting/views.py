"""A folder to look at: some images in sub-folders by a name, and a table of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from moderate_cli.dataset import Dataset
from moderate_cli.dataset.image_formats import HEAD, format_of, readable_extensions
from moderate_cli.dataset.sources import NotAFile
from moderate_cli.errors import OptionError, OutputError, check_choice
from moderate_cli.exporting.containers import Counts
from moderate_cli.exporting.folders import copy_to_paths
from moderate_cli.exporting.links import LINKS
from moderate_cli.exporting.marks import check_destination, check_replaceable, mark
from moderate_cli.exporting.moving import free_path
from moderate_cli.exporting.tables import Table, write_table
from moderate_cli.files.atomic import new_folder
from moderate_cli.guard import Guard
from moderate_cli.listening import SILENT, Listener
from moderate_cli.text import one_line
from moderate_cli.threads import in_threads

# Not in names of files on Windows, or not on screen.
UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
LONGEST = 60  # characters of one of the two names of a folder
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "GIF": ".gif", "WebP": ".webp", "BMP": ".bmp"}


def export_view(
    dataset: Dataset,
    rows: Sequence[int],
    groups: Sequence[tuple[str, ...]],
    table: Table,
    destination: str | os.PathLike[str],
    *,
    name: str,
    link: str = "none",
    force: bool = False,
    listener: Listener = SILENT,
) -> None:
    """Write images to a new folder, completely or not at all; the dataset is never changed.

    Parameters
    ----------
    dataset
        The images; they may be in tar files, or remote.
    rows, groups
        Rows of the images to write, and for each the names that its sub-folder is named by.
    table
        A row for each image, and more; in the folder it has a column of files, too.
    destination, link, force, listener
        As in `export`.
    name
        Name of the file of the table.

    Raises
    ------
    OutputError
        If `destination` cannot be written, or an image cannot be read.
    """
    check_choice("link", link, LINKS)
    if link != "none" and not dataset.in_files:
        raise OptionError("{} needs images in folders on this machine", ("link", link))
    guard = Guard.of(dataset)
    guard.check_folder(destination, replace=force)
    check_destination(destination, force=force)
    images = list(zip(rows, _files(dataset, rows, groups), strict=True))
    with new_folder(destination, may_replace=check_replaceable if force else None) as folder:
        in_order = sorted(images, key=lambda image: os.path.dirname(image[1]))
        if dataset.in_files:
            paths = [(dataset.paths[row], path) for row, path in in_order]
            written = copy_to_paths(dataset.root, paths, folder, link)
        else:
            written = _read_to_paths(dataset, in_order, folder)
        with listener.progress("copy") as move, closing(written) as counts:
            for done in counts:
                move(done, len(images))
        files = [file for _, file in images] + [""] * (len(table.rows) - len(images))
        full = [(*row, file) for row, file in zip(table.rows, files, strict=True)]
        write_table(folder / name, Table((*table.header, "file"), full))
        mark(folder)


def _files(
    dataset: Dataset, rows: Sequence[int], groups: Sequence[tuple[str, ...]]
) -> Iterator[str]:
    """Yield the path of each image in the folder: its own name, in a folder of its group."""
    folders: dict[tuple[str, ...], str] = {}
    taken, taken_folders = set[str](), set[str]()
    for row, group in zip(rows, groups, strict=True):
        if group not in folders:
            folders[group] = free_path("-".join(map(_safe, group)), "", taken_folders)
        name = os.path.basename(dataset.paths[row])
        stem, suffix = os.path.splitext(name)
        if not name.lower().endswith(readable_extensions()):
            stem, suffix = name, "" if dataset.in_files else _suffix(dataset, row)
        yield free_path(f"{folders[group]}/{stem}", suffix, taken)


def _safe(name: str) -> str:
    """Return a name that a folder may have on any system.

    >>> _safe("n01/cat?"), _safe("..")
    ('n01_cat_', '_')
    """
    shown = UNSAFE.sub("_", name)[:LONGEST]
    return shown.strip(". ") or "_"


def _suffix(dataset: Dataset, row: int) -> str:
    """Return the suffix for an image whose name has none, as in a tar file."""
    return SUFFIXES.get(format_of(_read(dataset, row)[:HEAD]), "")


def _read(dataset: Dataset, row: int) -> bytes:
    path = f"{dataset.root}/{dataset.paths[row]}"
    try:
        return dataset.source.read(path)[0]
    except (OSError, NotAFile) as error:
        raise OutputError(f"{path}: cannot be read ({one_line(error)}); run again") from None


def _read_to_paths(dataset: Dataset, images: Sequence[tuple[int, str]], folder: Path) -> Counts:
    for parent in {os.path.dirname(path) for _, path in images}:
        (folder / parent).mkdir()
    contents = in_threads(partial(_read, dataset), [row for row, _ in images])
    with closing(contents):
        for done, ((_, path), content) in enumerate(zip(images, contents, strict=True), 1):
            (folder / path).write_bytes(content)
            yield done
