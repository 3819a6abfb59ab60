"""Folders and the names in them -> a dataset with notices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from moderate_cli.dataset.dataset import FLAT, Dataset
from moderate_cli.dataset.entries import Entries
from moderate_cli.dataset.image_formats import IMAGE_EXTENSIONS
from moderate_cli.dataset.layouts import ClassShape, layout_notices
from moderate_cli.dataset.names import TAR, alike, is_left_behind, is_store_of
from moderate_cli.dataset.notices import Notice, Survey
from moderate_cli.dataset.paths import Paths
from moderate_cli.dataset.sentences import ignored
from moderate_cli.errors import DatasetError
from moderate_cli.text import printable

SHOWN = 3  # class folders that an error names


class Classes(Protocol):
    """Lists the folders of a class."""

    def class_folders(self, name: str) -> list[tuple[str, list[str]]] | None:
        """Return each folder of a class with its sorted images; None if it is not a class."""

    def notices(self) -> Iterator[Notice]:
        """Yield notices of the folders listed so far."""


class _Listed(NamedTuple):
    """Class folders, and the shape of each."""

    names: list[str]
    shapes: list[ClassShape]


def listing(
    shown: str,
    top: str,
    here: Entries,
    classes: Classes,
    survey: Survey,
) -> Dataset:
    """Make a dataset of the contents of a folder.

    Parameters
    ----------
    shown
        Name of the dataset in errors.
    top
        The folder, absolute.
    here
        Its contents.
    classes
        Lists its class folders.
    survey
        Counts the files that are ignored.

    Raises
    ------
    DatasetError
        If there are no images, or a folder cannot be listed.
    """
    candidates = []
    for name in sorted([*here.folders, *here.links]):
        if is_store_of(name, here.others):
            continue
        if is_left_behind(name):
            survey.take_folder(name, "classes")
        else:
            candidates.append(name)
    found = _Listed([], [])
    paths = Paths.of(_images(classes, candidates, found))
    if not found.names:
        return _flat(shown, top, here, classes, survey)
    survey.take_beside(len(here.images), here.others)
    shapes = [shape for shape in found.shapes if shape.images]
    if not shapes:
        raise _no_images(shown, found.names, bool(here.images), survey)
    notices = [*survey.notices(), *classes.notices(), *_alike_classes(found.names)]
    empty = [shape.name for shape in found.shapes if not shape.images]
    notices += layout_notices(shapes, empty, here.others, survey.texts, survey.text_names)
    labels = np.repeat(np.arange(len(found.names)), [shape.images for shape in found.shapes])
    return Dataset(Path(top), tuple(found.names), paths, labels, notices=tuple(notices))


def _images(classes: Classes, candidates: list[str], listed: _Listed) -> Iterator[str]:
    """Yield the images of all classes, and add each class to `listed`."""
    for name in candidates:
        folders = classes.class_folders(name)
        if folders is None:  # a link to the dataset itself
            continue
        count, inner = 0, set()
        for folder, names in folders:
            count += len(names)
            if names and folder != name:
                inner.add(folder.split("/", 2)[1])
            yield from [f"{folder}/{image}" for image in names]
        direct = len(folders[0][1]) if folders and folders[0][0] == name else 0
        listed.names.append(name)
        listed.shapes.append(ClassShape(name, count, direct, tuple(sorted(inner))))


def _flat(shown: str, top: str, here: Entries, classes: Classes, survey: Survey) -> Dataset:
    """Make one class of images that are in no class folder."""
    survey.take("", here.more, here.others)
    survey.compare("", here.images)
    if not here.images:
        tars = sorted(name for name in here.others if name.lower().endswith(TAR))
        if tars:
            raise DatasetError(
                f"{shown}: contains tar files in place of images; pass them, e.g."
                f" {shown.rstrip('/')}/{printable(tars[0])}, or several with braces"
            )
        raise DatasetError(
            f"{shown}: contains neither class folders nor images ({' '.join(IMAGE_EXTENSIONS)})"
            f"{_but(survey)}; put images in one folder per class"
        )
    images = sorted(here.images)
    shape = ClassShape(FLAT, len(images), len(images), ())
    notices = [*survey.notices(), *classes.notices()]
    notices += layout_notices([shape], (), (), survey.texts, survey.text_names)
    labels = np.zeros(len(images), dtype=np.int64)
    return Dataset(Path(top), (FLAT,), images, labels, notices=tuple(notices))


def _alike_classes(names: list[str]) -> Iterator[Notice]:
    for one, other in alike(names):
        yield Notice("alike classes", 1, (one, other))


def _no_images(shown: str, classes: list[str], beside: bool, survey: Survey) -> DatasetError:
    """Return the error for class folders without images."""
    if beside:
        named = ", ".join(classes[:SHOWN]) + (", ..." if len(classes) > SHOWN else "")
        return DatasetError(
            f"{shown}: its folders ({named}) contain no images, but there are images beside them;"
            " move the images into one folder per class, or remove those folders"
        )
    return DatasetError(
        f"{shown}: there are no images ({' '.join(IMAGE_EXTENSIONS)}) in its class folders"
        f"{_but(survey)}; pass the folder that contains the class folders"
    )


def _but(survey: Survey) -> str:
    """Return a clause that counts the files that are not images."""
    found = ignored(tuple(survey.notices()))
    return (
        ""
        if found is None
        else f", but {found.fact.removeprefix('ignored ')}"
        + (f" ({found.advice})" if found.advice else "")
    )
