"""Index files: the kept images as paths, as records or as row numbers."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np

from moderate_cli.arrays import Mask, Rows, blocks
from moderate_cli.dataset.paths import encode_paths
from moderate_cli.errors import ArgumentError
from moderate_cli.exporting.suffixes import check_output
from moderate_cli.exporting.tables import write_rows_csv
from moderate_cli.files.atomic import new_file
from moderate_cli.scoring import ROWS_AT_ONCE, Scores

Writer = Callable[[BinaryIO, Scores, Rows], None]


def write_index(
    destination: str | os.PathLike[str],
    scores: Scores,
    kept: Mask,
    *,
    nul: bool = False,
) -> None:
    """Write the kept images to a file, completely or not at all; its suffix is the format.

    Parameters
    ----------
    destination
        `.txt`: one path per line. `.csv`: path, class, score. `.json`: the same with row numbers
        and counts. `.npy`: int64 row numbers in ascending order.
    scores
        Names and scores of all images.
    kept
        bool (n,), such as a `Selection`.
    nul
        End the lines of a `.txt` with NUL bytes instead of newlines.

    Raises
    ------
    ArgumentError
        If the suffix is unknown, or `kept` is not a mask.

    Examples
    --------
    >>> from moderate_cli import select
    >>> selection = select("data/train", ratio=0.5, backbone="pixels")
    >>> write_index("kept.txt", selection.scores, selection)
    """
    writer, mask = check_output(destination, INDEX_FORMATS), np.asarray(kept)
    if mask.dtype != bool or mask.shape != (len(scores),):
        raise ArgumentError(f"kept: is not a mask, a bool array of shape ({len(scores)},)")
    rows = np.flatnonzero(mask)
    with new_file(destination) as file:
        if nul and writer is _write_index_txt:
            file.write(index_bytes(scores, rows, nul=True))
        else:
            writer(file, scores, rows)


def index_bytes(scores: Scores, rows: Rows, *, nul: bool) -> bytes:
    """Return the paths of rows, one per line; row numbers where there are no paths."""
    return encode_paths(scores.names(rows), nul=nul)


def _write_index_txt(file: BinaryIO, scores: Scores, rows: Rows) -> None:
    file.write(index_bytes(scores, rows, nul=False))


def _write_index_json(file: BinaryIO, scores: Scores, rows: Rows) -> None:
    # The text of json.dumps(..., indent=1), image by image: millions would not fit in memory.
    file.write(f'{{\n "kept": {len(rows)},\n "of": {len(scores)},\n "images": ['.encode())
    for number, (path, name, value) in enumerate(_records(scores, rows)):
        image = {"row": int(rows[number]), "path": path, "class": name, "score": value}
        text = textwrap.indent(json.dumps(image, indent=1), "  ")
        file.write((",\n" if number else "\n").encode() + text.encode("ascii"))
    file.write(b"\n ]\n}\n" if len(rows) else b"]\n}\n")


def _write_index_npy(file: BinaryIO, scores: Scores, rows: Rows) -> None:
    np.save(file, rows.astype(np.int64), allow_pickle=False)


def write_csv(file: BinaryIO, scores: Scores, rows: Rows) -> None:
    """Write path, class and score of each row."""
    records = ([path, name, f"{value:.9g}"] for path, name, value in _records(scores, rows))
    write_rows_csv(file, ("path", "class", "score"), records)


def _records(scores: Scores, rows: Rows) -> Iterator[tuple[str, str, float]]:
    for block in blocks(len(rows), ROWS_AT_ONCE):
        part = rows[block]
        labels, values = scores.labels[part].tolist(), scores.values[part].tolist()
        for name, label, value in zip(scores.names(part), labels, values, strict=True):
            yield name, scores.class_name(label), value


INDEX_FORMATS: dict[str, Writer] = {
    ".txt": _write_index_txt,
    ".csv": write_csv,
    ".json": _write_index_json,
    ".npy": _write_index_npy,
}
