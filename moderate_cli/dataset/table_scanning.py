"""Tables with images in their rows -> a dataset, in the order of files and rows."""

from __future__ import annotations

import itertools
import os
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from moderate_cli.arrays import Rows
from moderate_cli.dataset.dataset import FLAT, Dataset
from moderate_cli.dataset.image_columns import (
    BYTES,
    ImageColumns,
    image_column,
    image_columns,
    labels_of,
    several_labels,
)
from moderate_cli.dataset.lists import Listed, refuse_all_different
from moderate_cli.dataset.multi_label import refuse_several
from moderate_cli.dataset.named import NamedDataset
from moderate_cli.dataset.notices import Notice
from moderate_cli.dataset.paths import Paths
from moderate_cli.dataset.shards import Shards
from moderate_cli.dataset.sources import Stat, file_stat
from moderate_cli.dataset.table_files import TableFile, opened
from moderate_cli.dataset.tables import ROW, Shard, Tables, handle
from moderate_cli.errors import DatasetError
from moderate_cli.text import printable, some


def has_images(shards: Shards, column: str | None) -> bool:
    """Whether the first file has a column of images, or the named one is it.

    Raises
    ------
    DatasetError
        If it cannot be read.
    """
    first = shards.files[0]
    return image_column(opened(first, first, first).schema, column) is not None


def scan_tables(
    shards: Shards,
    named: NamedDataset,
    *,
    protocol: str = "",
    stat: Callable[[str], Stat] = file_stat,
) -> Dataset:
    """List the images in tables, in the order of files and rows, without reading them.

    The path of an image is that of its file, `#`, and its row in it.

    Parameters
    ----------
    shards
        The files.
    named
        The name of the dataset, and of its columns.
    protocol
        File system of the files; "" for this machine.
    stat
        Returns the stat of a file.

    Raises
    ------
    DatasetError
        If a file cannot be read, or has no column of images, an image has several classes, or there
        are no rows.
    """
    shown, image, label = named.path, named.path_column, named.label_column
    found: dict[str, Shard] = {}
    numbers, classes = array("q"), dict[str, int]()
    columns: tuple[str, ...] = ()
    for file in shards.files:
        known = stat(file)  # before reading, so that no change is missed
        name = shown if Path(file) == shards.home else os.path.relpath(file, shards.root)
        table = opened(file, handle(file, protocol), name)
        chosen = _columns(table, name, image, label, lenient=named.lenient)
        if not found:
            _refuse_paths_alone(table, chosen.image, name)
            image, columns = chosen.image, tuple(table.schema.names)
            label = label if chosen.label is None else chosen.label
        found[file] = Shard(known, tuple(itertools.accumulate(table.groups, initial=0)))
        for text in _texts(table, chosen):
            numbers.append(classes.setdefault(text, len(classes)))
    if not numbers:
        raise DatasetError(f"{shown}: has no rows; name tables of images")
    assert image is not None
    own = np.frombuffer(numbers, dtype=np.int64)
    names, labels, rows = _sorted(classes, own)
    refuse_several(shown, names)
    if names:
        refuse_all_different(shown, labels, printable(label or ""))
    source = Tables(found, image, protocol, shards.saved)
    listed = Listed(
        path=shards.home,
        rows=rows,
        home=shards.home,
        portable=True,
        labeled=bool(names),
        label=columns.index(label) if names and label is not None else None,
        columns=columns,
        stat=stat(shards.files[0]),
    )
    without = len(own) - len(rows)
    notices = [Notice("no class", without)] if without else []
    if label is None and (several := several_labels(table.schema, image)) is not None:
        notices.append(Notice("objects", len(own), ("a table of several labels", several)))
    paths = Paths.of(_paths(source, shards.root, rows))
    return Dataset(shards.root, names or (FLAT,), paths, labels, source, tuple(notices), listed)


def _columns(
    table: TableFile, shown: str, image: str | None, label: str | None, *, lenient: bool
) -> ImageColumns:
    """Find the columns of a file; of a test set, the usual ones if it lacks the named.

    Raises
    ------
    DatasetError
        If it has no images.
    """
    if lenient:
        image, label = (name if name in table.schema.names else None for name in (image, label))
    found = image_column(table.schema, image)
    if found is None:
        told = f"its columns: {some([printable(name) for name in table.schema.names])}"
        raise DatasetError(
            f"{shown}: has no column of images ({told}); name it with --path-column"
            if image is None
            else f"{shown}: {printable(image)} is not a column of images ({told})"
        )
    return image_columns(table.schema, shown, found, label)


def _refuse_paths_alone(table: TableFile, column: str, shown: str) -> None:
    """Refuse images that have a path in place of bytes."""
    for cells in table.cells(column, 1):
        first = cells[0].as_py()
        if isinstance(first, dict) and first.get(BYTES) is None and first.get("path"):
            raise DatasetError(
                f"{shown}: its images are files elsewhere, such as {printable(first['path'])};"
                " save it with the bytes of the images, or pass a list of the files"
            )
        return


def _texts(table: TableFile, columns: ImageColumns) -> Iterator[str]:
    """Yield the class of each row; "" if it has none."""
    if columns.label is None:
        yield from itertools.repeat("", sum(table.groups))
        return
    for cells in table.cells(columns.label):
        yield from labels_of(cells, columns.names)


def _sorted(classes: dict[str, int], own: Rows) -> tuple[tuple[str, ...], Rows, Rows]:
    """Return the names of classes, int64 (n,) labels and int64 (n,) rows.

    Rows without a class are left out, unless no row has one; then there are no names.
    """
    names = sorted(name for name in classes if name)
    if not names:
        return (), np.zeros(len(own), dtype=np.int64), np.arange(len(own))
    rank = {name: place for place, name in enumerate(names)}
    labels = np.array([rank.get(name, -1) for name in classes], dtype=np.int64)[own]
    rows = np.flatnonzero(labels >= 0)
    return tuple(names), labels[rows], rows


def _paths(source: Tables, root: Path, rows: Rows) -> Iterator[str]:
    """Yield the path of each row, int64 (n,) ascending in all files together."""
    start = 0
    for file, shard in source.shards.items():
        count, name = shard.starts[-1], os.path.relpath(file, root)
        own = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + count)] - start
        yield from (f"{name}{ROW}{row}" for row in own.tolist())
        start += count
