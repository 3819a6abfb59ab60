"""Memory for images: of this process alone, or shared with processes that decode."""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Slab = npt.NDArray[np.uint8]  # (n, 3, crop, crop), rows for images; the channels are last in memory
HAS_SHARED = hasattr(os, "memfd_create")  # on Linux


def private_slab(images: int, crop: int) -> Slab:
    """Allocate memory of this process, uint8 (images, 3, crop, crop)."""
    return _channels_last(np.empty(images * 3 * crop**2, dtype=np.uint8), crop)


@contextlib.contextmanager
def shared_file(images: int, crop: int) -> Iterator[int]:
    """Open a file of memory for images, without a name; processes share it by its number.

    Not in /dev/shm, of which containers have 64 MB: beyond that, a write kills the process.

    Raises
    ------
    OSError
        If there is no room for it.
    """
    descriptor = os.memfd_create("moderate-images", os.MFD_CLOEXEC)
    try:
        os.ftruncate(descriptor, images * 3 * crop**2)
        yield descriptor
    finally:
        os.close(descriptor)


def shared_slab(descriptor: int, crop: int) -> Slab:
    """Map the memory of a `shared_file`; it is released with the last array on it."""
    return _channels_last(np.frombuffer(mmap.mmap(descriptor, 0), dtype=np.uint8), crop)


def memory_of(slab: Slab) -> Slab:
    """Return all bytes of a slab in one piece, e.g. to pin them for a GPU."""
    return slab.transpose(0, 2, 3, 1).reshape(-1)


def _channels_last(memory: Slab, crop: int) -> Slab:
    """Shape memory in the order in which images are decoded and networks are fastest."""
    return memory.reshape(-1, crop, crop, 3).transpose(0, 3, 1, 2)
