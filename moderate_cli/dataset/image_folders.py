"""Datasets of torchvision as `Dataset`s: their images, classes and order, without listing anew."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from moderate_cli.dataset.dataset import Dataset
from moderate_cli.dataset.paths import Paths
from moderate_cli.errors import ArgumentError
from moderate_cli.files.places import place


class ImageFolder(Protocol):
    """A `torchvision.datasets.ImageFolder`, or another dataset with these attributes.

    Attributes
    ----------
    root
        Its folder.
    classes
        Names by class index.
    samples
        Path, below the root, and class index of each image.
    """

    root: Any
    classes: Any
    samples: Any


def of_image_folder(folder: ImageFolder) -> Dataset:
    """Return the images of an ImageFolder, in its order: row i is `folder.samples[i]`.

    Raises
    ------
    ArgumentError
        If it is another object, or has an image outside its root.
    """
    if not all(hasattr(folder, name) for name in ("root", "classes", "samples")):
        kind = type(folder).__name__
        raise ArgumentError(f"data: is of type {kind}; pass a path, a Dataset or an ImageFolder")
    samples: Sequence[tuple[str, int]] = folder.samples
    top = os.path.join(folder.root, "")
    paths = [
        path[len(top) :] if path.startswith(top) else os.path.relpath(path, top)
        for path, _ in samples
    ]
    outside = next((path for path in paths if path.startswith(os.pardir)), None)
    if outside is not None:
        raise ArgumentError(f"data: {outside} is outside {top}; pass the folder that has it")
    labels = np.array([label for _, label in samples], dtype=np.int64)
    return Dataset(place(top), tuple(folder.classes), Paths.of(paths), labels)
