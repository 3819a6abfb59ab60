"""A dataset as a user names it: a path or URL, and the options to read it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

READING = ("images", "path_column", "label_column", "label_pattern")  # options of the command line


@dataclass(frozen=True)
class NamedDataset(os.PathLike[str]):
    """A path or URL, with the options of `moderate_cli.scan`.

    Attributes
    ----------
    path
        The path or URL.
    images
        Folder that the images of a list are relative to; None for the one that was named before,
        or else the folder of the list.
    path_column, label_column
        Names of the columns of image and class in a list or table; None for the usual names.
    label_pattern
        Regular expression that finds the class in a file name; None for class folders or columns.
    lenient
        Whether options that do not fit are ignored: those of a dataset, for a test set beside it.
    store
        Folder of its features, which remembers `images`; None for the one beside the dataset.
    """

    path: str
    images: str | os.PathLike[str] | None = None
    path_column: str | None = None
    label_column: str | None = None
    label_pattern: str | None = None
    lenient: bool = False
    store: str | os.PathLike[str] | None = None

    @classmethod
    def of(
        cls, path: str | os.PathLike[str], store: str | os.PathLike[str] | None = None
    ) -> NamedDataset:
        """Return a path with its options, if it has any, and the store."""
        named = path if isinstance(path, cls) else cls(os.fspath(path))
        return named if store is None else replace(named, store=store)

    def __fspath__(self) -> str:
        return self.path
