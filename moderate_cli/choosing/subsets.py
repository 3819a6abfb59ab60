"""The kept images in a dataset of torchvision, timm, Hugging Face, or of a user's own."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from moderate_cli.arrays import Rows
from moderate_cli.dataset import Dataset
from moderate_cli.errors import ArgumentError
from moderate_cli.scoring import Scores
from moderate_cli.text import counted


def subset_of(images: Any, scores: Scores, rows: Rows, dataset: Dataset | None) -> Any:
    """Return the part of a dataset that has some images, in the order of `rows`.

    Parameters
    ----------
    images
        As of `moderate_cli.choosing.Selection.subset`.
    scores
        Paths and classes of all images.
    rows
        int64 (k,), the rows of the images.
    dataset
        The images, if they are those of a dataset.
    """
    _refuse_corrected(rows, dataset)
    paths = _paths_of(images, dataset)
    if paths is not None and scores.paths:
        found = _by_path(paths, list(scores.names(rows)))
    else:
        found = _by_number(images, scores, rows, dataset)
    if _is_hugging_face(images):
        return images.select(found)
    from torch.utils.data import Subset  # which takes seconds to load

    return Subset(images, found)


def _refuse_corrected(rows: Rows, dataset: Dataset | None) -> None:
    """Refuse images whose labels were corrected: the user's dataset has the given ones."""
    corrections = None if dataset is None else dataset.corrections
    if corrections is not None and (corrected := corrections.count(rows)):
        raise ArgumentError(
            f"{corrections.name}: corrected {counted(corrected, 'label')} of the kept images,"
            " which the dataset lacks; train on a copy: export(selection.dataset, selection,"
            " folder)"
        )


def _paths_of(images: Any, dataset: Dataset | None) -> Iterable[str] | None:
    """Return the path of each image, relative to the dataset's folder, if it tells them.

    A list may be of images in several folders, of which they are one. In a copy of the dataset they
    are relative to the copy.
    """
    root = getattr(getattr(images, "reader", images), "root", None)  # `reader` is of timm
    if root is None:
        return None
    inner = "." if dataset is None else os.path.relpath(os.path.realpath(root), dataset.root)
    inner = "" if inner.partition(os.sep)[0] in (os.curdir, os.pardir) else inner
    if hasattr(images, "filenames"):
        return (os.path.join(inner, path) for path in images.filenames())
    if hasattr(images, "samples"):
        return (os.path.join(inner, os.path.relpath(path, root)) for path, _ in images.samples)
    return None


def _by_path(paths: Iterable[str], wanted: list[str]) -> list[int]:
    """Find images by path; readers list other formats, and in other orders."""
    place_of = {path.replace(os.sep, "/"): place for place, path in enumerate(paths)}
    missing = [path for path in wanted if path not in place_of]
    if missing:
        raise ArgumentError(
            f"dataset: has no {missing[0]}, which is kept ({len(missing)} of {len(wanted)} are"
            " missing); pass the dataset that was selected from"
        )
    return [place_of[path] for path in wanted]


def _by_number(images: Any, scores: Scores, rows: Rows, dataset: Dataset | None) -> list[int]:
    """Take images by row number: that of the list, if the dataset is one."""
    if dataset is not None and dataset.listed is not None:
        numbers, fits = dataset.listed.rows[rows], len(images) > dataset.listed.rows.max()
    else:
        numbers, fits = rows, len(images) == len(scores)
    if not fits:
        raise ArgumentError(
            f"dataset: has {len(images)} images, not {len(scores)}; pass the dataset that was"
            " selected from"
        )
    if _is_hugging_face(images):
        _check_classes(images, numbers, [scores.class_name(one) for one in scores.labels[rows]])
    found: list[int] = numbers.tolist()
    return found


def _is_hugging_face(images: Any) -> bool:
    return hasattr(images, "select") and hasattr(images, "features")


def _check_classes(images: Any, numbers: Rows, names: list[str]) -> None:
    """Refuse other classes in these rows: the images are in another order, then.

    `datasets` sorts the files of class folders by their whole paths, ImageFolder by class first.
    """
    columns = [name for name, one in images.features.items() if hasattr(one, "names")]
    if len(columns) != 1:  # no class label, or several
        return
    (column,) = columns
    labels, known = np.asarray(images[column])[numbers].tolist(), images.features[column].names
    for number, label, name in zip(numbers.tolist(), labels, names, strict=True):
        if known[label] != name:
            raise ArgumentError(
                f"dataset: row {number} is of class {known[label]!r}, not {name!r}, so its order"
                " differs; save it, and select from the saved folder"
            )
