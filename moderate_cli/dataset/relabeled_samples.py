"""A new class for a sample of WebDataset, in all of its files that have the class."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any

from moderate_cli.dataset.samples import Sample, classes_in, json_of
from moderate_cli.dataset.tarfiles import Entry
from moderate_cli.errors import DatasetError
from moderate_cli.text import clipped, printable


def with_class(
    sample: Sample, image: str, name: str, shard: str, read: Callable[[Entry], bytes]
) -> dict[str, bytes]:
    """Return the new contents of its files, by their names.

    Parameters
    ----------
    sample
        Has a class.
    image
        Extension of its image.
    name
        The new class.
    shard
        The tar file, for errors.
    read
        Reads a file of it.

    Raises
    ------
    DatasetError
        If its files name the class in two ways, of which only one is known for the new class.
    """
    text, fields = sample.class_files(image, shard)
    old, new = sample.label(image, shard, read) or "", dict[str, bytes]()
    if text is not None:
        new[text.name] = read(text).replace(os.fsencode(old), os.fsencode(name), 1)
    described: Any = None
    if fields is not None:
        with contextlib.suppress(DatasetError):  # .cls has the class then
            described = json_of(shard, fields, read)
    if fields is None or not (keys := classes_in(described)):
        return new
    other = next((value for value in keys.values() if not _same(value, old)), None)
    if other is not None:
        raise DatasetError(
            f"{shard}: the files of {fields.name} name its class in two ways,"
            f" {printable(clipped(old))} and {printable(clipped(other))}, so the corrected one"
            " cannot be written to a copy; -o lists the kept samples"
        )
    described |= {key: _as_before(described[key], name) for key in keys}
    return new | {fields.name: json.dumps(described).encode("ascii")}


def _same(one: str, other: str) -> bool:
    """Whether two texts are one class: the same, or the same number."""
    numbers = one.isdecimal() and other.isdecimal()
    return one == other or (numbers and one.lstrip("0") == other.lstrip("0"))


def _as_before(value: Any, name: str) -> Any:
    """Return a class as a number if it was one, and is one."""
    plain = not isinstance(value, str) and name.isdecimal() and str(int(name)) == name
    return int(name) if plain else name
