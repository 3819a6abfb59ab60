"""Blocks of rows: what an engine is asked for, and what it makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Floats

BLOCK_ROWS = 1024

Block = tuple[int, npt.NDArray[np.int64]]  # its number, and its rows that need embedding


class Seconds(NamedTuple):
    """Where time went; decoding and transforming count the seconds of all threads."""

    decode: float = 0.0
    transform: float = 0.0
    forward: float = 0.0


class EmbeddedBlock(NamedTuple):
    """What an engine made of the rows of one block.

    Attributes
    ----------
    block
        Row number // BLOCK_ROWS.
    rows
        int64 (m,), ascending.
    features
        float32 (m, d); NaN where the image cannot be read.
    stats, digests
        int64 (m, 4) and uint8 (m, 16), of the bytes that were embedded.
    unreadable
        Row -> reason.
    seconds
        What it took.
    """

    block: int
    rows: npt.NDArray[np.int64]
    features: Floats
    stats: npt.NDArray[np.int64]
    digests: npt.NDArray[np.uint8]
    unreadable: Mapping[int, str]
    seconds: Seconds
