"""The journal of an unfinished set: a line for each finished block of rows, or piece of one.

A set may have several journals, one for each process that writes to it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.files.regular import read_regular
from moderate_cli.store.blocks import REUSED
from moderate_cli.store.layout import JOURNAL, JOURNALS


class Journal:
    """A journal for writing; each line is on the disk before the next."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="ascii")

    def add(
        self, block: int, unreadable: Mapping[int, str], piece: tuple[int, int] | None = None
    ) -> None:
        """Add a block whose rows are on the disk; of a piece, name the first and the last row."""
        self._file.write(line_of(block, unreadable, piece))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Finished(NamedTuple):
    """What is finished.

    Attributes
    ----------
    blocks
        Numbers of blocks of which all rows are finished.
    pieces
        First and last row of pieces of other blocks.
    unreadable
        Row -> reason, for unreadable rows in all of them and in reused rows.
    """

    blocks: list[int]
    pieces: list[tuple[int, int]]
    unreadable: dict[int, str]


def line_of(block: int, unreadable: Mapping[int, str], piece: tuple[int, int] | None = None) -> str:
    """Return the line of a block or of a piece, with its sum."""
    entry: dict[str, Any] = {"block": block}
    if piece is not None:
        entry["rows"] = list(piece)
    entry["unreadable"] = {str(row): why for row, why in unreadable.items()}
    entry["blake2b"] = content_digest(json.dumps(entry).encode("ascii")).hex()
    return json.dumps(entry) + "\n"


def read_journals(partial: Path) -> Finished:
    """Read all journals of a set; blocks of torn or damaged lines are not finished.

    Raises
    ------
    ValueError
        If the first line, of reused rows, is damaged: those rows belong to no block.
    """
    blocks: list[int] = []
    pieces: list[tuple[int, int]] = []
    unreadable: dict[int, str] = {}
    journals = (partial / JOURNAL, *sorted(set(partial.glob(JOURNALS)) - {partial / JOURNAL}))
    texts = [read_regular(path).decode("ascii") for path in journals]
    for line in (line for text in texts for line in text.splitlines(keepends=True)):
        try:
            entry = json.loads(line)
            reasons = {int(row): reason for row, reason in entry["unreadable"].items()}
            piece = (int(entry["rows"][0]), int(entry["rows"][1])) if "rows" in entry else None
            if line != line_of(entry["block"], reasons, piece):
                continue
        except (ValueError, LookupError, TypeError, AttributeError):
            continue
        if piece is None:
            blocks.append(entry["block"])
        else:
            pieces.append(piece)
        unreadable |= reasons
    if REUSED not in blocks:
        raise ValueError("its journal is damaged")
    return Finished([block for block in blocks if block != REUSED], pieces, unreadable)
