"""Copies of images that are inside other files: tar files, tables."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from pathlib import Path

import numpy as np

from moderate_cli.arrays import Rows
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.dataset.saved import save_state
from moderate_cli.dataset.tables import ROW, Tables
from moderate_cli.dataset.tars import Tars, write_tars
from moderate_cli.errors import OptionError, OutputError

Counts = Generator[int, None, None]


def check_containers(dataset: Dataset, link: str, shown: str) -> None:
    """Refuse links to images that are not files, and files that would overwrite each other.

    Raises
    ------
    OptionError, OutputError
        Saying why.
    """
    source = dataset.source
    if link != "none":
        kind = "tar files" if isinstance(source, Tars) else "tables"
        raise OptionError(f"{{}} needs images in folders, not in {kind}", ("link", link))
    if isinstance(source, Tars) and len(set(map(os.path.basename, source.shards))) < len(
        source.shards
    ):
        raise OutputError(f"{shown}: two of the tar files have the same name; rename one")


def write_containers(dataset: Dataset, rows: Rows, folder: Path) -> Counts:
    """Write files of the same names with some images, int64 (m,) ascending; yield the number done.

    Corrected classes replace those in the files. A file without any image is not written.

    Raises
    ------
    DatasetError
        If a file has changed since it was listed, or cannot have a corrected class.
    """
    paths = [dataset.paths[row] for row in rows.tolist()]
    new = {dataset.paths[row]: name for row, name in dataset.corrected_classes().items()}
    if isinstance(dataset.source, Tars):
        for done, _ in enumerate(write_tars(dataset.source, set(paths), new, folder), 1):
            yield done
    elif isinstance(dataset.source, Tables):
        yield from _write_tables(dataset, dataset.source, paths, new, folder)


def _write_tables(
    dataset: Dataset, source: Tables, paths: list[str], new: Mapping[str, str], folder: Path
) -> Counts:
    kept: dict[str, list[int]] = {}
    classes: dict[str, dict[int, str]] = {}
    for path in paths:
        name, _, row = path.rpartition(ROW)
        kept.setdefault(name, []).append(int(row))
        if path in new:
            classes.setdefault(name, {})[int(row)] = new[path]
    label = None if dataset.listed is None else dataset.listed.label_column
    done = 0
    for name, own in kept.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        rows = np.array(own, dtype=np.int64)
        file = f"{dataset.root}/{name}"
        for count in source.copy(file, rows, target, label, classes.get(name, {})):
            yield done + count
        done += len(own)
    if source.saved:
        marks = [f"{path} {new[path]}" if path in new else path for path in paths]
        digest = content_digest("\n".join(marks).encode(errors="surrogateescape"))
        save_state(source.saved, kept, digest, folder)
