"""A list of images -> a dataset, in the order of ImageFolder: by class, folder and name."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from moderate_cli.dataset.columns import Columns, find_columns
from moderate_cli.dataset.dataset import FLAT, Dataset
from moderate_cli.dataset.label_patterns import class_finder
from moderate_cli.dataset.list_formats import open_records
from moderate_cli.dataset.listed_images import ListedImages
from moderate_cli.dataset.lists import Listed, refuse_all_different
from moderate_cli.dataset.multi_label import flags_in, refuse_several, several_columns
from moderate_cli.dataset.named import NamedDataset
from moderate_cli.dataset.paths import Paths
from moderate_cli.dataset.records import Records
from moderate_cli.dataset.remembering import remembered
from moderate_cli.dataset.sources import file_stat
from moderate_cli.errors import DatasetError
from moderate_cli.files.places import place
from moderate_cli.text import printable


def scan_list(named: NamedDataset, home: str | None = None) -> Dataset:
    """List the images of a list; see `moderate_cli.scan`.

    Parameters
    ----------
    named
        The list.
    home
        The folder that names the dataset; None for the list.

    Raises
    ------
    DatasetError
        If the list cannot be read, a column is missing, a path is outside of the folder of images,
        an image has two classes, or no image is found.
    """
    path, shown = place(named.path), os.fspath(named)
    stat = file_stat(os.fspath(path))  # before reading, so that no change is missed
    records = open_records(path, shown)
    columns = _columns(named, records, shown)
    find = None if named.label_pattern is None else class_finder(named.label_pattern)
    own = path if home is None else place(home)
    top, folder = _folder_of_images(named, path, own)
    images = ListedImages(records, shown, os.fspath(top), folder, by_name=find is not None)
    for name, label in records.pairs(columns.path, None if find else columns.label):
        images.add(name, find(name) if find else label)
    if not len(images) and named.lenient and named.images is not None:
        return scan_list(replace(named, images=None), home)
    if not len(images):
        raise images.nothing_found(os.path.dirname(named.path))
    classes, labels, order = images.sorted()
    refuse_several(shown, classes)
    if classes:
        refuse_all_different(shown, labels, printable(records.columns[columns.label or 0]))
    elif columns.label is None and (flags := flags_in(records, columns.path)):
        raise several_columns(shown, flags)
    listed = Listed(
        path=path,
        rows=images.rows(order),
        home=own,
        portable=images.portable,
        labeled=bool(classes),
        label=None if find else columns.label,
        columns=records.columns if records.has_header else (),
        stat=stat,
    )
    paths = Paths.of(images.paths(order))
    notices = tuple(images.notices())
    return Dataset(top, classes or (FLAT,), paths, labels, notices=notices, listed=listed)


def _folder_of_images(named: NamedDataset, path: Path, home: Path) -> tuple[Path, str]:
    """Return the folder that images are relative to, and its name, "" for that of the list.

    Raises
    ------
    DatasetError
        If it was named before, and does not exist any more.
    """
    if named.images is not None:
        return place(named.images), os.fspath(named.images)
    before = remembered(home, named.store)
    if before is None:
        return path.parent, ""
    if not before.is_dir():
        raise DatasetError(
            f"{named.path}: its images were in {before}, which is not a folder any more; name their"
            " folder with --images"
        )
    return before, os.fspath(before)


def _columns(named: NamedDataset, records: Records, shown: str) -> Columns:
    """Find the columns of image and class; of a test set, the usual ones if it lacks the named."""
    path, label = (
        None if named.lenient and name not in records.columns else name
        for name in (named.path_column, named.label_column)
    )
    return find_columns(records.columns, shown, path, label)
