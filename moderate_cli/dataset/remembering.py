"""The folder of a list's images, which is remembered in the store of its features."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from moderate_cli.dataset.dataset import Dataset
from moderate_cli.dataset.named import NamedDataset
from moderate_cli.dataset.names import STORE
from moderate_cli.errors import OutputError
from moderate_cli.files.atomic import new_file
from moderate_cli.files.places import place
from moderate_cli.files.regular import read_regular

IMAGES = "images.txt"  # path from the store to the folder


def remembered(home: Path, store: str | os.PathLike[str] | None) -> Path | None:
    """Return the folder of a list's images, as it was named before; None if it was not.

    Parameters
    ----------
    home
        The list, or the folder that it names.
    store
        Folder of the features; None for the one beside the list.
    """
    folder = home.with_name(home.name + STORE) if store is None else place(store)
    try:
        path = read_regular(folder / IMAGES)
    except OSError:
        return None
    return place(folder / os.fsdecode(path)) if path and b"\0" not in path else None


def folder_as_before(dataset: Dataset, data: object) -> str | None:
    """Return the folder of a list's images as a user writes it, if an earlier command named it.

    `data` is what `dataset` was listed from.
    """
    own = dataset.listed
    if own is None or not isinstance(data, (str, os.PathLike)):
        return None
    named_now = isinstance(data, NamedDataset) and data.images is not None
    if named_now or not dataset.in_files or dataset.root == own.path.parent:
        return None
    shown = os.fspath(dataset.root)
    with contextlib.suppress(ValueError):  # on another drive of Windows
        beside = os.path.relpath(shown, own.home.parent)
        shown = os.path.normpath(os.path.join(os.path.dirname(os.fspath(data)), beside))
    return shown


def remember(dataset: Dataset, store: Path) -> None:
    """Note in the store where the images of a list are, unless they are beside it.

    A store that cannot be written may be used; then nothing is noted.
    """
    if dataset.listed is None or not dataset.in_files:
        return
    known = remembered(dataset.listed.home, store)
    if dataset.root == (known or dataset.listed.path.parent):
        return
    with contextlib.suppress(OSError, OutputError):
        if dataset.root == dataset.listed.path.parent:
            (store / IMAGES).unlink()
            return
        try:  # relative, so that all can be moved together
            path = Path(os.path.relpath(dataset.root, store))
        except ValueError:  # on another drive of Windows
            path = dataset.root
        with new_file(store / IMAGES) as file:
            file.write(os.fsencode(path.as_posix()))
