"""Tables of results: text, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO, NamedTuple

from moderate_cli.errors import OutputError
from moderate_cli.exporting.suffixes import check_output
from moderate_cli.files.atomic import new_file
from moderate_cli.text import printable


class Table(NamedTuple):
    """Rows of values.

    Attributes
    ----------
    header
        Names of the columns.
    rows
        Text and numbers. As text, a float has six decimals, and None is empty.
    """

    header: tuple[str, ...]
    rows: Sequence[tuple[str | int | float | None, ...]]

    def texts(self) -> list[list[str]]:
        """Return the rows as text.

        >>> Table(("path", "share", "images"), [("a.png", 0.5, 3), ("b.png", None, 4)]).texts()
        [['a.png', '0.500000', '3'], ['b.png', '', '4']]
        """
        return [
            [f"{v:.6f}" if isinstance(v, float) else "" if v is None else str(v) for v in row]
            for row in self.rows
        ]


def write_table(destination: str | os.PathLike[str], table: Table) -> None:
    """Write a table to a file, completely or not at all; its suffix is the format.

    Parameters
    ----------
    destination
        `.txt`: lines of tab-separated values. `.csv`: with a header. `.json`: a list of objects.
    table
        The values.
    """
    writer = check_output(destination, TABLE_FORMATS)
    with new_file(destination) as file:
        writer(file, table)


def formatted(table: Table, suffix: str) -> bytes:
    """Return the bytes that `write_table` writes to a file with this suffix."""
    file = io.BytesIO()
    TABLE_FORMATS[suffix](file, table)
    return file.getvalue()


def table_bytes(table: Table) -> bytes:
    """Return lines of tab-separated values.

    Raises
    ------
    OutputError
        If a value contains a newline or a tab.
    """
    rows = table.texts()
    for row in rows:
        for value in row:
            if "\n" in value or "\t" in value:
                what = "newline" if "\n" in value else "tab"
                raise OutputError(f"{printable(value)}: holds a {what}; -o FILE.csv quotes it")
    return os.fsencode("".join("\t".join(row) + "\n" for row in rows))


def _write_table_txt(file: BinaryIO, table: Table) -> None:
    file.write(table_bytes(table))


def _write_table_json(file: BinaryIO, table: Table) -> None:
    rows = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    file.write((json.dumps(rows, indent=1) + "\n").encode("ascii"))


def _write_table_csv(file: BinaryIO, table: Table) -> None:
    write_rows_csv(file, table.header, table.texts())


def write_rows_csv(file: BinaryIO, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows as CSV; names may contain any bytes."""
    text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
    plain = csv.writer(text, lineterminator="\n")
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow(header)
    for row in rows:
        # A carriage return ends a line for readers, but Python before 3.13 does not quote it.
        (quoted if any("\r" in value for value in row) else plain).writerow(row)
    text.flush()
    text.detach()


TABLE_FORMATS: dict[str, Callable[[BinaryIO, Table], None]] = {
    ".txt": _write_table_txt,
    ".csv": _write_table_csv,
    ".json": _write_table_json,
}
