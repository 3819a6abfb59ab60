"""Blocks of rows, which are embedded, written and added to the journal together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Digests, Features, Orientations, Rows, Stats

BLOCK_ROWS = 1024

REUSED = -1  # block number of rows from older sets

Block = tuple[int, Rows]  # number, and rows to embed


class Seconds(NamedTuple):
    """Time per stage; decoding and transforming are sums over all threads."""

    decode: float = 0.0
    transform: float = 0.0
    forward: float = 0.0


class EmbeddedBlock(NamedTuple):
    """The rows of one block, embedded.

    Attributes
    ----------
    block
        Row number // BLOCK_ROWS; `REUSED` for rows of an older set.
    rows
        int64 (m,), ascending.
    features
        (m, d), float32 unless from an older set; NaN for unreadable images.
    stats, digests
        int64 (m, 4) and uint8 (m, 16), of the files that were embedded.
    orientations
        uint8 (m,), tag of each image's EXIF orientation; 0 if unknown.
    unreadable
        Row -> reason.
    seconds
        Time per stage.
    whole
        Whether it has all rows of its block that were to be embedded; a slow block comes in pieces.
    """

    block: int
    rows: Rows
    features: Features
    stats: Stats
    digests: Digests
    orientations: Orientations
    unreadable: Mapping[int, str]
    seconds: Seconds
    whole: bool = True


def blocks_of(rows: Rows) -> list[Block]:
    """Divide rows, given in ascending order, into blocks.

    >>> [(number, rows.tolist()) for number, rows in blocks_of(np.array([3, 5, 1024, 4000]))]
    [(0, [3, 5]), (1, [1024]), (3, [4000])]
    """
    numbers, starts = np.unique(rows // BLOCK_ROWS, return_index=True)
    # Without rows, np.split returns one empty part.
    return list(zip(numbers.tolist(), np.split(rows, starts[1:]), strict=False))


def rows_of(block: int) -> slice:
    """Return the rows of a block.

    >>> rows_of(1)
    slice(1024, 2048, None)
    """
    return slice(block * BLOCK_ROWS, (block + 1) * BLOCK_ROWS)
