"""Lists in which an image has several labels; an image has one class here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import islice

from moderate_cli.dataset.records import Records
from moderate_cli.errors import DatasetError
from moderate_cli.text import clipped, counted, printable, some

ADVICE = "an image has one class here, so pass --features with --labels, or --scores"
SEPARATORS = "|;,"
SAMPLE = 1000  # rows that are read to recognize columns of 0 and 1
FLAGS = {"0", "1", "0.0", "1.0", "True", "False", "true", "false"}


def refuse_several(shown: str, classes: Sequence[str]) -> None:
    """Refuse classes that are several labels in one cell, such as `cat|dog` or `["cat", "dog"]`.

    A class may have any of the separators in its name: they separate labels only if all parts of
    one are classes, too, or with `|` if classes share a part.

    Raises
    ------
    DatasetError
        Naming a cell.
    """
    known = set(classes)
    for name in classes:
        if _is_array(name) or any(_is_joined(name, mark, known) for mark in SEPARATORS):
            raise _several(shown, name)
    bars = [name for name in classes if len(_parts(name, "|")) > 1]
    parts = [part for name in bars for part in set(_parts(name, "|"))]
    if len(set(parts)) < len(parts):
        raise _several(shown, bars[0])


def flags_in(records: Records, besides: int) -> list[str]:
    """Return the names of columns that have only 0 and 1: one for each label, if there are several.

    Parameters
    ----------
    records
        A list.
    besides
        Position of the column of images.
    """
    if not records.has_header:
        return []
    places = [at for at in range(len(records.columns)) if at != besides]
    found = [at for at in places if _is_flag(label for _, label in _sample(records, besides, at))]
    return [records.columns[at] for at in found] if len(found) > 1 else []


def several_columns(shown: str, flags: Sequence[str]) -> DatasetError:
    """Return the error for a list with a column of 0 and 1 for each label."""
    names = some([printable(clipped(name)) for name in flags])
    return DatasetError(
        f"{shown}: has {counted(len(flags), 'column')} of 0 and 1 ({names}) in place of one column"
        f" of classes; {ADVICE}, or name a column with --label-column"
    )


def _sample(records: Records, path: int, at: int) -> Iterable[tuple[str, str]]:
    try:
        yield from islice(records.pairs(path, at), SAMPLE)
    except DatasetError:  # a column of lists, say
        return


def _is_flag(cells: Iterable[str]) -> bool:
    return {*cells, ""} <= FLAGS | {""} if (cells := list(cells)) else False


def _is_array(name: str) -> bool:
    """Whether a cell is a list of JSON, or of Python."""
    if not (name.startswith("[") and name.endswith("]")):
        return False
    try:
        return isinstance(json.loads(name.replace("'", '"')), list)
    except (ValueError, RecursionError):
        return False


def _is_joined(name: str, mark: str, known: set[str]) -> bool:
    parts = _parts(name, mark)
    return len(parts) > 1 and known.issuperset(parts)


def _parts(name: str, mark: str) -> list[str]:
    return [part.strip() for part in name.split(mark)] if mark in name else [name]


def _several(shown: str, cell: str) -> DatasetError:
    return DatasetError(
        f"{shown}: has several labels in a cell ({printable(clipped(cell))}); {ADVICE}"
    )
