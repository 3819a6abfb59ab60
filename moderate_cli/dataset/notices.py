"""What a scan passes over, merges or doubts, as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from moderate_cli.dataset.formats import IMAGE_EXTENSIONS
from moderate_cli.dataset.names import TEXTS, alike, is_hidden, is_own, suffix_of

Kind = Literal[
    "suffix",  # files of a suffix that is not read
    "no suffix",  # images without a suffix
    "beside",  # images beside the class folders
    "hidden",  # hidden files
    "member",  # members of a tar file that are no files, or of no sample, of one kind
    "folder",  # folders that are hidden, or a system's own, of one name
    "more",  # images of a suffix that are read, though ImageFolder does not list them
    "loop",  # a link to a folder that it is in, and that folder; "." is the dataset
    "again",  # another name of a folder in the same class, which is not entered again
    "twin",  # a folder of one class that another class has, too, and its images
    "alike classes",  # a pair of classes that differ by case or normal form alone
    "alike files",  # pairs of names in a folder that do
    "labels",  # what tells labels, maybe, but is not read, where all images are of one class
    "parts",  # class folders that are named like parts of a dataset, all of them
    "deeper",  # the only class, of folders that may be the classes
    "splits inside",  # splits that all classes have
]
SNIFFED = 1000  # files without a suffix that are looked into


class Notice(NamedTuple):
    """One thing that whoever uses a dataset should know.

    Attributes
    ----------
    kind
        What it is.
    count
        How many files, folders or images it concerns.
    names
        A suffix, folders or examples, as the kind has it; paths are relative to the dataset.
    shifts
        What ImageFolder numbers otherwise because of it: rows, classes (and so rows) or nothing.
    """

    kind: Kind
    count: int  # type: ignore[assignment]  # tuple.count is of no use here
    names: tuple[str, ...] = ()
    shifts: Literal["", "rows", "classes"] = ""


@dataclass
class Survey:
    """Collects what is passed over, folder by folder.

    Attributes
    ----------
    extensions
        Endings of the names that are read.
    format_of
        Tells the image format of a file, or "", by its path and its content; None where opening
        files takes too long.
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
        """Count the files of a folder that is a class, or in one.

        Parameters
        ----------
        folder
            Its path.
        more
            Names of images that ImageFolder would not list.
        others
            Names of files that are not read.
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
        """Count what is beside the class folders."""
        self._beside += images
        for name in filter(is_hidden, others):
            self._take_hidden(name, listed=False)

    def take_folder(self, name: str, shifts: Literal["", "rows", "classes"]) -> None:
        """Count a folder that is no class and no part of one."""
        self._folders[name, shifts] += 1

    def compare(self, folder: str, names: Sequence[str]) -> None:
        """Look for names in a folder that another disk would merge."""
        pairs = alike(sorted(names))
        self._alike_count += len(pairs)
        if pairs and len(self._alike) < SNIFFED:
            self._alike += [(_in(folder, one), _in(folder, other)) for one, other in pairs]

    def notices(self) -> Iterator[Notice]:
        """Yield what was found so far, each kind in an order of its own that is always the same."""
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
