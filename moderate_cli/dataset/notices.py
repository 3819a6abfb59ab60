"""Notices of a scan, as data: files that are ignored, duplicated or odd."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from moderate_cli.dataset.image_formats import IMAGE_EXTENSIONS
from moderate_cli.dataset.names import TEXTS, alike, is_hidden, is_own, suffix_of

Kind = Literal[
    "suffix",  # files with a suffix that is not read
    "no suffix",  # images without a suffix
    "beside",  # images beside the class folders
    "hidden",  # hidden files
    "member",  # members of a tar file that are not files, or belong to no sample; one kind
    "folder",  # folders that are hidden or of a system, with one name
    "more",  # images with a suffix that is read here, but not by ImageFolder
    "loop",  # a link to a folder around it, and that folder; "." is the dataset
    "again",  # another name of a folder in the same class, which is ignored
    "twin",  # a folder that two classes share, and the number of its images
    "alike classes",  # a pair of classes that differ only by case or normal form
    "alike files",  # pairs of names in a folder that differ only so
    "labels",  # files that may contain labels, in a dataset of one class
    "parts",  # class folders that are all named like parts of a dataset
    "deeper",  # the only class, and its folders, which may be the classes
    "objects",  # images with annotations of objects: their format, and an example
    "nested",  # class folders with images only in their folders; the first, and its folders
    "splits inside",  # splits in each class
    "missing images",  # rows of a list whose image does not exist, with an example
    "double rows",  # rows of a list that repeat an image
    "no class",  # images of a list without a class, which are left out
    "no match",  # images whose name has no class, with an example
    "no row",  # images in the folders of a list that it does not name, with an example
]
SNIFFED = 1000  # files without a suffix that are opened


class Notice(NamedTuple):
    """One thing that a user of the dataset should know.

    Attributes
    ----------
    kind
        One of the kinds above.
    count
        Number of files, folders or images.
    names
        A suffix, folders or examples, depending on the kind; paths are relative to the dataset.
    shifts
        Numbers that differ from those of ImageFolder: "rows", "classes" (and so rows), or "".
    """

    kind: Kind
    count: int  # type: ignore[assignment]  # tuple.count is of no use here
    names: tuple[str, ...] = ()
    shifts: Literal["", "rows", "classes"] = ""


@dataclass
class Survey:
    """Counts ignored and odd files, folder by folder.

    Attributes
    ----------
    extensions
        Suffixes of the images that are read.
    format_of
        Returns the image format of the file at a path, or ""; None if opening files takes too
        long.
    """

    extensions: tuple[str, ...]
    format_of: Callable[[str], str] | None = None
    texts: Counter[str] = field(default_factory=Counter)  # by suffix, in class folders
    text_names: list[str] = field(default_factory=list)  # of the first few
    _suffixes: Counter[str] = field(default_factory=Counter)
    _more: Counter[str] = field(default_factory=Counter)
    _hidden: Counter[bool] = field(default_factory=Counter)  # by whether ImageFolder lists them
    _folders: Counter[tuple[str, str]] = field(default_factory=Counter)
    _alike: list[tuple[str, str]] = field(default_factory=list)
    _alike_count: int = 0
    _bare: int = 0
    _sniffed: int = 0
    _beside: int = 0

    def take(self, folder: str, more: Iterable[str], others: Iterable[str]) -> None:
        """Count the files of a class folder, or of a folder in one.

        Parameters
        ----------
        folder
            Its path.
        more
            Names of images that only ImageFolder ignores.
        others
            Names of files that are ignored.
        """
        self._more.update(map(suffix_of, more))
        for name in others:
            suffix = suffix_of(name)
            if is_hidden(name):
                self._take_hidden(name)
            elif suffix in TEXTS:
                self.texts[suffix] += 1
                if len(self.text_names) < SNIFFED:
                    self.text_names.append(_in(folder, name))
            elif suffix:
                self._suffixes[suffix] += 1
            elif self.format_of is not None and self._sniffed < SNIFFED:
                self._sniffed += 1
                self._bare += bool(self.format_of(_in(folder, name)))

    def take_beside(self, images: int, others: Iterable[str]) -> None:
        """Count the files beside the class folders."""
        self._beside += images
        for name in filter(is_hidden, others):
            self._take_hidden(name, listed=False)

    def take_folder(self, name: str, shifts: Literal["", "rows", "classes"]) -> None:
        """Count an ignored folder."""
        self._folders[name, shifts] += 1

    def compare(self, folder: str, names: Sequence[str]) -> None:
        """Find names in a folder that a disk of macOS or Windows would merge."""
        pairs = alike(sorted(names))
        self._alike_count += len(pairs)
        if pairs and len(self._alike) < SNIFFED:
            self._alike += [(_in(folder, one), _in(folder, other)) for one, other in pairs]

    def notices(self) -> Iterator[Notice]:
        """Yield notices of all counts, in a fixed order."""
        for suffix, count in _most(self._suffixes):
            yield Notice("suffix", count, (suffix,))
        if self._bare:
            yield Notice("no suffix", self._bare)
        if self._beside:
            yield Notice("beside", self._beside)
        for listed, count in sorted(self._hidden.items()):
            yield Notice("hidden", count, (), "rows" if listed else "")
        for (name, shifts), count in sorted(self._folders.items()):
            yield Notice("folder", count, (name,), shifts)  # type: ignore[arg-type]
        for suffix, count in _most(self._more):
            yield Notice("more", count, (suffix,), "rows")
        if self._alike:
            yield Notice("alike files", self._alike_count, min(self._alike))

    def _take_hidden(self, name: str, *, listed: bool = True) -> None:
        if not is_own(name):
            self._hidden[listed and name.lower().endswith(IMAGE_EXTENSIONS)] += 1


def _in(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
