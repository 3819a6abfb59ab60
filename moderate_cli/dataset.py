"""A dataset folder with one sub-folder per class, listed as torchvision's ImageFolder lists it.

A folder of images without sub-folders is one, too, of a single class.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moderate_cli.errors import DatasetError
from moderate_cli.paths import Paths
from moderate_cli.places import place
from moderate_cli.sources import FILES, Source

# torchvision.datasets.folder.IMG_EXTENSIONS, written out so that no torch is loaded to list files.
IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
FLAT = "."  # the only class of a folder without sub-folders
# Of the splits of a dataset; a part of one, too, such as train-0.3.
SPLIT_NAME = re.compile(
    r"(train|training|val|valid|validation|dev|test|testing|eval)(-[\d.]+)?", re.IGNORECASE
)
# How a system says that there is no folder, or none any more; a loop of links leads to none.
NO_FOLDER = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
SHOWN = 3  # class folders that an error names


@dataclass(frozen=True, eq=False)
class Dataset:
    """The images of an ImageFolder; row i is `ImageFolder(root).samples[i]`.

    Attributes
    ----------
    root
        The dataset folder, absolute.
    classes
        Names of the class folders, sorted; a class index is a position here. `FLAT` alone if there
        are none.
    paths
        Of each image, relative to `root`. A name that is not valid UTF-8 holds surrogates, as
        `os.fsdecode` makes them.
    labels
        int64 (n,), the class index of each image.
    source
        What images are read from.
    """

    root: Path
    classes: tuple[str, ...]
    paths: Sequence[str]
    labels: npt.NDArray[np.int64]
    source: Source = FILES

    def __len__(self) -> int:
        return len(self.paths)

    def part(self, rows: npt.NDArray[np.int64]) -> Dataset:
        """Return some of the images, int64 (m,), as a dataset, which numbers them anew."""
        paths = Paths.of(self.paths[row] for row in rows.tolist())
        source = self.source.part(f"{self.root}/{path}" for path in paths)
        return replace(self, paths=paths, labels=self.labels[rows], source=source)

    @property
    def empty_classes(self) -> tuple[str, ...]:
        """Classes without a single image."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        return tuple(self.classes[label] for label in np.flatnonzero(counts == 0).tolist())

    @property
    def in_files(self) -> bool:
        """Whether each image is a file of this machine."""
        return self.source == FILES

    @property
    def flat(self) -> bool:
        """Whether there are no class folders."""
        return self.classes == (FLAT,)

    @property
    def looks_like_splits(self) -> bool:
        """Whether the class folders that hold images are named like the splits of a dataset."""
        empty = set(self.empty_classes)
        return all(SPLIT_NAME.fullmatch(name) for name in self.classes if name not in empty)

    @property
    def looks_like_class(self) -> bool:
        """Whether there are no class folders, and a folder beside this one holds images, too."""
        return self.flat and self.in_files and any(map(_holds_images, _folders_beside(self.root)))


def scan(root: str | os.PathLike[str]) -> Dataset:
    """List the images below `root`, in the order of torchvision's `ImageFolder`.

    `root` may also be an URL that fsspec knows, or the name of tar files as WebDataset makes them:
    see `moderate_cli.remote` and `moderate_cli.tars`.

    No image is opened. Unlike for `ImageFolder`, a class without images is no error: it keeps its
    index and is listed in `Dataset.empty_classes`. Nor are images without any class folder.

    Raises
    ------
    DatasetError
        If `root` is no folder, holds no image, or a folder below it cannot be listed.
    """
    if "://" in os.fspath(root):
        from moderate_cli.remote import scan_remote

        return scan_remote(os.fspath(root))
    if os.fspath(root).endswith(".tar") and not os.path.isdir(root):
        from moderate_cli.tars import scan_tars

        return scan_tars(os.fspath(root))
    top = os.fspath(place(root))
    try:
        with os.scandir(top) as entries:
            found = [(entry.name, _is_dir(entry)) for entry in entries]
    except OSError as error:
        raise DatasetError(f"{os.fspath(root)}: {error.strerror}; name a dataset folder") from None
    classes = sorted(name for name, is_dir in found if is_dir)
    images = sorted(name for name, is_dir in found if not is_dir and _is_image(name))
    if not classes:
        if not images:
            raise DatasetError(
                f"{os.fspath(root)}: holds no class folders and no images"
                f" ({' '.join(IMAGE_EXTENSIONS)}); put images in one folder per class"
            )
        return Dataset(Path(top), (FLAT,), images, np.zeros(len(images), dtype=np.int64))
    counts: list[int] = []
    paths = Paths.of(_count(counts, (_image_paths(top, name) for name in classes)))
    if not paths:
        raise _no_images(os.fspath(root), classes, bool(images))
    return Dataset(Path(top), tuple(classes), paths, np.repeat(np.arange(len(classes)), counts))


def _count(counts: list[int], lists: Iterable[list[str]]) -> Iterator[str]:
    """Yield the members of all lists, and note the length of each."""
    for members in lists:
        counts.append(len(members))
        yield from members


def _image_paths(top: str, class_name: str) -> list[str]:
    # ImageFolder sorts folders by their whole path, so "a-b" comes between "a" and "a/b".
    return [
        f"{folder}/{name}"
        for folder, names in sorted(_walk(top, class_name))
        for name in sorted(names)
    ]


def _walk(top: str, folder: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder with its image names, following links to folders as os.walk does."""
    stack = [folder]
    while stack:
        folder = stack.pop()
        names = []
        try:
            with os.scandir(f"{top}/{folder}") as entries:
                for entry in entries:
                    if _is_dir(entry):
                        stack.append(f"{folder}/{entry.name}")
                    elif _is_image(entry.name):
                        names.append(entry.name)
        except OSError as error:
            if error.errno not in NO_FOLDER:
                raise _unlisted(f"{top}/{folder}", error) from None
        yield folder, names


def _no_images(root: str, classes: list[str], beside: bool) -> DatasetError:
    """Error of class folders without images, whether or not there are some beside them."""
    if beside:
        named = ", ".join(classes[:SHOWN]) + (", ..." if len(classes) > SHOWN else "")
        return DatasetError(
            f"{root}: its folders ({named}) hold no images, and images lie beside them;"
            " move the images into one folder per class, or remove those folders"
        )
    return DatasetError(
        f"{root}: its class folders hold no images ({' '.join(IMAGE_EXTENSIONS)});"
        " name the folder that the class folders are in"
    )


def _folders_beside(folder: Path) -> Iterator[str]:
    with contextlib.suppress(OSError, DatasetError), os.scandir(folder.parent) as entries:
        yield from (entry.path for entry in entries if _is_dir(entry) and entry.name != folder.name)


def _holds_images(folder: str) -> bool:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return any(_is_image(entry.name) for entry in entries)
    return False


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        # Whatever an image leads to, it is told of when it cannot be read.
        if error.errno in NO_FOLDER or _is_image(entry.name):
            return False
        raise _unlisted(entry.path, error) from None


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_EXTENSIONS)


def _unlisted(folder: str, error: OSError) -> DatasetError:
    """Error of a folder that os.walk, and so ImageFolder, would take to be empty."""
    return DatasetError(
        f"{folder}: cannot be listed ({error.strerror}); make it readable, or move it out of the"
        " dataset"
    )
