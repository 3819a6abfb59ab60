"""Copies of images that are inside other files: tar files, tables."""

from __future__ import annotations

import os
from collections.abc import Generator
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

    A file without any is not written.

    Raises
    ------
    DatasetError
        If a file has changed since it was listed.
    """
    paths = [dataset.paths[row] for row in rows.tolist()]
    if isinstance(dataset.source, Tars):
        for done, _ in enumerate(write_tars(dataset.source, set(paths), folder), 1):
            yield done
    elif isinstance(dataset.source, Tables):
        yield from _write_tables(dataset.source, paths, dataset.root, folder)


def _write_tables(source: Tables, paths: list[str], root: Path, folder: Path) -> Counts:
    kept: dict[str, list[int]] = {}
    for path in paths:
        name, _, row = path.rpartition(ROW)
        kept.setdefault(name, []).append(int(row))
    done = 0
    for name, own in kept.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        for count in source.copy(f"{root}/{name}", np.array(own, dtype=np.int64), target):
            yield done + count
        done += len(own)
    if source.saved:
        digest = content_digest("\n".join(paths).encode(errors="surrogateescape"))
        save_state(source.saved, kept, digest, folder)
