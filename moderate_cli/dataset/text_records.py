"""Lists of images as text: CSV, JSON lines, or plain lines."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO

from moderate_cli.arrays import Rows
from moderate_cli.dataset.columns import looks_like_header
from moderate_cli.dataset.image_formats import readable_extensions
from moderate_cli.dataset.records import PLAIN, as_text, refuse_undecoded
from moderate_cli.dataset.relabeling import UNCHANGED, Relabeled
from moderate_cli.errors import DatasetError
from moderate_cli.files.near import near_or
from moderate_cli.files.regular import open_regular
from moderate_cli.text import one_line

DELIMITERS = ",;\t"
LOOKED_AT = 1000  # lines of JSON, whose keys are the columns: some may lack one
COMMENT = "#"  # of lists such as that of Oxford-IIIT Pet
MARK = "\ufeff"  # byte order mark, with which texts of Windows may begin


class Row(NamedTuple):
    """The cells of a row, its text with the end of the line, and the number of its last line."""

    cells: Sequence[Any]
    text: str
    line: int


class _Text:
    """A list in a text file; its first row is read to begin with."""

    columns: tuple[str, ...] = PLAIN
    has_header = False

    def __init__(self, path: Path, shown: str) -> None:
        self._path, self._shown = path, shown
        with _told(shown):
            first = next(self._all_rows(), None)
        if first is None:
            raise DatasetError(f"{shown}: is empty; name a list of images")
        self._take_first(first.cells)
        refuse_undecoded("".join(self.columns), shown)

    def _take_first(self, cells: Sequence[Any]) -> None:
        """Learn the columns."""

    def _parsed(self, lines: Iterator[str]) -> Iterator[Sequence[Any]]:
        """Yield the cells of each row, which may have several lines."""
        raise NotImplementedError

    def pairs(self, path: int, label: int | None) -> Iterator[tuple[str, str]]:
        with _told(self._shown):
            for row in self._rows():
                label_cell = "" if label is None else row.cells[label]
                try:
                    yield as_text(row.cells[path]), as_text(label_cell)
                except TypeError as error:
                    raise DatasetError(f"{self._shown}: line {row.line} {error}") from None

    def place(self, number: int) -> str:
        with _told(self._shown):
            return f"line {next(islice(self._rows(), number, None)).line}"

    def copy(self, rows: Rows, file: BinaryIO, relabeled: Relabeled = UNCHANGED) -> None:
        chosen = iter(rows.tolist())
        with _told(self._shown):
            if self.has_header:
                file.write(_ended(next(self._all_rows()).text))
            wanted = next(chosen, None)
            for number, row in enumerate(self._rows()):
                if number == wanted:
                    new = relabeled.classes.get(number)
                    text = row.text if new is None else self._with(row, relabeled.column, new)
                    file.write(_ended(text))
                    wanted = next(chosen, None)

    def _with(self, row: Row, column: int, value: str) -> str:
        """Return the text of a row with another value in a column."""
        raise NotImplementedError

    def _rows(self) -> Iterator[Row]:
        """Yield the rows below the header."""
        rows = self._all_rows()
        if self.has_header:
            next(rows)
        for row in rows:
            if len(row.cells) != len(self.columns):
                raise DatasetError(
                    f"{self._shown}: line {row.line} has {len(row.cells)} fields instead of"
                    f" {len(self.columns)}; correct it"
                )
            yield row

    def _all_rows(self) -> Iterator[Row]:
        with (
            open_regular(self._path) as binary,
            # Names of files may have any bytes, here as in Python.
            io.TextIOWrapper(
                binary, encoding="utf-8", errors="surrogateescape", newline=""
            ) as file,
        ):
            lines = _Lines(file)
            for cells in self._parsed(lines):
                yield Row(cells, lines.taken(), lines.number)


class Delimited(_Text):
    """CSV or TSV, with or without a header."""

    def _take_first(self, cells: Sequence[Any]) -> None:
        self.has_header = looks_like_header(cells)
        if self.has_header:
            self.columns = tuple(cells)
        elif len(cells) != len(PLAIN):
            raise DatasetError(
                f"{self._shown}: has no header, and {len(cells)} columns instead of path and label;"
                " add a header"
            )

    def _parsed(self, lines: Iterator[str]) -> Iterator[Sequence[Any]]:
        first = [next(lines, "")]
        while not first[-1].strip() and (line := next(lines, "")):
            first.append(line)
        is_tsv = self._path.suffix.lower() == ".tsv"
        self._delimiter = "\t" if is_tsv else max(DELIMITERS, key=first[-1].count)
        every = chain(first, lines)
        return filter(None, csv.reader(every, delimiter=self._delimiter, strict=True))

    def _with(self, row: Row, column: int, value: str) -> str:
        text, cells = io.StringIO(), list(row.cells)
        cells[column] = value
        end = row.text[len(row.text.rstrip("\r\n")) :]
        # Python before 3.13 does not quote a carriage return.
        odd = any("\r" in cell for cell in cells)
        plain = csv.writer(text, delimiter=self._delimiter, lineterminator=end)
        quoted = csv.writer(
            text, delimiter=self._delimiter, lineterminator=end, quoting=csv.QUOTE_ALL
        )
        (quoted if odd else plain).writerow(cells)
        return text.getvalue()


class Plain(_Text):
    """Lines of a path and, after a space, its class, as Caffe has them; or of a path alone."""

    def _parsed(self, lines: Iterator[str]) -> Iterator[Sequence[Any]]:
        ends = "|".join(map(re.escape, readable_extensions()))
        # Names may contain spaces, so a path ends with the suffix of an image, if it has one. After
        # a tab, the class ends with the next one: Tiny-ImageNet adds the box of an object.
        line_of = re.compile(
            rf"(.+?(?:{ends})|\S+)(?:\t([^\t]*)(?:\t.*)?|[\s,;]+(.*))?", re.IGNORECASE
        )
        for line in lines:
            text = line.strip()
            if not text.startswith(COMMENT) and (found := line_of.fullmatch(text)):
                yield found[1], found[2] or found[3] or ""

    def _with(self, row: Row, column: int, value: str) -> str:
        return " ".join([str(row.cells[0]), value] if column else [value, str(row.cells[1])])


class JsonLines(_Text):
    """A JSON object per line; the keys of the first ones are the columns."""

    def _take_first(self, cells: Sequence[Any]) -> None:
        with open_regular(self._path) as file:
            lines = (line.decode(errors="surrogateescape") for line in islice(file, LOOKED_AT))
            objects = self._objects(line.removeprefix(MARK) for line in lines)
            self.columns = tuple(dict.fromkeys(name for fields in objects for name in fields))

    def _parsed(self, lines: Iterator[str]) -> Iterator[Sequence[Any]]:
        for fields in self._objects(lines):
            yield [fields.get(name) for name in self.columns]

    def _objects(self, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                fields: Any = json.loads(line)
            except (ValueError, RecursionError):
                fields = None
            if not isinstance(fields, dict):
                raise DatasetError(f"{self._shown}: line {number} is not a JSON object; correct it")
            yield fields

    def _with(self, row: Row, column: int, value: str) -> str:
        fields, name = json.loads(row.text.removeprefix(MARK)), self.columns[column]
        is_number = isinstance(fields.get(name), int) and value.isdecimal()
        fields[name] = int(value) if is_number else value
        return json.dumps(fields)


class _Lines:
    """Lines of a text, which are kept until they are taken."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._kept: list[str] = []
        self.number = 0  # of the last one

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._file)
        self._kept.append(line)
        self.number += 1
        return line.removeprefix(MARK) if self.number == 1 else line

    def taken(self) -> str:
        """Return the text of the lines since the last call."""
        text = "".join(self._kept)
        self._kept.clear()
        return text


def _ended(text: str) -> bytes:
    ended = text if text.endswith(("\n", "\r")) else f"{text}\n"
    return ended.encode(errors="surrogateescape")


@contextmanager
def _told(shown: str) -> Iterator[None]:
    """Turn errors of reading into a DatasetError."""
    try:
        yield
    except csv.Error as error:
        raise DatasetError(f"{shown}: is not CSV ({one_line(error)}); correct it") from None
    except OSError as error:
        advice = near_or(shown, "name a dataset folder or a list")
        raise DatasetError(f"{shown}: {error.strerror or one_line(error)}; {advice}") from None
