"""List the folders of a class, each once, even if several links lead to it."""

from __future__ import annotations

import heapq
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from moderate_cli.dataset.entries import NO_FOLDER, NOTHING, Entries, entries_of, unlisted
from moderate_cli.dataset.image_formats import IMAGE_EXTENSIONS
from moderate_cli.dataset.names import is_left_behind, is_store_of
from moderate_cli.dataset.notices import Notice, Survey

Identity = tuple[int, int]  # device and inode


class Walk:
    """Lists the folders of each class, and remembers the folders it has entered.

    Parameters
    ----------
    top
        The dataset folder, absolute.
    survey
        Counts the files that are ignored.
    """

    def __init__(self, top: str, survey: Survey) -> None:
        self.top = top
        self.survey = survey
        real = Path(os.path.realpath(top))
        # Folders around the dataset, and the dataset itself as ".".
        self._around = {_identity(os.fspath(path)): os.fspath(path) for path in real.parents}
        self._around[_identity(os.fspath(real))] = "."
        self._first: dict[Identity, str] = {}  # the first path of each folder
        self._twins: dict[str, tuple[str, str]] = {}  # folder -> the pair of twins around it
        self._twice: Counter[tuple[str, str]] = Counter()  # pair of twins -> number of images
        self._loops: list[tuple[str, str]] = []
        self._again: list[tuple[str, str]] = []

    def class_folders(self, name: str) -> list[tuple[str, list[str]]] | None:
        """Return each folder of a class with the names of its images, in ImageFolder's order.

        None if the class is a link to the dataset, or to a folder around it.
        """
        # ImageFolder sorts folders by their whole path, so "a-b" comes between "a" and "a/b".
        found = sorted(self._walk(name), key=lambda one: one[0])
        for folder, identity, images in found:
            if identity is not None:
                self._compare(folder, identity, len(images))
        return [(folder, sorted(images)) for folder, _, images in found] or None

    def notices(self) -> Iterator[Notice]:
        """Yield notices of links."""
        for path, target in sorted(self._loops):
            yield Notice("loop", 1, (path, target), "rows" if "/" in path else "classes")
        for path, other in sorted(self._again):
            yield Notice("again", 1, (path, other), "rows")
        for twins, images in sorted(self._twice.items()):
            if images:
                yield Notice("twin", images, twins)

    def _walk(self, name: str) -> Iterator[tuple[str, Identity | None, list[str]]]:
        """Yield the folders of a class, following links as os.walk does, but each folder once.

        Links come last, so that a folder is listed by its own name rather than by a link.
        """
        entered: dict[Identity, str] = {}
        folders, links = [name], list[str]()
        while folders or links:
            folder = folders.pop() if folders else heapq.heappop(links)
            identity, here = None, NOTHING
            try:
                identity = _identity(f"{self.top}/{folder}")
                if identity is not None:
                    if self._was_entered(folder, identity, entered):
                        continue
                    entered[identity] = folder
                here = entries_of(f"{self.top}/{folder}", self.survey.extensions)
            except OSError as error:
                if error.errno not in NO_FOLDER:
                    raise unlisted(f"{self.top}/{folder}", error) from None
            folders += [f"{folder}/{inner}" for inner in here.folders if not is_left_behind(inner)]
            for inner in here.links:
                if not is_left_behind(inner):
                    heapq.heappush(links, f"{folder}/{inner}")
            if identity not in self._first:  # a folder that classes share is counted once
                self._count(folder, here)
            yield folder, identity, here.images

    def _was_entered(self, folder: str, identity: Identity, entered: dict[Identity, str]) -> bool:
        if identity in self._around:
            self._loops.append((folder, self._around[identity]))
        elif identity in entered:
            first = entered[identity]
            (self._loops if folder.startswith(f"{first}/") else self._again).append((folder, first))
        else:
            return False
        return True

    def _count(self, folder: str, here: Entries) -> None:
        """Count the files of a folder."""
        for inner in filter(is_left_behind, (*here.folders, *here.links)):
            if is_store_of(inner, here.others):
                continue
            listed = _holds_images(f"{self.top}/{folder}/{inner}")
            self.survey.take_folder(inner, "rows" if listed else "")
        if here.others or here.more:
            self.survey.take(folder, here.more, here.others)
        if here.alike:
            self.survey.compare(folder, [*here.folders, *here.links, *here.images])

    def _compare(self, folder: str, identity: Identity, images: int) -> None:
        """Count the images of a folder that another class has too."""
        first = self._first.setdefault(identity, folder)
        if first != folder:
            twins = self._twins.get(os.path.dirname(folder), (first, folder))
            self._twins[folder] = twins
            self._twice[twins] += images


def _identity(folder: str) -> Identity | None:
    """Return device and inode of a folder; None if the file system has no inodes."""
    status = os.stat(folder)
    return (status.st_dev, status.st_ino) if status.st_ino else None


def _holds_images(folder: str) -> bool:
    """Whether ImageFolder would find images in an ignored folder."""
    return any(
        name.lower().endswith(IMAGE_EXTENSIONS) for _, _, names in os.walk(folder) for name in names
    )
