"""Scores as files: text, CSV or an array."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np

from moderate_cli.arrays import Rows, blocks
from moderate_cli.errors import OutputError
from moderate_cli.exporting.index import write_csv
from moderate_cli.exporting.suffixes import check_output
from moderate_cli.files.atomic import new_file
from moderate_cli.scoring import ROWS_AT_ONCE, Scores
from moderate_cli.text import printable

Writer = Callable[[BinaryIO, Scores, Rows], None]


def write_scores(destination: str | os.PathLike[str], scores: Scores) -> None:
    """Write scores to a file, completely or not at all; its suffix is the format.

    Parameters
    ----------
    destination
        `.txt`: score, tab, path. `.csv`: path, class, score. `.npy`: float32 (n,), NaN for
        unreadable images, which the text formats leave out.
    scores
        Names and scores of all images.

    Examples
    --------
    >>> from moderate_cli import score
    >>> write_scores("scores.npy", score("data/train", backbone="pixels"))
    """
    writer = check_output(destination, SCORE_FORMATS)
    with new_file(destination) as file:
        writer(file, scores, np.flatnonzero(~np.isnan(scores.values)))


def score_lines(scores: Scores, rows: Rows) -> Iterator[bytes]:
    """Yield lines of score, tab, path, many at a time.

    Raises
    ------
    OutputError
        If a path contains a newline; no line is yielded then.
    """
    broken = next((name for name in scores.names(rows) if "\n" in name), None)
    if broken is not None:
        raise OutputError(f"{printable(broken)}: holds a newline; -o FILE.csv quotes it")
    for block in blocks(len(rows), ROWS_AT_ONCE):
        part = rows[block]
        found = zip(scores.values[part].tolist(), scores.names(part), strict=True)
        yield os.fsencode("".join(f"{value:.9g}\t{name}\n" for value, name in found))


def _write_scores_txt(file: BinaryIO, scores: Scores, rows: Rows) -> None:
    file.writelines(score_lines(scores, rows))


def _write_scores_npy(file: BinaryIO, scores: Scores, rows: Rows) -> None:
    np.save(file, scores.values.astype(np.float32), allow_pickle=False)


SCORE_FORMATS: dict[str, Writer] = {
    ".txt": _write_scores_txt,
    ".csv": write_csv,
    ".npy": _write_scores_npy,
}
