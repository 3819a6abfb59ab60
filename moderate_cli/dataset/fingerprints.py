"""Fingerprints of an image file: its stat, which is cheap, and its digest, which is certain."""

from __future__ import annotations

import hashlib
import os
from itertools import chain

import numpy as np
import numpy.typing as npt

from moderate_cli.dataset.dataset import Dataset
from moderate_cli.dataset.sources import NO_STAT

DIGEST_SIZE = 16
NO_DIGEST = bytes(DIGEST_SIZE)


def file_stats(dataset: Dataset) -> npt.NDArray[np.int64]:
    """Return the stat of each image from its source, int64 (n, 4); -1 if missing."""
    top, stat = os.fspath(dataset.root), dataset.source.stat
    numbers = chain.from_iterable(stat(f"{top}/{path}") for path in dataset.paths)
    width = len(NO_STAT)
    return np.fromiter(numbers, dtype=np.int64, count=width * len(dataset)).reshape(-1, width)


def content_digest(content: bytes | memoryview) -> bytes:
    """Return the BLAKE2b of the bytes of a file, `DIGEST_SIZE` long."""
    return hashlib.blake2b(content, digest_size=DIGEST_SIZE).digest()
