"""The fate of each image: kept, or why it is not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Mask, blocks
from moderate_cli.choosing.preparing import Prepared
from moderate_cli.dataset.layouts import is_split_name
from moderate_cli.exporting.manifests import Record
from moderate_cli.inputs import Source
from moderate_cli.scoring import ROWS_AT_ONCE, Scores
from moderate_cli.selection import Choice, Window

KEPT, NOT_CHOSEN, SUSPECT, DUPLICATE, UNREADABLE, UNLABELED = range(6)
CODE_OF = {"suspects": SUSPECT, "duplicates": DUPLICATE}  # by the reason in `Prepared.left_out`


def records_of(
    source: Source,
    choice: Choice,
    scores: Scores,
    prepared: Prepared,
    kept: Mask,
    split: str | None = None,
) -> Iterator[Record]:
    """Yield a record of each image, in row order.

    Parameters
    ----------
    source, choice, scores, prepared, kept
        As of a `Selection`.
    split
        Name of the split; None to take the dataset's name, if splits are named so.
    """
    split, why = split or _split_of(source), _reasons(source, choice, scores, prepared)
    codes = _codes(source, prepared, kept)
    for block in blocks(len(scores), ROWS_AT_ONCE):
        rows = np.arange(block.start, block.stop)
        columns = (scores.labels[block], scores.values[block], codes[block])
        values = zip(rows.tolist(), *(column.tolist() for column in columns), strict=True)
        for path, (row, label, score, code) in zip(scores.names(rows), values, strict=True):
            known = None if math.isnan(score) else score
            yield Record(path, scores.class_name(label), split, known, code == KEPT, why[code](row))


def _split_of(source: Source) -> str | None:
    if source.dataset is None:
        return None
    home = source.dataset.home
    name = home.name if source.dataset.listed is None else home.stem  # of train.csv
    return name if is_split_name(name) else None


def _codes(source: Source, prepared: Prepared, kept: Mask) -> npt.NDArray[np.int8]:
    codes = np.where(kept, KEPT, NOT_CHOSEN).astype(np.int8)
    for name, found in prepared.left_out.items():
        codes[found.rows] = CODE_OF[name]
    codes[~source.readable] = UNREADABLE
    corrections = source.dataset and source.dataset.corrections
    if corrections:
        codes[corrections.left_out] = UNLABELED
    return codes


def _reasons(
    source: Source, choice: Choice, scores: Scores, prepared: Prepared
) -> dict[int, Callable[[int], str | None]]:
    """Return, for each code, a function that says the reason of a row."""
    found = prepared.duplicates
    pairs = () if found is None else zip(found.rows, found.survivors, strict=True)
    first_of = {int(row): survivor for row, survivor in pairs}
    unreadable = {row: why for store in source.stores for row, why in store.unreadable.items()}
    corrections = source.dataset and source.dataset.corrections
    file = Path(corrections.name).name if corrections else ""
    window = isinstance(choice.entry.function, Window)

    def duplicate(row: int) -> str:
        (path,) = scores.names(np.array([first_of[row]]))
        return f"near duplicate of {path}"

    return {
        KEPT: lambda row: None,
        NOT_CHOSEN: lambda row: "outside the window" if window else "not chosen",
        SUSPECT: lambda row: "suspect",
        DUPLICATE: duplicate,
        UNREADABLE: lambda row: ": ".join(filter(None, ("unreadable", unreadable.get(row)))),
        UNLABELED: lambda row: f"no label in {file}",
    }
