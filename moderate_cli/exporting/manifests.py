"""Manifests: all images of a dataset as JSON lines, the kept ones and why others were not kept."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import NamedTuple

from moderate_cli.exporting.suffixes import check_output
from moderate_cli.files.atomic import new_file

MANIFEST_FORMATS = {".jsonl": "JSON lines"}


class Record(NamedTuple):
    """An image in a manifest; the fields are the keys of its line.

    Attributes
    ----------
    path
        Relative to the dataset; the row number of an array.
    label
        Name of its class.
    split
        Name of the split that the dataset is, such as "train"; None if unknown.
    score
        None if the image cannot be read.
    kept
        Whether it is kept.
    reason
        Why it is not: "suspect", "near duplicate of PATH", "outside the window", "not chosen", or
        "unreadable: REASON". None for kept images.
    """

    path: str
    label: str
    split: str | None
    score: float | None
    kept: bool
    reason: str | None


def write_manifest(destination: str | os.PathLike[str], records: Iterable[Record]) -> None:
    """Write all images to a `.jsonl` file, one JSON object per line, completely or not at all.

    Parameters
    ----------
    destination
        The file.
    records
        All images, from `Selection.records`.

    Raises
    ------
    ArgumentError
        If the file has another suffix.

    Examples
    --------
    >>> from moderate_cli import select
    >>> selection = select("data/train", ratio=0.5, backbone="pixels")
    >>> write_manifest("all.jsonl", selection.records())
    """
    check_output(destination, MANIFEST_FORMATS)
    with new_file(destination) as file:
        for record in records:
            file.write(f"{json.dumps(record._asdict())}\n".encode("ascii"))
