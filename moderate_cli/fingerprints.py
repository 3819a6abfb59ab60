"""What identifies the bytes of an image file: its stat, cheap, and its digest, certain."""

from __future__ import annotations

import hashlib
import os
from itertools import chain

import numpy as np
import numpy.typing as npt

from moderate_cli.dataset import Dataset

DIGEST_SIZE = 16
NO_DIGEST = bytes(DIGEST_SIZE)


def file_stats(dataset: Dataset) -> npt.NDArray[np.int64]:
    """Size and modification time of each image, as its source tells them, (n, 2); -1 if missing."""
    top, stat = os.fspath(dataset.root), dataset.source.stat
    numbers = chain.from_iterable(stat(f"{top}/{path}") for path in dataset.paths)
    return np.fromiter(numbers, dtype=np.int64, count=2 * len(dataset)).reshape(-1, 2)


def content_digest(content: bytes) -> bytes:
    """BLAKE2b of the bytes of a file, `DIGEST_SIZE` long."""
    return hashlib.blake2b(content, digest_size=DIGEST_SIZE).digest()
