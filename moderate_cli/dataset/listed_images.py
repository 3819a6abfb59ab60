"""The rows of a list, one after another -> the images of them that exist, each once."""

from __future__ import annotations

import contextlib
import os
import posixpath
from array import array
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Rows
from moderate_cli.dataset.entries import NO_FOLDER, unlisted
from moderate_cli.dataset.image_formats import readable_extensions
from moderate_cli.dataset.names import is_hidden
from moderate_cli.dataset.notices import Kind, Notice
from moderate_cli.dataset.records import UNDECODED, Records, refuse_undecoded
from moderate_cli.errors import DatasetError
from moderate_cli.text import clipped, counted, printable

UNLISTED = -1  # in place of the position of an image
LONGEST = 200  # characters of a name in a message


class ListedImages:
    """The images of a list that exist.

    Parameters
    ----------
    records, shown
        The list, and its name in errors.
    top, named
        Folder that the images are relative to, absolute; and as the user named it, or "".
    by_name
        Whether classes are those in names of files.
    """

    def __init__(
        self, records: Records, shown: str, top: str, named: str, *, by_name: bool
    ) -> None:
        self._shown, self._top, self._named, self._by_name = shown, top, named, by_name
        self._row = records.place  # number -> where it is in the list
        self._extensions = readable_extensions()
        self._folders: dict[str, _Folder] = {}
        self._classes: dict[str, int] = {}  # in the order of the list; "" for none
        self._read = self._missing = self._twice = 0
        self._example = ""  # of an image that does not exist
        self.portable = True  # whether all paths are relative
        # Of each image: its folder, name, class and row.
        self._in: list[str] = []
        self._names: list[str] = []
        self._own, self._rows = array("q"), array("q")

    def __len__(self) -> int:
        return len(self._names)

    def add(self, image: str, label: str) -> None:
        """Take the next row: image as in the list, and its class; "" if it has none."""
        number, self._read = self._read, self._read + 1
        folder, base = self._place(image, number)
        name = folder.find(base)
        if name is None:
            refuse_undecoded(image, self._shown)
            self._missing += 1
            self._example = self._example or image or self._row(number)
            return
        if label not in self._classes:
            if not UNDECODED.search(image):  # else the name of a file has such bytes
                refuse_undecoded(label, self._shown)
            self._add_class(label, number)
        own = self._classes[label]
        at = folder.positions[name]
        if at == UNLISTED:
            folder.positions[name] = len(self)
            self._in.append(folder.path)
            self._names.append(name)
            self._own.append(own)
            self._rows.append(number)
        elif self._own[at] == own:
            self._twice += 1
        else:
            one, other = (clipped(list(self._classes)[which]) for which in (self._own[at], own))
            places = " and ".join(map(self._row, (self._rows[at], number)))
            raise DatasetError(
                f"{self._shown}: {_shown(image)} has two classes, {printable(one) or 'none'} and"
                f" {printable(other) or 'none'} ({places}); keep one, or pass --features"
                " with --labels"
            )

    def _add_class(self, label: str, number: int) -> None:
        with contextlib.suppress(UnicodeEncodeError):
            if b"\0" not in os.fsencode(label):
                self._classes[label] = len(self._classes)
                return
        raise DatasetError(
            f"{self._shown}: {self._row(number)} has {label!r}, which is not a class; write a name"
            " or a number"
        )

    def sorted(self) -> tuple[tuple[str, ...], npt.NDArray[np.int64], Rows]:
        """Return class names, int64 (n,) labels, and int64 (n,) positions of the images.

        Images without a class are left out, unless no image has one; then there are no names.
        """
        own = np.frombuffer(self._own, dtype=np.int64)
        names = sorted(name for name in self._classes if name)
        rank = {name: place for place, name in enumerate(names)}
        ranks = np.array([rank.get(name, -1) for name in self._classes], dtype=np.int64)[own]
        inner = {name: place for place, name in enumerate(sorted(self._folders))}
        keys = ranks * len(inner) + np.array([inner[name] for name in self._in])
        order = np.argsort(keys, kind="stable")
        if names:
            order = order[ranks[order] >= 0]
        for group in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1):
            group[:] = sorted(group.tolist(), key=self._names.__getitem__)
        labels = ranks[order].astype(np.int64) if names else np.zeros(len(order), dtype=np.int64)
        return tuple(names), labels, order

    def paths(self, order: Rows) -> Iterator[str]:
        """Yield the path of each position."""
        for at in order.tolist():
            folder, name = self._in[at], self._names[at]
            yield f"{folder}/{name}" if folder else name

    def rows(self, order: Rows) -> Rows:
        """Return the row of each position, int64 (n,)."""
        return np.frombuffer(self._rows, dtype=np.int64)[order]

    def notices(self) -> Iterator[Notice]:
        """Yield notices of rows that have no image or class, and of images that have no row."""
        if self._missing:
            example = clipped(self._example, LONGEST)
            yield Notice("missing images", self._missing, (example, self._named))
        if self._twice:
            yield Notice("double rows", self._twice)
        without = self._classes.get("")
        if without is not None and len(self._classes) > 1:
            kind: Kind = "no match" if self._by_name else "no class"
            yield Notice(kind, self._own.count(without), (self._names[self._own.index(without)],))
        rest = [one for folder in self._folders.values() for one in folder.rest(self._extensions)]
        if rest:
            yield Notice("no row", len(rest), (min(rest),))

    def nothing_found(self, beside: str) -> DatasetError:
        """Return the error for a list of which no image was found; `beside` is its folder."""
        if not self._read:
            return DatasetError(f"{self._shown}: has no rows; name a list of images")
        fact = f"none of its {counted(self._read, 'image')} is in {self._named or 'its folder'}"
        found = "" if self._named else self._elsewhere(beside)
        advice = f"pass --images {found}" if found else "name their folder with --images"
        if (other := self._in_other_case()) is not None:
            advice = f"correct upper and lower case: there is {printable(other)}"
        return DatasetError(f"{self._shown}: {fact} ({_shown(self._example)}); {advice}")

    def _place(self, image: str, number: int) -> tuple[_Folder, str]:
        """Return the folder of an image, and its name there."""
        path = image
        if path.startswith("/"):
            self.portable = False
            inside = path.startswith(f"{self._top}/")
            path = path[len(self._top) + 1 :] if inside else posixpath.relpath(path, self._top)
        elif "\\" in path:  # from Windows
            path = path.replace("\\", "/")
        if path.startswith(".") or "/." in path or "//" in path:
            path = posixpath.normpath(path)
        if "://" in image:
            raise DatasetError(
                f"{self._shown}: {_shown(image)} ({self._row(number)}) is a URL; download"
                " the images, and list their files"
            )
        if path.startswith("../"):  # perhaps back into the folder
            path = posixpath.relpath(posixpath.join(self._top, path), self._top)
        if path.startswith("../"):
            raise DatasetError(
                f"{self._shown}: {_shown(image)} ({self._row(number)}) is outside of"
                f" {self._top}; name the folder of all images with --images"
            )
        inner, _, name = path.rpartition("/")
        if inner not in self._folders:
            self._folders[inner] = _Folder.listed(self._top, inner, self._shown)
        return self._folders[inner], name

    def _in_other_case(self) -> str | None:
        """Return the image of which none was found if only its case differs."""
        inner, _, name = self._example.rpartition("/")
        found = self._folders[inner].positions if inner in self._folders else ()
        return next((one for one in found if one.lower() == name.lower()), None)

    def _elsewhere(self, own: str) -> str:
        """Return a folder beside the list that has the image of which none was found."""
        inner, _, name = self._example.rpartition("/")
        with contextlib.suppress(OSError, DatasetError), os.scandir(self._top) as entries:
            for beside in sorted(entry.name for entry in entries if entry.is_dir()):
                folder = _Folder.listed(self._top, posixpath.join(beside, inner), self._shown)
                if folder.find(name) is not None:
                    return os.path.join(own, beside)
        return ""


class _Folder:
    """A folder of images.

    Attributes
    ----------
    path
        Relative to the folder of all images; "" for that one.
    positions
        Names in it -> the position of the image, or `UNLISTED`.
    """

    def __init__(self, path: str, names: Iterable[str]) -> None:
        self.path = path
        self.positions = dict.fromkeys(names, UNLISTED)
        self._stems: dict[str, str] | None = None

    @classmethod
    def listed(cls, top: str, path: str, shown: str) -> _Folder:
        """List a folder; one that does not exist has no names.

        Raises
        ------
        DatasetError
            If it cannot be listed.
        """
        try:
            return cls(path, os.listdir(f"{top}/{path}"))
        except ValueError:  # not the name of a file
            return cls(path, ())
        except OSError as error:
            if error.errno in NO_FOLDER:
                return cls(path, ())
            raise unlisted(f"{top}/{path}", error) from None

    def find(self, name: str) -> str | None:
        """Return the name of an image, which may lack its suffix; None if it does not exist."""
        if name in self.positions:
            return name
        if self._stems is None:
            extensions = readable_extensions()
            images = (one for one in self.positions if one.lower().endswith(extensions))
            self._stems = {one.rpartition(".")[0]: one for one in sorted(images, reverse=True)}
        return self._stems.get(name)

    def rest(self, extensions: tuple[str, ...]) -> Iterator[str]:
        """Yield the images that are not listed."""
        for name, position in self.positions.items():
            if position == UNLISTED and name.lower().endswith(extensions) and not is_hidden(name):
                yield f"{self.path}/{name}" if self.path else name


def _shown(image: str) -> str:
    """Return the name of an image for a line; a column may have anything in place of names."""
    return printable(clipped(image, LONGEST))
