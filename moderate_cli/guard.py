"""Refuse outputs that would overwrite the dataset, its store, an input or another output."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from moderate_cli.dataset import Dataset
from moderate_cli.errors import ArgumentError, OutputError
from moderate_cli.files.places import (
    Identity,
    contains,
    identity,
    lineage,
    mount_below,
    passed_through,
    place,
)
from moderate_cli.files.temporaries import stale_of
from moderate_cli.store.layout import store_folder


class Guard:
    """Folders and files that no output may be in, replace or overwrite.

    Folders are identified by device and inode, so links, `..` and second mounts make no difference.
    """

    def __init__(self) -> None:
        self._inside: dict[Identity, str] = {}  # folders -> what they belong to
        self._images: set[Identity] = set()  # folders of the images of a list
        self._files: dict[Identity, str] = {}  # existing files -> what they are
        self._places: list[tuple[Path, str]] = []  # no output folder may contain these
        self._stores: list[Path] = []
        self._datasets: list[Dataset] = []

    @classmethod
    def of(cls, dataset: Dataset) -> Guard:
        """Guard a dataset, and its store beside it."""
        found = cls()
        found.add_dataset(dataset)
        if dataset.source.has_neighbors and dataset.home.name:
            found.add_store(store_folder(dataset.home))
        return found

    def add_dataset(self, dataset: Dataset) -> None:
        """Guard the folders of a dataset, also linked ones; of others, its tar files or list."""
        for path in dataset.source.containers:
            kind = os.path.splitext(path)[1].removeprefix(".")
            self.add_file(path, f"the {kind} file {os.path.basename(path)} of the dataset")
        if not dataset.in_files:
            return
        self._datasets.append(dataset)
        self._add_place(dataset.root, "the dataset")
        if dataset.listed is not None:  # other files beside its images do not matter
            self.add_file(dataset.listed.path, "the list of the dataset")
            self._images |= _image_folders(dataset)
            return
        for name in _folders(dataset):
            found = identity(dataset.root / name)
            if found is not None:
                self._inside[found] = "the dataset"

    def add_store(self, folder: Path) -> None:
        """Guard a folder of feature sets, which need not exist yet."""
        self._add_place(folder, "the feature store")
        self._stores.append(folder)

    def add_folder(self, path: str | os.PathLike[str], what: str) -> None:
        """Guard a folder: no output may be in it."""
        self._add_place(path, what)
        found = identity(path)
        if found is not None:
            self._inside[found] = what

    def add_file(self, path: str | os.PathLike[str], what: str) -> None:
        """Guard an input file, or another output."""
        self._add_place(path, what)
        found = identity(path)
        if found is not None:
            self._files[found] = what

    def _add_place(self, path: str | os.PathLike[str], what: str) -> None:
        # Neither the file itself nor a link to it may be in a folder that is removed.
        self._places += [(Path(os.path.realpath(path)), what), (place(path).parent, what)]

    def check_file(self, destination: str | os.PathLike[str]) -> None:
        """Refuse a file that is guarded, is an image of the dataset, or is in a guarded folder.

        Raises
        ------
        ArgumentError, OutputError
            For an input or output of the command, or for any other guarded file.
        """
        shown, path = os.fspath(destination), os.path.realpath(destination)
        self._refuse_inside(shown, os.path.dirname(path))
        self._refuse_stale(shown, Path(path), folders=False)
        found = identity(path)
        if found is None:
            return
        if found in self._files:
            raise ArgumentError(f"{shown}: is also {self._files[found]}; choose another file")
        for dataset in self._datasets:
            images = _linked(dataset)
            if mount_below(dataset.root) is not None:  # maybe of a single file
                images = [(name, f"{dataset.root}/{name}") for name in dataset.paths]
            image = next((name for name, own in images if identity(own) == found), None)
            if image is not None:
                raise OutputError(
                    f"{shown}: is an image of the dataset, {image!r}; choose another file"
                )

    def check_folder(self, destination: str | os.PathLike[str], *, replace: bool = False) -> None:
        """Refuse a folder that is guarded, is in a guarded one, or contains one.

        Parameters
        ----------
        destination
            Path of the new folder.
        replace
            Whether an existing folder would be removed, with its contents.

        Raises
        ------
        OutputError
            With the guarded place.
        """
        shown, path = os.fspath(destination), place(destination)
        for guarded, what in self._places:
            if contains(path, guarded):
                raise OutputError(f"{shown}: contains {what}; choose a separate folder")
        self._refuse_inside(shown, path)
        if not self._images.isdisjoint(lineage(path)):
            raise OutputError(
                f"{shown}: is inside the folder of the listed images; choose a folder outside it"
            )
        self._refuse_stale(shown, path, folders=True)
        if replace:
            self._refuse_held(shown, path)

    def check_addition(self, folder: str | os.PathLike[str]) -> None:
        """Refuse to add files to a folder that is guarded, or has links to guarded files.

        Raises
        ------
        OutputError
            With the guarded place.
        """
        self._refuse_inside(os.fspath(folder), os.path.realpath(folder))
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as all_:
            for entry in all_:
                if entry.is_symlink():
                    self.check_file(entry.path)

    def _refuse_inside(self, shown: str, folder: str | os.PathLike[str]) -> None:
        for found in lineage(folder):
            if found in self._inside:
                raise OutputError(
                    f"{shown}: is inside {self._inside[found]}; choose a folder outside it"
                )
        if any(contains(store, folder) for store in self._stores):  # which need not exist yet
            raise OutputError(f"{shown}: is inside the feature store; choose a folder outside it")

    def _refuse_stale(self, shown: str, path: Path, *, folders: bool) -> None:
        """Refuse to remove a folder with the name of a temporary that contains a guarded place."""
        for left in stale_of(path, folders=folders):
            for guarded, what in self._places:
                if contains(left, guarded):
                    raise OutputError(
                        f"{shown}: {left.name} has the name of its temporary, but contains {what};"
                        " rename that first"
                    )

    def _refuse_held(self, shown: str, path: Path) -> None:
        """Refuse to remove a folder on the way to a dataset, or with files of one."""
        below = {identity(folder) for folder, _, _ in os.walk(path)} - {None}
        if not below:
            return
        for dataset in self._datasets:
            for name in _folders(dataset):
                if not below.isdisjoint(passed_through(dataset.root / name)):
                    raise OutputError(
                        f"{shown}: contains images of the dataset, reached through {name!r};"
                        " choose another folder"
                    )
            for name, image in _linked(dataset):
                if not below.isdisjoint(passed_through(image)):
                    raise OutputError(
                        f"{shown}: images of the dataset, such as {name!r}, are links to it; choose"
                        " another folder"
                    )
            if mount_below(dataset.root) is not None:  # maybe of a single file in that folder
                files = {identity(file) for file in path.rglob("*")}
                for name in dataset.paths:
                    if identity(dataset.root / name) in files:
                        raise OutputError(
                            f"{shown}: contains an image of the dataset, {name!r}; choose another"
                            " folder"
                        )


def _image_folders(dataset: Dataset) -> set[Identity]:
    """Return the folders of listed images, but not that of the list, which may be a project's."""
    assert dataset.listed is not None
    inner = {path.split("/", 1)[0] for path in dataset.paths if "/" in path}
    folders = [dataset.root / name for name in inner]
    if dataset.root != dataset.listed.path.parent or dataset.home == dataset.root:
        folders.append(dataset.root)
    return {found for folder in folders if (found := identity(folder)) is not None}


def _folders(dataset: Dataset) -> list[str]:
    """Return all folders of a dataset, relative to its root, which is ""."""
    found = {"", *(dataset.classes if dataset.in_class_folders else ())}
    # For millions of paths, this takes a third of the time of os.path.dirname.
    for folder in {path.rpartition("/")[0] for path in dataset.paths}:
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return sorted(found)


def _linked(dataset: Dataset) -> list[tuple[str, str]]:
    """Return the images that are links: path in the dataset, and absolute path."""
    found = []
    for path in dataset.paths:
        image = f"{dataset.root}/{path}"
        try:
            if stat.S_ISLNK(os.lstat(image).st_mode):
                found.append((path, image))
        except OSError:  # it was removed
            continue
    return found
