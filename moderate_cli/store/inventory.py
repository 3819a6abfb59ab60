"""List the feature sets in a store, complete or unfinished."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from moderate_cli.arrays import UPRIGHT
from moderate_cli.dataset.lists import is_pattern
from moderate_cli.dataset.names import TAR
from moderate_cli.dataset.shards import home_of
from moderate_cli.errors import StoreError
from moderate_cli.files.places import place
from moderate_cli.platforms import size_on_disk
from moderate_cli.store.feature_store import open_store
from moderate_cli.store.layout import (
    FEATURES,
    MANIFEST,
    PARTIAL_SUFFIX,
    PLAN,
    SUFFIX,
    store_folder,
)
from moderate_cli.store.manifest import Manifest
from moderate_cli.store.partial import ABSENT, PartialSet

RESULT = re.compile(r"(?!.*coinciding)(corrected|kmeans|scores|suspects)")


class SetInfo(NamedTuple):
    """Facts about one feature set.

    Attributes
    ----------
    feature_set
        Its folder.
    dataset
        Its dataset; empty if unknown.
    backbone, weights, weights_sha256, runtime, precision, dtype, preprocessing
        How its features were made.
    rows, dim
        Shape of the feature matrix.
    classes
        Class names by index.
    unreadable
        Path -> reason.
    oriented
        Number of images with another EXIF orientation than upright; None if unknown.
    size
        Bytes on disk.
    complete
        Whether all rows are finished.
    done
        Number of finished rows.
    """

    feature_set: str
    dataset: str
    backbone: str
    weights: str
    weights_sha256: str
    runtime: str
    precision: str
    dtype: str
    preprocessing: dict[str, Any]
    rows: int
    dim: int
    classes: tuple[str, ...]
    unreadable: dict[str, str]
    oriented: int | None
    size: int
    complete: bool
    done: int


def describe(path: str | os.PathLike[str], store: str | None = None) -> list[SetInfo]:
    """List the feature sets at `path`: a dataset, a store or one set.

    Raises
    ------
    StoreError
        If one is damaged.
    """
    folder = place(path)
    if folder.suffix.lower() == TAR and not folder.is_dir():
        from moderate_cli.dataset.tars import root_of

        folder = root_of(os.fspath(path))
    elif is_pattern(os.fspath(path)):
        folder = home_of(os.fspath(path))
    # Sets in PATH itself take precedence over --store, which may come from the environment. But a
    # dataset may contain files with our names, so its own store takes precedence over PATH.
    own = folder if store is not None and any(_sets(folder)) else store_folder(folder, store)
    for candidate in (own, folder) if store is None else (own,):
        dataset = os.fspath(folder) if candidate != folder else _beside(candidate)
        found = [_describe(found, dataset) for found in _sets(candidate)]
        if found:
            return found
    return []


def results_in(folder: Path) -> tuple[str, ...]:
    """Return the names of the results in the folder of a feature set, such as "suspects"."""
    names = (file.stem for file in folder.glob("*.npy") if RESULT.match(file.name))
    return tuple(sorted(names))


def is_dataset(path: str | os.PathLike[str], info: SetInfo) -> bool:
    """Whether a path with a feature set is its dataset, not its store."""
    folder = Path(info.feature_set)
    return not any(
        os.path.exists(path) and os.path.samefile(path, place) for place in (folder, folder.parent)
    )


def _sets(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for candidate in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        ours = candidate.parent.name.endswith(SUFFIX) or (candidate / FEATURES).is_file()
        if ours and any((candidate / name).is_file() for name in (MANIFEST, PLAN)):
            yield candidate


def _beside(place: Path) -> str:
    """Return the dataset beside a store, or beside the store of a set."""
    for path in (place, place.parent):
        if path.name.endswith(SUFFIX):
            return os.fspath(path.with_name(path.name.removesuffix(SUFFIX)))
    return ""


def _describe(folder: Path, dataset: str) -> SetInfo:
    store = open_store(folder)
    if store is not None:
        manifest, done = store.manifest, len(store)
        unreadable = {store.paths[row]: reason for row, reason in store.unreadable.items()}
        tags = store.orientations
        oriented = int(np.count_nonzero(tags > UPRIGHT)) if tags[store.readable].all() else None
    else:
        manifest, done = _progress(folder)
        unreadable, oriented = {}, None
    return SetInfo(
        feature_set=os.fspath(folder),
        dataset=dataset,
        backbone=manifest.spec.backbone,
        weights=manifest.weights,
        weights_sha256=manifest.weights_sha256,
        runtime=manifest.runtime,
        precision=manifest.spec.precision,
        dtype=manifest.spec.dtype,
        preprocessing=manifest.preprocessing.facts(),
        rows=manifest.rows,
        dim=manifest.dim,
        classes=manifest.classes,
        unreadable=unreadable,
        oriented=oriented,
        size=sum(size_on_disk(file.stat()) for file in folder.iterdir()),
        complete=not folder.name.endswith(PARTIAL_SUFFIX),
        done=done,
    )


def _progress(partial: Path) -> tuple[Manifest, int]:
    """Return the manifest of an unfinished set, and its number of finished rows."""
    found = PartialSet(partial)
    try:
        return found.manifest, int(np.count_nonzero(found.finished))
    except ABSENT as error:
        raise StoreError(
            f"{partial}: is not an unfinished feature set ({error}); remove it"
        ) from None
