"""New classes in the rows of an Arrow table, written as its column has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moderate_cli.arrays import Rows
from moderate_cli.dataset.image_columns import class_names
from moderate_cli.dataset.relabeling import Relabeled
from moderate_cli.dataset.table_files import Change, Piece, Schema
from moderate_cli.errors import DatasetError
from moderate_cli.text import clipped, printable


def relabeling(schema: Schema, relabeled: Relabeled, shown: str) -> Change:
    """Return a function that puts the new classes into some rows of a table.

    Parameters
    ----------
    schema
        Columns of the table. Its numbers of classes may have names, as Hugging Face keeps them.
    relabeled
        What to change.
    shown
        Name of the table in errors. The function raises a DatasetError if a class cannot be written
        in the column.
    """
    field = schema.field(relabeled.column)
    names = class_names(schema).get(field.name, [])
    known: dict[str, Any] = {}

    def cell(name: str) -> Any:
        if name not in known:
            try:
                known[name] = _cell(name, field.type, names)
            except ValueError:  # as pyarrow's errors are
                raise DatasetError(
                    f"{shown}: class {printable(clipped(name))} cannot be written to column"
                    f" {printable(field.name)}, which has {field.type}; -o FILE.csv lists it"
                ) from None
        return known[name]

    def change(piece: Piece, rows: Rows) -> Piece:
        new = {at: row for at, row in enumerate(rows.tolist()) if row in relabeled.classes}
        if not new:
            return piece
        from pyarrow import array

        values = piece.column(relabeled.column).to_pylist()
        for at, row in new.items():
            values[at] = cell(relabeled.classes[row])
        return piece.set_column(relabeled.column, field, array(values, field.type))

    return change


def _cell(name: str, kind: Any, names: Sequence[str]) -> Any:
    """Return the value of a class in a column of this type; names are those of its numbers."""
    import pyarrow

    if pyarrow.types.is_dictionary(kind):
        kind = kind.value_type
    if pyarrow.types.is_integer(kind) and name in names:
        return names.index(name)
    return pyarrow.scalar(name).cast(kind).as_py()
