"""A file that lists images, such as `train.csv`: its rows name an image and its class."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from moderate_cli.dataset.sources import Stat, file_stat
from moderate_cli.errors import DatasetError

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet", ".txt")


@dataclass(frozen=True)
class ListFile(os.PathLike[str]):
    """A list of images, as a user names it.

    Attributes
    ----------
    path
        The file; its suffix is its format.
    images
        Folder that the images are relative to; None for the folder of the list.
    path_column, label_column
        Names of the columns of image and class; None for the usual names.
    """

    path: str
    images: str | os.PathLike[str] | None = None
    path_column: str | None = None
    label_column: str | None = None

    def __fspath__(self) -> str:
        return self.path


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
    columns: tuple[str, ...]
    stat: Stat

    def part(self, images: npt.NDArray[np.int64]) -> Listed:
        """Return it for some images, int64 (m,)."""
        return replace(self, rows=self.rows[images])

    def copy(self, images: npt.NDArray[np.int64], file: BinaryIO) -> None:
        """Write the rows of some images, int64 (m,), as they are and in the list's order.

        Raises
        ------
        DatasetError
            If the list has changed since it was read.
        """
        from moderate_cli.dataset.list_formats import open_records

        shown = os.fspath(self.path)
        open_records(self.path, shown).copy(np.sort(self.rows[images]), file)
        if file_stat(shown) != self.stat:
            raise DatasetError(f"{shown}: has changed since it was read; run again")


def is_list(path: str | os.PathLike[str]) -> bool:
    """Whether a path names a list: by its suffix, unless it is a folder.

    >>> is_list("data/train.csv"), is_list("data/train")
    (True, False)
    """
    return os.fspath(path).lower().endswith(SUFFIXES) and not os.path.isdir(path)
