"""The rows of a list of images, whatever its format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol

from moderate_cli.arrays import Rows
from moderate_cli.dataset.relabeling import UNCHANGED, Relabeled
from moderate_cli.errors import DatasetError

PLAIN = ("path", "label")  # columns of a list without a header
UNDECODED = re.compile("[\udc80-\udcff]")  # bytes that are not UTF-8, as in names of files


class Records(Protocol):
    """The rows of a list.

    Attributes
    ----------
    columns
        Names of the columns.
    has_header
        Whether the list has these names; else they are `PLAIN`.
    """

    columns: tuple[str, ...]
    has_header: bool

    def pairs(self, path: int, label: int | None) -> Iterator[tuple[str, str]]:
        """Yield image and class of each row, by the positions of their columns; "" if missing."""

    def place(self, number: int) -> str:
        """Return where a row is, by its number from 0, as a text editor shows it."""

    def copy(self, rows: Rows, file: BinaryIO, relabeled: Relabeled = UNCHANGED) -> None:
        """Write some rows, int64 (m,) ascending, as they are but for labels, below the header."""


def refuse_undecoded(text: str, shown: str) -> None:
    """Refuse a list in another encoding, by a text of it that is no name of this machine.

    Raises
    ------
    DatasetError
        If the text has bytes that are not UTF-8.
    """
    found = UNDECODED.search(text)
    if found is not None:
        byte = ord(found[0]) - 0xDC00
        raise DatasetError(
            f"{shown}: is not UTF-8 (byte 0x{byte:02x}); convert it, e.g. with iconv -t UTF-8"
        )


def as_text(value: Any) -> str:
    """Return a cell as text.

    Raises
    ------
    TypeError
        If it has several values.

    Examples
    --------
    >>> as_text(" cat "), as_text(None), as_text(3.0)
    ('cat', '', '3')
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (list, dict, tuple)):
        raise TypeError(
            "has several values in a cell; an image has one class here, so pass --features with"
            " --labels, or --scores"
        )
    if isinstance(value, float):  # some programs write class 3 as 3.0, and a missing one as NaN
        return "" if value != value else str(int(value) if value.is_integer() else value)
    return "" if value is None else str(value)
