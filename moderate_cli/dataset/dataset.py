"""A dataset: paths and classes of images, and the source of their bytes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moderate_cli.dataset.corrections import Corrections
from moderate_cli.dataset.image_formats import readable_extensions
from moderate_cli.dataset.layouts import is_part_name, is_split_name
from moderate_cli.dataset.lists import Listed
from moderate_cli.dataset.names import is_left_behind
from moderate_cli.dataset.notices import Notice
from moderate_cli.dataset.paths import Paths
from moderate_cli.dataset.sources import FILES, Source
from moderate_cli.text import counted

FLAT = "."  # the only class of a folder without sub-folders


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """The images of an ImageFolder; row i is `ImageFolder(root).samples[i]`.

    Those of a list are in the same order: by class, folder and name.

    `notices` lists the exceptions: hidden files and folders are ignored, more formats are read, and
    no folder is entered twice in a class.

    Attributes
    ----------
    root
        The dataset folder, absolute.
    classes
        Names of the class folders, sorted; a class index is a position here. Only `FLAT` if there
        are no class folders.
    paths
        Path of each image, relative to `root`. A name that is not valid UTF-8 has surrogates, as
        from `os.fsdecode`.
    labels
        int64 (n,), the class index of each image.
    source
        Reads the bytes of images.
    notices
        Files that were ignored or counted twice, and oddities. `moderate_cli.dataset.sentences`
        puts them in words.
    listed
        The list or table that has the images and classes, if they are not those of folders.
    corrections
        Corrected labels, if any; `labels` are those that the dataset itself has.
    by_name
        Whether the classes are those in the names of files.

    Examples
    --------
    >>> from moderate_cli import scan
    >>> dataset = scan("data/train")
    >>> dataset.class_to_idx, dataset.paths[0]
    ({'cat': 0, 'dog': 1, 'owl': 2}, 'cat/0.png')
    """

    root: Path
    classes: tuple[str, ...]
    paths: Sequence[str]
    labels: npt.NDArray[np.int64]
    source: Source = FILES
    notices: tuple[Notice, ...] = ()
    listed: Listed | None = None
    corrections: Corrections | None = None
    by_name: bool = False

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        """Return the numbers of images and classes, and the path."""
        images, classes = (
            counted(len(self), "image"),
            counted(len(self.classes), "class", "classes"),
        )
        return f"Dataset({images}, {classes}, in {self.home})"

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Class name -> class index, as ImageFolder has it."""
        return {name: index for index, name in enumerate(self.classes)}

    def part(self, rows: npt.NDArray[np.int64]) -> Dataset:
        """Return a dataset of some rows, int64 (m,), renumbered from 0."""
        paths = Paths.of(self.paths[row] for row in rows.tolist())
        source = self.source.part(f"{self.root}/{path}" for path in paths)
        listed = self.listed and self.listed.part(rows)
        return replace(
            self, paths=paths, labels=self.labels[rows], source=source, notices=(), listed=listed,
            corrections=None,
        )  # fmt: skip

    @property
    def corrected_labels(self) -> npt.NDArray[np.int64]:
        """int64 (n,), the class index of each image, corrected if there are corrections."""
        return self.labels if self.corrections is None else self.corrections.labels

    @property
    def corrections_key(self) -> str:
        """Digits that stand for the corrected labels in keys of results; "" if there are none."""
        return "" if self.corrections is None else self.corrections.key.hex()[:16]

    def as_corrected(self) -> Dataset:
        """Return it with the corrected labels as its own, without the images to leave out."""
        if self.corrections is None:
            return self
        kept = self.part(np.flatnonzero(~self.corrections.left_out))
        return replace(kept, labels=self.corrections.used)

    def corrected_classes(self) -> dict[int, str]:
        """Return the corrected class of each image that has one, by row."""
        if self.corrections is None:
            return {}
        changed, labels = self.corrections.changed, self.corrections.labels
        return {row: self.classes[labels[row]] for row in changed.tolist()}

    def given_classes(self) -> dict[int, str]:
        """Return the class in the dataset of each image with a corrected class, by row."""
        return {row: self.classes[self.labels[row]] for row in self.corrected_classes()}

    @property
    def home(self) -> Path:
        """The folder or the list that names the dataset; features are stored beside it."""
        return self.root if self.listed is None else self.listed.home

    @property
    def empty_classes(self) -> tuple[str, ...]:
        """Classes without images, or to which corrected labels leave none."""
        labels = self.labels if self.corrections is None else self.corrections.used
        counts = np.bincount(labels, minlength=len(self.classes))
        return tuple(self.classes[label] for label in np.flatnonzero(counts == 0).tolist())

    @property
    def in_files(self) -> bool:
        """Whether each image is a file on this machine."""
        return self.source == FILES

    @property
    def in_class_folders(self) -> bool:
        """Whether each class is a folder."""
        return self.listed is None and not self.by_name

    @property
    def flat(self) -> bool:
        """Whether there are no class folders."""
        return self.classes == (FLAT,)

    @property
    def looks_like_splits(self) -> bool:
        """Whether all class folders with images have names of splits, such as "train"."""
        empty = set(self.empty_classes)
        return self.in_class_folders and all(
            is_split_name(name) for name in self.classes if name not in empty
        )

    @property
    def looks_like_class(self) -> bool:
        """Whether there are no class folders, and a folder beside this one contains images too."""
        if not self.flat or not self.in_files or self.listed or is_part_name(self.root.name):
            return False
        extensions = readable_extensions()
        return any(_holds_images(folder, extensions) for folder in _folders_beside(self.root))


def _folders_beside(folder: Path) -> Iterator[str]:
    with contextlib.suppress(OSError), os.scandir(folder.parent) as entries:
        for entry in entries:
            if entry.name != folder.name and not is_left_behind(entry.name) and entry.is_dir():
                yield entry.path


def _holds_images(folder: str, extensions: tuple[str, ...]) -> bool:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return any(
            entry.name.lower().endswith(extensions) and not entry.name.startswith(".")
            for entry in entries
        )
    return False
