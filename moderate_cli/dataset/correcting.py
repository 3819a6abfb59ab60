"""Read corrected labels: a table of paths and classes."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.dataset.columns import find_columns, told
from moderate_cli.dataset.corrections import LEFT_OUT, Corrections
from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.dataset.list_formats import FORMATS, open_records
from moderate_cli.dataset.records import refuse_undecoded
from moderate_cli.dataset.text_records import Plain
from moderate_cli.errors import DatasetError
from moderate_cli.files.places import place
from moderate_cli.files.regular import read_regular
from moderate_cli.text import counted, one_line, printable, unknown


def read_corrections(
    file: str | os.PathLike[str],
    paths: Sequence[str],
    labels: npt.NDArray[np.int64],
    classes: Sequence[str],
    *,
    name: str,
    root: str = "",
) -> Corrections:
    """Read corrected labels. Images that are not in the file keep theirs.

    Parameters
    ----------
    file
        A table with the columns `path` and `label`, in a format of lists. An empty label leaves
        the image out. Other columns are ignored.
    paths, labels, classes
        Path of each image, its class, int64 (n,), and the names of the classes.
    name
        Name of the dataset in errors.
    root
        Folder that paths are relative to, if images have absolute paths in the file.

    Raises
    ------
    DatasetError
        If the file cannot be read, has no column of labels, names an unknown class, gives an image
        two labels, or has no image of the dataset.
    """
    shown = os.fspath(file)
    rows, digest = _read(shown, classes, root)
    corrected, found = labels.astype(np.int64), set[int]()
    for number, path in enumerate(paths):
        row = rows.get(path) or rows.get(path.strip())
        if row is not None:
            corrected[number] = row.label
            found.add(row.number)
    left = {row.number: path for path, row in rows.items() if row.number not in found}
    if left and not found:
        example = next(iter(left.values()))
        refuse_undecoded(example, shown)
        fact = f"none of its {counted(len(left), 'path')} is in {name} ({printable(example)})"
        raise DatasetError(f"{shown}: {fact}; write paths as `moderate suspects` does")
    same = np.array_equal(labels, corrected)
    key = b"" if same else content_digest(corrected.astype("<i8").tobytes())
    return Corrections(shown, digest, labels, corrected, tuple(left.values()), key)


def corrections_lost(file: str | os.PathLike[str], kept: str | None = None) -> int:
    """Return how many labels of a list of suspects somebody has corrected.

    Parameters
    ----------
    file
        The list, which is about to be replaced.
    kept
        A table of corrected labels; those in it are not lost.

    Raises
    ------
    DatasetError
        If a list of suspects cannot be read to its end.
    """
    try:
        records = open_records(Path(file), os.fspath(file))
    except (DatasetError, OSError):
        return 0
    if not {"path", "given", "label"} <= set(records.columns):
        return 0
    path, given, label = map(records.columns.index, ("path", "given", "label"))
    rows = zip(records.pairs(path, given), records.pairs(path, label), strict=True)
    corrected = {after for before, after in rows if after != before}
    if corrected and kept is not None and Path(kept).suffix.lower() in FORMATS:
        others = open_records(Path(place(kept)), kept)
        corrected -= set(others.pairs(*find_columns(others.columns, kept)))
    return len(corrected)


class _Row(NamedTuple):
    """Number of a row, from 0, and the class that it names."""

    number: int
    label: int


def _read(shown: str, classes: Sequence[str], root: str) -> tuple[dict[str, _Row], str]:
    """Return the rows by path, and the digest of the file."""
    try:
        digest = content_digest(read_regular(shown)).hex()
    except OSError as error:
        raise DatasetError(
            f"{shown}: {error.strerror or one_line(error)}; name a file of corrected labels"
        ) from None
    records = open_records(Path(place(shown)), shown)
    columns = find_columns(records.columns, shown)
    if columns.label is None:
        raise DatasetError(
            f"{shown}: has no column of classes ({told(records.columns)}); name it label"
        )
    # Cells are read without spaces at their ends.
    numbers = {name.strip(): number for number, name in enumerate(classes)} | {"": LEFT_OUT}
    if len(numbers) <= len(classes):
        raise DatasetError(
            f"{shown}: two classes of the dataset differ only by spaces at the ends, which tables"
            " do not keep; rename one"
        )
    rows: dict[str, _Row] = {}
    for number, (path, label) in enumerate(records.pairs(*columns)):
        if label not in numbers:
            refuse_undecoded(label, shown)
            where = f"the dataset has {counted(len(classes), 'class', 'classes')}"
            fact = unknown(label, [printable(one) for one in classes], where)
            raise DatasetError(f"{shown}: {records.place(number)}: class {fact}")
        for spelling in _spellings(path, root):
            before = rows.setdefault(spelling, _Row(number, numbers[label]))
            if before.label != numbers[label]:
                places = " and ".join(map(records.place, (before.number, number)))
                raise DatasetError(
                    f"{shown}: {printable(path)} has two labels ({places}); keep one"
                )
    if isinstance(records, Plain) and rows and {row.label for row in rows.values()} == {LEFT_OUT}:
        raise DatasetError(
            f"{shown}: has no classes; write one behind each path, or leave images out with a .csv"
            " file whose column label is empty"
        )
    return rows, digest


def _spellings(path: str, root: str) -> Iterator[str]:
    """Yield a path as it is, and as the dataset may have it."""
    yield path
    if "\\" in path or path.startswith((".", "/")):
        plain = posixpath.normpath(path.replace("\\", "/"))
        yield plain.removeprefix(f"{root}/") if root else plain
