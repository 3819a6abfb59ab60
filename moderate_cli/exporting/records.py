"""Formats of what goes in and out: path lists, scores, index files, users' arrays."""

from __future__ import annotations

import csv
import io
import json
import os
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Mask, Rows
from moderate_cli.dataset.formats import HEAD, format_of
from moderate_cli.dataset.paths import encode_paths
from moderate_cli.errors import ArgumentError, ArrayError, OutputError
from moderate_cli.files.atomic import check_file, new_file
from moderate_cli.files.npy import MISSING, advice_on, read_array
from moderate_cli.files.regular import open_regular
from moderate_cli.scoring import ROWS_AT_ONCE, Scores
from moderate_cli.text import printable

PICTURES = (".png", ".svg")  # suffixes of outputs that are drawn

Writer = Callable[[BinaryIO, Scores, Rows], None]
Formats = dict[str, Writer]
Format = TypeVar("Format")


def write_index(
    destination: str | os.PathLike[str],
    scores: Scores,
    kept: Mask,
    *,
    nul: bool = False,
) -> None:
    """Write which images are kept, whole or not at all; the suffix chooses the format.

    Parameters
    ----------
    destination
        `.txt`: one path a line. `.csv`: path, class, score. `.json`: the same with rows and
        counts. `.npy`: int64 row numbers in ascending order.
    scores
        Names and scores of all images.
    kept
        bool (n,).
    nul
        End the entries of a `.txt` with NUL bytes.

    Raises
    ------
    ArgumentError
        If the suffix is unknown.
    """
    writer = check_output(destination, INDEX_FORMATS)
    rows = np.flatnonzero(kept)
    with new_file(destination) as file:
        if nul and writer is _write_index_txt:
            file.write(index_bytes(scores, rows, nul=True))
        else:
            writer(file, scores, rows)


def index_bytes(scores: Scores, rows: Rows, *, nul: bool) -> bytes:
    """Paths of the given rows, or row numbers where there are no paths, one per line."""
    return encode_paths(scores.names(rows), nul=nul)


def write_scores(destination: str | os.PathLike[str], scores: Scores) -> None:
    """Write scores, whole or not at all; the suffix chooses the format.

    Parameters
    ----------
    destination
        `.txt`: score, tab, path. `.csv`: path, class, score. `.npy`: float32 (n,), NaN for
        unreadable images, which the text formats leave out.
    scores
        What to write, in row order.
    """
    writer = check_output(destination, SCORE_FORMATS)
    with new_file(destination) as file:
        writer(file, scores, np.flatnonzero(~np.isnan(scores.values)))


def score_lines(scores: Scores, rows: Rows) -> Iterator[bytes]:
    """Yield lines of score, tab, path, many at a time.

    Raises
    ------
    OutputError
        If a path holds a newline; then there are no lines at all.
    """
    broken = next((name for name in scores.names(rows) if "\n" in name), None)
    if broken is not None:
        raise OutputError(f"{printable(broken)}: holds a newline; -o FILE.csv quotes it")
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE]
        found = zip(scores.values[part].tolist(), scores.names(part), strict=True)
        yield os.fsencode("".join(f"{value:.9g}\t{name}\n" for value, name in found))


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
    """Write a table, whole or not at all; the suffix chooses the format.

    Parameters
    ----------
    destination
        `.txt`: values with tabs between them. `.csv`: with a header. `.json`: a list of objects.
    table
        What to write.
    """
    writer = check_output(destination, TABLE_FORMATS)
    with new_file(destination) as file:
        writer(file, table)


def formatted(table: Table, suffix: str) -> bytes:
    """Return what `write_table` would write to a file with this suffix."""
    file = io.BytesIO()
    TABLE_FORMATS[suffix](file, table)
    return file.getvalue()


def table_bytes(table: Table) -> bytes:
    """Lines of values with tabs between them."""
    rows = table.texts()
    for row in rows:
        for value in row:
            if "\n" in value or "\t" in value:
                what = "newline" if "\n" in value else "tab"
                raise OutputError(f"{printable(value)}: holds a {what}; -o FILE.csv quotes it")
    return os.fsencode("".join("\t".join(row) + "\n" for row in rows))


def read_features(path: str) -> npt.NDArray[np.floating[Any]]:
    """Memory-map a user's feature matrix (n, d)."""
    return _read_array(path, ndim=2, kinds="f", wanted="a float matrix (images, features)")


def read_labels(path: str, n: int) -> npt.NDArray[np.int64]:
    """Read a user's class indices (n,)."""
    labels = _read_array(path, ndim=1, kinds="iu", wanted="a vector of integers")
    if len(labels) != n:
        raise ArrayError(f"{path}: {len(labels)} labels for {n} images; give one per row")
    return labels.astype(np.int64)


def read_scores(path: str) -> Doubles:
    """Read a user's scores (n,), of any criterion; NaN where an image has none."""
    scores = _read_array(path, ndim=1, kinds="fiu", wanted="a vector of numbers")
    values = scores.astype(np.float64)
    check_finite(path, values[:, None], readable_rows(path, values[:, None]))
    return values


def readable_rows(path: str, matrix: npt.NDArray[Any]) -> Mask:
    """Tell which rows are of images that can be read: those of others are NaN throughout.

    Parameters
    ----------
    path
        Where the rows come from.
    matrix
        (n, d) of any float type; may be memory-mapped.

    Returns
    -------
    bool (n,)

    Raises
    ------
    ArrayError
        If there is none.
    """
    readable = np.ones(len(matrix), dtype=np.bool_)
    for start in range(0, len(matrix) if matrix.shape[1] else 0, 4096):
        block = matrix[start : start + 4096]
        rows = np.flatnonzero(np.isnan(block[:, 0]))
        readable[start + rows] = ~np.isnan(block[rows]).all(axis=1)
    if not readable.any():
        raise ArrayError(f"{path}: holds nothing but NaN; none of its images could be read")
    return readable


def check_scorable(
    features: Mapping[str, npt.NDArray[Any]],
    values: Doubles,
    readable: Mask,
) -> None:
    """Name the file, and the first row in it, that makes scores NaN or infinite, if one does."""
    if not np.all(np.isfinite(values[readable])):
        for path, own in features.items():
            check_finite(path, own, readable)
        raise ArrayError(
            f"{', '.join(features)}: values are too large to take distances of; scale them down"
        )


def _read_array(path: str, *, ndim: int, kinds: str, wanted: str) -> npt.NDArray[Any]:
    try:
        array = read_array(path)
    except MISSING as error:
        raise ArrayError(f"{path}: {error.strerror or error}; name a .npy file") from None
    except OSError as error:
        raise ArrayError(
            f"{path}: cannot be read ({error.strerror or error}); {advice_on(error)}"
        ) from None
    except ValueError as error:
        raise ArrayError(f"{path}: is no .npy array ({error}); numpy.save makes one") from None
    if array.ndim != ndim or array.dtype.kind not in kinds:
        raise ArrayError(f"{path}: holds {array.dtype} {array.shape}; {wanted} is wanted")
    if len(array) == 0:
        raise ArrayError(f"{path}: is empty; {wanted} is wanted")
    return array


def check_finite(path: str, matrix: npt.NDArray[Any], readable: Mask) -> None:
    """Name the first row that is NaN or infinite, if there is one among those to be used."""
    for start in range(0, len(matrix), 4096):
        good = np.isfinite(matrix[start : start + 4096]).all(axis=1)
        good |= ~readable[start : start + 4096]
        if not good.all():
            raise ArrayError(
                f"{path}: row {start + int(np.argmin(good))} is not finite; leave such rows out"
            )


def check_output(destination: str | os.PathLike[str], formats: Mapping[str, Format]) -> Format:
    """Return the writer for a file name, before there is anything to write.

    Raises
    ------
    ArgumentError
        If the suffix is unknown.
    OutputError
        If there is no folder for it, or it would replace a picture by what is none.
    """
    suffix = Path(destination).suffix.lower()
    if suffix not in formats:
        known = ", ".join(formats)
        raise ArgumentError(f"{os.fspath(destination)}: unknown suffix; use one of {known}")
    check_file(destination)
    if suffix not in PICTURES and os.path.isfile(destination):
        with open_regular(destination) as file:
            held = format_of(file.read(HEAD))
        if held:  # the name is perhaps a link to an image of a dataset
            raise OutputError(
                f"{os.fspath(destination)}: is a picture ({held}); choose another file"
            )
    return formats[suffix]


def _write_index_txt(file: BinaryIO, scores: Scores, rows: Rows) -> None:
    file.write(index_bytes(scores, rows, nul=False))


def _write_index_json(file: BinaryIO, scores: Scores, rows: Rows) -> None:
    # As json.dumps(..., indent=1) writes it, image by image: millions of them would not fit.
    file.write(f'{{\n "kept": {len(rows)},\n "of": {len(scores)},\n "images": ['.encode())
    for number, (path, name, value) in enumerate(_records(scores, rows)):
        image = {"row": int(rows[number]), "path": path, "class": name, "score": value}
        text = textwrap.indent(json.dumps(image, indent=1), "  ")
        file.write((",\n" if number else "\n").encode() + text.encode("ascii"))
    file.write(b"\n ]\n}\n" if len(rows) else b"]\n}\n")


def _write_index_npy(file: BinaryIO, scores: Scores, rows: Rows) -> None:
    np.save(file, rows.astype(np.int64), allow_pickle=False)


def _write_csv(file: BinaryIO, scores: Scores, rows: Rows) -> None:
    records = ([path, name, f"{value:.9g}"] for path, name, value in _records(scores, rows))
    _write_rows_csv(file, ("path", "class", "score"), records)


def _write_table_txt(file: BinaryIO, table: Table) -> None:
    file.write(table_bytes(table))


def _write_table_json(file: BinaryIO, table: Table) -> None:
    rows = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    file.write((json.dumps(rows, indent=1) + "\n").encode("ascii"))


def _write_table_csv(file: BinaryIO, table: Table) -> None:
    _write_rows_csv(file, table.header, table.texts())


def _write_rows_csv(file: BinaryIO, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
    plain = csv.writer(text, lineterminator="\n")
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow(header)
    for row in rows:
        # Before Python 3.13 a carriage return, which ends a line for readers, is not quoted by
        # itself.
        (quoted if any("\r" in value for value in row) else plain).writerow(row)
    text.flush()
    text.detach()


def _write_scores_txt(file: BinaryIO, scores: Scores, rows: Rows) -> None:
    file.writelines(score_lines(scores, rows))


def _write_scores_npy(file: BinaryIO, scores: Scores, rows: Rows) -> None:
    np.save(file, scores.values.astype(np.float32), allow_pickle=False)


def _records(scores: Scores, rows: Rows) -> Iterator[tuple[str, str, float]]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE]
        labels, values = scores.labels[part].tolist(), scores.values[part].tolist()
        for name, label, value in zip(scores.names(part), labels, values, strict=True):
            yield name, scores.class_name(label), value


INDEX_FORMATS: Formats = {
    ".txt": _write_index_txt,
    ".csv": _write_csv,
    ".json": _write_index_json,
    ".npy": _write_index_npy,
}
TABLE_FORMATS: dict[str, Callable[[BinaryIO, Table], None]] = {
    ".txt": _write_table_txt,
    ".csv": _write_table_csv,
    ".json": _write_table_json,
}
SCORE_FORMATS: Formats = {
    ".txt": _write_scores_txt,
    ".csv": _write_csv,
    ".npy": _write_scores_npy,
}
