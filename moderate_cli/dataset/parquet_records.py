"""A list of images as Parquet, with the class names that Hugging Face keeps in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from moderate_cli.arrays import Rows
from moderate_cli.dataset.image_columns import class_names, labels_of
from moderate_cli.dataset.records import as_text
from moderate_cli.dataset.relabeled_tables import relabeling
from moderate_cli.dataset.relabeling import UNCHANGED, Relabeled
from moderate_cli.dataset.table_files import opened
from moderate_cli.errors import DatasetError
from moderate_cli.text import printable


class Parquet:
    """The rows of a Parquet file, as in `Records`."""

    has_header = True

    def __init__(self, path: Path, shown: str) -> None:
        self._shown, self._file = shown, opened(path.name, path, shown)
        self.columns = tuple(self._file.schema.names)

    def pairs(self, path: int, label: int | None) -> Iterator[tuple[str, str]]:
        """Yield image and class of each row, by the positions of their columns; "" if missing."""
        if label is None:
            yield from ((image, "") for image in self._texts(path))
        else:
            yield from zip(self._texts(path), self._texts(label, classes=True), strict=True)

    def place(self, number: int) -> str:
        """Return the number of a row, counted from 1: it has no line."""
        return f"row {number + 1}"

    def copy(self, rows: Rows, file: BinaryIO, relabeled: Relabeled = UNCHANGED) -> None:
        """Write some rows, int64 (m,) ascending, with the same schema."""
        for _ in self._file.copy(rows, file, relabeling(self._file.schema, relabeled, self._shown)):
            pass

    def _texts(self, at: int, *, classes: bool = False) -> Iterator[str]:
        """Yield the cells of a column as text."""
        from pyarrow import types

        name = self.columns[at]
        kind = self._file.schema.field(name).type
        if types.is_nested(kind) or "binary" in str(kind):  # of any kind
            raise DatasetError(
                f"{self._shown}: column {printable(name)} has {kind} in place of text; name another"
                " column"
            )
        names = class_names(self._file.schema).get(name, []) if classes else []
        for cells in self._file.cells(name):
            yield from labels_of(cells, names) if classes else map(as_text, cells.to_pylist())
