"""The rest of a tree of splits: all files beside the dataset that is one of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from moderate_cli.dataset import Dataset
from moderate_cli.dataset.entries import unlisted
from moderate_cli.dataset.image_formats import IMAGE_EXTENSIONS
from moderate_cli.dataset.names import STORE_LOCK, is_left_behind

Identity = tuple[int, int]  # device and inode


class Branch(NamedTuple):
    """A folder of a tree: its path in the tree, "" for the tree itself, and names of its files."""

    path: str
    files: list[str]


def rest_of(tree: Path, dataset: Dataset) -> Iterator[Branch]:
    """Yield the folders of a tree, without a dataset in it, feature stores and hidden folders.

    The dataset is a folder, or files of tables.

    Links to folders are followed, except to a folder around them.

    Raises
    ------
    DatasetError
        If a folder cannot be listed.
    """
    yield from _branches(tree, "", {_identity(dataset.root)}, set(dataset.source.containers))


def _branches(tree: Path, path: str, around: set[Identity], without: set[str]) -> Iterator[Branch]:
    folder = tree / path
    around = around | {_identity(folder)}
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry.name, entry.is_dir()) for entry in entries)
    except OSError as error:
        raise unlisted(os.fspath(folder), error) from None
    files = [name for name, is_folder in found if not is_folder]
    yield Branch(path, [name for name in files if os.fspath(folder / name) not in without])
    for name, is_folder in found:
        if not is_folder or is_left_behind(name) or _is_store(folder / name):
            continue
        if _identity(folder / name) not in around:
            yield from _branches(tree, os.path.join(path, name), around, without)


def _is_store(folder: Path) -> bool:
    """Whether a folder of any name, as `--store` gives it, has features and no images."""
    return (folder / STORE_LOCK).is_file() and not any(
        name.lower().endswith(IMAGE_EXTENSIONS) for _, _, names in os.walk(folder) for name in names
    )


def _identity(folder: Path) -> Identity:
    status = folder.stat()
    return status.st_dev, status.st_ino
