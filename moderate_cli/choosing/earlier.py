"""An earlier selection, whose images are kept in any case."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from codecs import BOM_UTF8 as BOM
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from moderate_cli.arrays import Mask
from moderate_cli.dataset import scan
from moderate_cli.dataset.image_formats import readable_extensions
from moderate_cli.dataset.lists import is_list
from moderate_cli.dataset.named import NamedDataset
from moderate_cli.dataset.remembering import remembered
from moderate_cli.errors import ArgumentError, DatasetError, OptionError
from moderate_cli.exporting.recipes import read_published
from moderate_cli.files.near import near_or
from moderate_cli.files.places import place
from moderate_cli.files.regular import read_regular
from moderate_cli.inputs import Inputs, Source
from moderate_cli.listening import Listener
from moderate_cli.notices import Notice
from moderate_cli.selection import Choice
from moderate_cli.text import counted, one_line, printable

# Errors of reading what is no list of kept images.
NOT_ONE = (ValueError, KeyError, TypeError, RecursionError, csv.Error)


@dataclass(frozen=True, eq=False)
class Earlier:
    """The images of an earlier selection that are still in the data.

    Attributes
    ----------
    name
        Of the list.
    mask
        bool (n,), those images.
    """

    name: str
    mask: Mask

    @property
    def images(self) -> int:
        """Their number."""
        return int(np.count_nonzero(self.mask))

    @property
    def shown(self) -> str:
        """Name of the list, without its folders."""
        return printable(os.path.basename(os.path.normpath(self.name)))

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a recipe says of it."""
        return {"name": os.path.basename(os.path.normpath(self.name)), "images": self.images}

    def check(self, choice: Choice, k: int) -> None:
        """Refuse to keep fewer images.

        Raises
        ------
        ArgumentError
            Naming the amount to keep.
        """
        if self.images > k:
            amount = "count" if choice.ratio is None else "ratio"
            raise OptionError(
                f"{{}} keeps {counted(k, 'image')}, and {self.images} of {{}} are still there; keep"
                " more, or select without it",
                (amount, getattr(choice, amount)),
                ("keep_from", self.name),
            )


class Names(NamedTuple):
    """The images of an earlier selection, by path or row number, and the name of the list."""

    name: str
    images: frozenset[str]

    def among(self, source: Source, listener: Listener) -> Earlier:
        """Find the images in the data; tell how many are gone.

        Raises
        ------
        ArgumentError
            If there is none.
        """
        rows = np.flatnonzero(source.readable)
        mask = np.zeros(len(source.readable), dtype=np.bool_)
        there = [name in self.images for name in source.names_of(rows)]
        mask[rows[np.array(there, dtype=np.bool_)]] = True
        found = Earlier(self.name, mask)
        if not found.images:
            raise ArgumentError(
                f"{self.name}: none of its {counted(len(self.images), 'image')} is in the data;"
                " pass a list of this dataset, or its copy"
            )
        listener.notice(Notice("kept from", found.images, len(self.images), names=(self.name,)))
        return found


def read_earlier(keep_from: str | os.PathLike[str] | Sequence[str], inputs: Inputs) -> Names:
    """Read an index file or a manifest, list the images of a copy, or take paths.

    Parameters
    ----------
    keep_from
        A `.txt`, `.csv` or `.json` file, as `write_index` writes it; for data of a list, a list
        with some of its rows; a `.jsonl` file, as `write_manifest` writes it; a folder that
        `export` made; a `.npy` file if the inputs are arrays, whose rows keep their numbers; or the
        paths.
    inputs
        Of the selection to make.

    Raises
    ------
    ArgumentError
        If the file cannot be read, or has no images.
    """
    if not isinstance(keep_from, (str, os.PathLike)):
        return _checked("keep_from", _paths_in_sequence(keep_from))
    name = os.fspath(keep_from)
    suffix = Path(name).suffix.lower()
    if suffix == ".npy" and inputs.data is not None:
        raise ArgumentError(
            f"{name}: has row numbers, which change when images are added; pass a .txt, .csv or"
            " .json list"
        )
    if listed := _listed_in(name, inputs.data):
        return _checked(name, listed)
    if suffix == ".json":
        return _checked(name, [image.path for image in read_published(name).images])
    try:
        if os.path.isdir(name):
            return _checked(name, list(_images_in(name)))
        content = read_regular(name)
    except OSError as error:
        advice = near_or(name, "pass a list of kept images, or a copy")
        raise ArgumentError(f"{name}: {error.strerror or one_line(error)}; {advice}") from None
    try:
        images = READERS.get(suffix, _paths_in_text)(content)
    except NOT_ONE:
        wrote = "--manifest all.jsonl" if suffix == ".jsonl" else f"-o kept{suffix}"
        raise ArgumentError(f"{name}: is not a list of kept images that {wrote} wrote") from None
    return _checked(name, images)


def _listed_in(name: str, data: object) -> Sequence[str]:
    """Return the images of a list with rows of the list that is the data; none if it is another."""
    if not isinstance(data, (str, os.PathLike)) or not (is_list(data) and is_list(name)):
        return ()
    with contextlib.suppress(OSError, *NOT_ONE):
        if name.lower().endswith(".jsonl") and _kept_in_manifest(read_regular(name)):
            return ()  # it has all images, kept or not
    named = NamedDataset.of(data)
    list_ = place(named.path)
    images = named.images or remembered(list_, named.store) or list_.parent
    with contextlib.suppress(DatasetError):
        return list(scan(replace(named, path=name, images=images)).paths)
    return ()


def _images_in(folder: str) -> Iterator[str]:
    """Yield the path of each image of a copy, which is that in the dataset."""
    extensions = readable_extensions()
    for parent, _, names in os.walk(folder, onerror=_raise):
        inner = Path(os.path.relpath(parent, folder))
        yield from (
            (inner / name).as_posix() for name in names if name.lower().endswith(extensions)
        )


def _raise(error: OSError) -> None:
    raise error


def _checked(name: str, images: Sequence[str]) -> Names:
    if not images:
        raise ArgumentError(f"{name}: has no images")
    return Names(name, frozenset(images))


def _paths_in_sequence(paths: object) -> list[str]:
    """Refuse a selection, a mask or row numbers, which are those of a list that may have grown."""
    given = list(paths) if isinstance(paths, Iterable) else [None]
    found = [one for one in given if isinstance(one, str)]
    if len(found) < len(given):
        raise ArgumentError("keep_from: is neither a file nor paths; pass those of Selection.paths")
    return found


def _paths_in_text(content: bytes) -> list[str]:
    if b"\0" in content:
        return [os.fsdecode(line) for line in content.split(b"\0") if line]
    return [os.fsdecode(line) for line in content.removeprefix(BOM).splitlines() if line]


def _paths_in_csv(content: bytes) -> list[str]:
    text = io.StringIO(os.fsdecode(content.removeprefix(BOM)), newline="")
    return [row["path"] for row in csv.DictReader(text, strict=True)]


def _kept_in_manifest(content: bytes) -> list[str]:
    records = map(json.loads, content.splitlines())
    return [str(record["path"]) for record in records if record["kept"]]


def _rows_in_npy(content: bytes) -> list[str]:
    rows = np.load(io.BytesIO(content), allow_pickle=False)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise ValueError(rows.dtype)
    return [str(row) for row in rows.tolist()]


READERS: dict[str, Callable[[bytes], list[str]]] = {
    ".csv": _paths_in_csv,
    ".jsonl": _kept_in_manifest,
    ".npy": _rows_in_npy,
}
