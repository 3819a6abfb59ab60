"""A sample of WebDataset: files of one key, one of them the image, one its class."""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from moderate_cli.dataset.tarfiles import Entry
from moderate_cli.errors import DatasetError

JSON_KEYS = ("cls", "label", "class")  # of the class in a .json file
# Largest size of a file with a class, in bytes; it is read completely.
MOST_BYTES = {"cls": 1 << 12, "json": 1 << 24}
# Extensions of files that are ignored without a notice.
TEXTS = ("", "cls", "csv", "html", "json", "jsonl", "md", "py", "tsv", "txt", "xml", "yaml", "yml")


class ClassFiles(NamedTuple):
    """The files of a sample that may have its class: .cls, which decides, and .json."""

    text: Entry | None
    fields: Entry | None


@dataclass
class Sample:
    """Files of one key in a tar file, by their extension.

    An extension is the part of a name after the first dot. One with another dot, such as `seg.png`,
    belongs to an extra beside the image; without another image, it belongs to the image.
    """

    images: dict[str, Entry] = field(default_factory=dict)
    classes: dict[str, Entry] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)

    def add(self, extension: str, entry: Entry, images: tuple[str, ...]) -> None:
        """Add a file: an image if it has one of these suffixes, a class, or another file."""
        if f".{extension}".endswith(images):
            self.images[extension] = entry
        elif _last(extension) in MOST_BYTES:
            self.classes[extension] = entry
        else:
            self.others.add(_last(extension))

    def image(self, shard: str) -> str | None:
        """Return the extension of the image; None if there is no image.

        Raises
        ------
        DatasetError
            If there are two images, or one that looks like another sample.
        """
        plain, dotted = _split(self.images)
        if len(plain) > 1:
            one, other = (self.images[extension].name for extension in plain[:2])
            stem = other.removesuffix(f".{plain[1]}")
            raise DatasetError(
                f"{shard}: {one} and {other} are images of one sample; rename the extra one, e.g."
                f" to {stem}.mask.{plain[1]}"
            )
        if not plain:
            return self._only(dotted, "images", shard)
        samples = [extension for extension in dotted if self._is_sample(extension, plain[0])]
        self._only([*plain, *samples], "images", shard)
        return plain[0]

    def label(self, image: str, shard: str, read: Callable[[Entry], bytes]) -> str | None:
        """Return the class of the sample, or None; `image` is the extension of its image.

        Raises
        ------
        DatasetError
            If there are two classes, or one cannot be read.
        """
        told, described = self.class_files(image, shard)
        if told is not None:
            label = _class_in_text(shard, told, read)
            self._check_described(label, told, described, shard, read)
            return label
        return None if described is None else class_in_json(shard, described, read)

    def class_files(self, image: str, shard: str) -> ClassFiles:
        """Return the files that may have the class; `image` is the extension of the image.

        Raises
        ------
        DatasetError
            If there are two classes.
        """
        plain, dotted = _split(e for e in self.classes if _last(e) == "cls")
        twins = [extension for extension in dotted if _before(extension) == _before(image)]
        found = self._only([*plain, *twins] or dotted, "classes", shard)
        if found is None and "json" not in self.classes:
            return ClassFiles(None, self.classes.get(f"{_before(image)}.json"))
        return ClassFiles(self.classes.get(found or ""), self.classes.get("json"))

    def _check_described(
        self,
        label: str,
        entry: Entry,
        other: Entry | None,
        shard: str,
        read: Callable[[Entry], bytes],
    ) -> None:
        """Refuse a .json with another class number; names may be synonyms, so they may differ."""
        described = None
        if other is not None:
            with contextlib.suppress(DatasetError):  # it may have no class
                described = class_in_json(shard, other, read)
        if other is None or described is None or not (label.isdecimal() and described.isdecimal()):
            return
        if label.lstrip("0") != described.lstrip("0"):
            raise DatasetError(
                f"{shard}: {entry.name} and {other.name} are classes of one sample, {label} and"
                f" {described}; correct one of them"
            )

    def ignored(self, image: str | None) -> Iterator[str]:
        """Yield the extensions of files that may be images but are not read, other than `image`."""
        if image is not None:
            yield from (f".{extension}" for extension in self.images if extension != image)
        elif strangers := sorted(self.others.difference(TEXTS)):
            yield f".{strangers[0]}"
        elif self.classes:
            yield "imageless sample"

    def _is_sample(self, extension: str, image: str) -> bool:
        """Whether a file beside the image has a number or its own class, unlike an extra."""
        name = _before(extension)
        described = _last(extension) == image and f"{name}.json" in self.classes
        return _last(name).isdecimal() or f"{name}.cls" in self.classes or described

    def _only(self, extensions: list[str], what: str, shard: str) -> str | None:
        if len(extensions) > 1:
            files = {**self.images, **self.classes}
            one, other = (files[extension].name for extension in extensions[:2])
            raise DatasetError(
                f"{shard}: {one} and {other} are {what} of one sample, because a key ends at the"
                " first dot; rename the files so that keys contain no dots"
            )
        return extensions[0] if extensions else None


def split_name(name: str) -> tuple[str, str]:
    """Split the name of a member into its key and extension, as WebDataset does.

    >>> split_name("photos.2/0001.seg.PNG")
    ('photos.2/0001', 'seg.png')
    """
    folder, base = posixpath.split(name)
    stem, _, extension = base.partition(".")
    return posixpath.join(folder, stem), extension.lower()


def class_order(name: str) -> tuple[bool, int, str, str]:
    """Return a sort key: numbers by their value, then names.

    >>> sorted(["cat", "10", "9", "010"], key=class_order)
    ['9', '010', '10', 'cat']
    """
    number = name.isascii() and name.isdigit()
    # Not as an integer: Python refuses to convert 5,000 digits.
    value = name.lstrip("0") if number else ""
    return (not number, len(value), value, name)


def _split(extensions: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the extensions without a dot, and those with one."""
    found = list(extensions)
    return [e for e in found if "." not in e], [e for e in found if "." in e]


def _before(extension: str) -> str:
    return extension.rpartition(".")[0]


def _last(extension: str) -> str:
    return extension.rpartition(".")[2]


def _class_in_text(shard: str, entry: Entry, read: Callable[[Entry], bytes]) -> str:
    # Text from Windows may begin with a byte order mark.
    text = _content(shard, entry, read).removeprefix(b"\xef\xbb\xbf").strip()
    return _checked(shard, entry, os.fsdecode(text))


def class_in_json(shard: str, entry: Entry, read: Callable[[Entry], bytes]) -> str | None:
    """Return the class in a .json file; None if it has none.

    Raises
    ------
    DatasetError
        If it is not JSON, or the class cannot be one.
    """
    text = next(iter(classes_in(json_of(shard, entry, read)).values()), None)
    return None if text is None else _checked(shard, entry, text)


def json_of(shard: str, entry: Entry, read: Callable[[Entry], bytes]) -> Any:
    """Return what is in a .json file; a DatasetError if it is not JSON."""
    try:
        return json.loads(_content(shard, entry, read).decode("utf-8-sig", "replace"))
    except RecursionError:
        raise DatasetError(
            f"{shard}: {entry.name} is nested too deeply; correct or remove it"
        ) from None
    except ValueError as error:
        raise DatasetError(
            f"{shard}: {entry.name} is not JSON ({error}); correct or remove it"
        ) from None


def classes_in(fields: Any) -> dict[str, str]:
    """Return the classes in the fields of a .json file, by key; the first one counts.

    >>> classes_in({"label": "cat", "cls": 3.0, "width": 5})
    {'cls': '3', 'label': 'cat'}
    """
    found = {key: fields.get(key) for key in JSON_KEYS} if isinstance(fields, dict) else {}
    # Some programs write class 3 as 3.0.
    plain = {
        key: int(value) if isinstance(value, float) and value.is_integer() else value
        for key, value in found.items()
    }
    return {key: str(value) for key, value in plain.items() if isinstance(value, (str, int))}


def _checked(shard: str, entry: Entry, name: str) -> str:
    """Refuse a class name that cannot be the name of a folder."""
    try:
        bad = not name or b"\0" in os.fsencode(name)
    except UnicodeEncodeError:
        bad = True
    if bad:
        raise DatasetError(
            f"{shard}: {entry.name} contains {name!r}, which is not a class; write a name or a"
            " number"
        )
    return name


def _content(shard: str, entry: Entry, read: Callable[[Entry], bytes]) -> bytes:
    most = MOST_BYTES[_last(entry.name.lower())]
    if entry.size > most:
        raise DatasetError(
            f"{shard}: {entry.name} has {entry.size} bytes; a file with a class may have at most"
            f" {most}"
        )
    return read(entry)
