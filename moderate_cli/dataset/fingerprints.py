"""What identifies the bytes of an image file: its stat, cheap, and its digest, certain."""

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
    """Stat of each image, as its source tells it, int64 (n, 4); -1 if missing."""
    top, stat = os.fspath(dataset.root), dataset.source.stat
    numbers = chain.from_iterable(stat(f"{top}/{path}") for path in dataset.paths)
    width = len(NO_STAT)
    return np.fromiter(numbers, dtype=np.int64, count=width * len(dataset)).reshape(-1, width)


def content_digest(content: bytes | memoryview) -> bytes:
    """BLAKE2b of the bytes of a file, `DIGEST_SIZE` long."""
    return hashlib.blake2b(content, digest_size=DIGEST_SIZE).digest()
