"""A file that lists images, such as `train.csv`: its rows name an image and its class."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from moderate_cli.dataset.relabeling import UNCHANGED, Relabeled
from moderate_cli.dataset.sources import Stat, file_stat
from moderate_cli.errors import DatasetError

MOST_ALONE = 20  # classes of one image each; if there are more, the column has no classes
TABLE = ".parquet"
WILD = re.compile(r"[*?\[]")  # begins the part of a pattern that is not fixed
SUFFIXES = (".csv", ".tsv", ".jsonl", TABLE, ".txt")


@dataclass(frozen=True, eq=False)
class Listed:
    """Where the images of a dataset are listed.

    Attributes
    ----------
    path
        The list, absolute.
    rows
        int64 (n,), number of the row of each image, from 0 and without the header.
    home
        The path that names the dataset; features are stored beside it.
    portable
        Whether paths in the list are relative, so that the list serves a copy of the images.
    labeled
        Whether the list has classes.
    label
        Position of the column of classes; None if there is none, or names of files have them.
    columns
        Names of its columns; empty if it has no header.
    stat
        Stat of the list when it was read.
    """

    path: Path
    rows: npt.NDArray[np.int64]
    home: Path
    portable: bool
    labeled: bool
    label: int | None
    columns: tuple[str, ...]
    stat: Stat

    @property
    def label_column(self) -> str | None:
        """Name of the column of classes, if it has one."""
        return self.columns[self.label] if self.columns and self.label is not None else None

    def part(self, images: npt.NDArray[np.int64]) -> Listed:
        """Return it for some images, int64 (m,)."""
        return replace(self, rows=self.rows[images])

    def copy(
        self,
        images: npt.NDArray[np.int64],
        file: BinaryIO,
        classes: Mapping[int, str] | None = None,
    ) -> None:
        """Write the rows of some images, int64 (m,), in the list's order.

        They are as in the list, except for the new class of some images.

        Raises
        ------
        DatasetError
            If the list has changed since it was read, or has no column for a new class.
        """
        from moderate_cli.dataset.list_formats import open_records

        shown = os.fspath(self.path)
        new = {int(self.rows[image]): name for image, name in (classes or {}).items()}
        rows = np.sort(self.rows[images])
        if self.label is None and not new.keys().isdisjoint(rows.tolist()):
            raise DatasetError(
                f"{shown}: has no column for corrected labels, as file names have its classes;"
                " -o FILE.json lists the kept images with these"
            )
        relabeled = UNCHANGED if self.label is None else Relabeled(self.label, new)
        open_records(self.path, shown).copy(rows, file, relabeled)
        if file_stat(shown) != self.stat:
            raise DatasetError(f"{shown}: has changed since it was read; run again")


def refuse_all_different(shown: str, labels: npt.NDArray[np.int64], column: str) -> None:
    """Refuse a column in which each image has a class of its own.

    Parameters
    ----------
    shown
        Name of the list in errors.
    labels
        int64 (n,), the class of each image.
    column
        Name of the column of classes.

    Raises
    ------
    DatasetError
        If there are more images than `MOST_ALONE`, and no two have the same class.
    """
    if len(labels) > MOST_ALONE and len(np.unique(labels)) == len(labels):
        raise DatasetError(
            f"{shown}: each image has a class of its own ({column}); name the column of classes"
            " with --label-column"
        )


def is_list(path: str | os.PathLike[str]) -> bool:
    """Whether a path names a list: by its suffix, unless it is a folder, a URL or a pattern.

    >>> is_list("data/train.csv"), is_list("data/train"), is_list("data/train-*.parquet")
    (True, False, False)
    """
    name = os.fspath(path)
    if not name.lower().endswith(SUFFIXES) or "://" in name or os.path.isdir(name):
        return False
    return not is_pattern(name) or os.path.lexists(name)


def is_pattern(name: str) -> bool:
    """Whether a name is a pattern of Parquet files, such as `train-*.parquet`."""
    return WILD.search(name) is not None and name.lower().endswith(TABLE)
