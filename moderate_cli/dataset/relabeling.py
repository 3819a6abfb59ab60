"""Rows of a list whose classes were corrected, on their way to a copy of the list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Relabeled(NamedTuple):
    """Position of the column of classes, and the new class of some rows, by number."""

    column: int
    classes: Mapping[int, str]


UNCHANGED = Relabeled(0, {})


def with_classes(
    table: Any, numbers: Sequence[int], relabeled: Relabeled, names: Sequence[str]
) -> Any:
    """Return an Arrow table, or record batch, with the new classes.

    Parameters
    ----------
    table
        Some rows of the list.
    numbers
        Number of each of these rows in the list.
    relabeled
        What to change.
    names
        Names of the numbers in the column, if it has class indices; empty otherwise.
    """
    new = {at: relabeled.classes[row] for at, row in enumerate(numbers) if row in relabeled.classes}
    if not new:
        return table
    from pyarrow import array, types

    field = table.schema.field(relabeled.column)
    values = table.column(relabeled.column).to_pylist()
    for at, name in new.items():
        value = names.index(name) if name in names else name
        values[at] = int(value) if types.is_integer(field.type) else value
    return table.set_column(relabeled.column, field, array(values, field.type))
