"""Images of which some move to the folder of another class: the new path of each."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping, Sequence

from moderate_cli.dataset import Dataset

LONGEST_NAME = 255  # bytes


def moved_paths(
    dataset: Dataset, labels: Sequence[int], suffixes: Mapping[int, str] | None = None
) -> list[str]:
    """Return the new path of each image; an unchanged image keeps its path.

    Parameters
    ----------
    dataset
        A dataset of class folders.
    labels
        The new class of each image.
    suffixes
        New suffixes, by row.

    Examples
    --------
    >>> from moderate_cli import scan
    >>> moved_paths(scan("data/train"), [0, 0, 0, 0, 0, 0, 1, 2])[4:7]
    ['cat/4.png', 'cat/0-1.png', 'dog/1.png']
    """
    paths, own_labels, suffixes = list(dataset.paths), dataset.labels.tolist(), suffixes or {}
    changed = [
        row for row, label in enumerate(own_labels) if label != labels[row] or row in suffixes
    ]
    moving = {paths[row] for row in changed}
    taken = {path.casefold() for path in paths if path not in moving}
    for row in changed:
        own = dataset.classes[own_labels[row]]
        stem, suffix = posixpath.splitext(posixpath.relpath(paths[row], own))
        folder = dataset.classes[labels[row]]
        paths[row] = free_path(f"{folder}/{stem}", suffixes.get(row, suffix), taken)
    return paths


def free_path(stem: str, suffix: str, taken: set[str]) -> str:
    """Take a path: with a number before the suffix, if it is taken.

    `taken` has paths in lower case, which some file systems do not tell apart.

    >>> free_path("cat/A", ".jpg", {"cat/a.jpg"})
    'cat/A-1.jpg'
    """
    path, number = posixpath.normpath(_shortened(stem, suffix)), 0
    while path.casefold() in taken:
        number += 1
        path = posixpath.normpath(_shortened(stem, f"-{number}{suffix}"))
    taken.add(path.casefold())
    return path


def _shortened(stem: str, end: str) -> str:
    """Join a path and its ending; cut the name in between to the longest that file systems take."""
    parent, name = posixpath.split(stem)
    while name and len(os.fsencode(f"{name}{end}")) > LONGEST_NAME:
        name = name[:-1]
    return posixpath.join(parent, f"{name}{end}")
