"""Tasks of many images: pixels into the rows of a slab, facts into arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Digests, Orientations, Stats
from moderate_cli.dataset.fingerprints import DIGEST_SIZE
from moderate_cli.dataset.sources import NO_STAT, Source
from moderate_cli.networks.table import Preprocessing

Slab = npt.NDArray[np.uint8]  # (n, 3, crop, crop), decoded images; the channels are last in memory


class Stopped(Exception):
    """The images of a task are not needed any more."""


class Facts(NamedTuple):
    """Facts about images that were read.

    Attributes
    ----------
    stats, digests
        int64 (m, 4) and uint8 (m, 16), of the files.
    orientations
        uint8 (m,), tag of the EXIF orientation of each image, 1 to 8; 0 if it cannot be read.
    unreadable
        Position -> reason.
    decoding, transforming
        Seconds to read and decode, and to resize and crop, all images together.
    """

    stats: Stats
    digests: Digests
    orientations: Orientations
    unreadable: dict[int, str]
    decoding: float
    transforming: float

    @classmethod
    def joined(cls, parts: Sequence[Facts]) -> Self:
        """Join the facts of consecutive images."""
        starts = np.cumsum([0, *(len(part.stats) for part in parts)]).tolist()
        return cls(
            np.concatenate([part.stats for part in parts]),
            np.concatenate([part.digests for part in parts]),
            np.concatenate([part.orientations for part in parts]),
            {
                start + at: reason
                for start, part in zip(starts, parts, strict=False)
                for at, reason in part.unreadable.items()
            },
            sum(part.decoding for part in parts),
            sum(part.transforming for part in parts),
        )


@dataclass(frozen=True)
class Reading:
    """How images are read; can be sent to other processes.

    Attributes
    ----------
    read
        `moderate_cli.images.preprocessing.read_image`, or a function like it.
    preprocessing
        Preprocessing of the backbone.
    max_pixels
        Images with more pixels are unreadable.
    """

    read: Callable[[str, Preprocessing, Source, int], Any]
    preprocessing: Preprocessing
    max_pixels: int


@dataclass(frozen=True)
class Task:
    """Images that are read one after another.

    Attributes
    ----------
    names, source
        The images, and the source that reads them.
    first
        Row of the slab for the first image; the others follow.
    reading
        How they are read.
    """

    names: list[str]
    source: Source
    first: int
    reading: Reading

    def singles(self) -> list[Task]:
        """Divide it into tasks of one image."""
        return [
            replace(self, names=[name], source=self.source.part([name]), first=self.first + at)
            for at, name in enumerate(self.names)
        ]


def read_images(task: Task, slab: Slab, stopped: Callable[[], bool] = lambda: False) -> Facts:
    """Read images into the slab; the rows of unreadable ones become zeros.

    Raises
    ------
    Stopped
        If `stopped`, which is asked before each image, says so.
    """
    reading, count = task.reading, len(task.names)
    stats = np.empty((count, len(NO_STAT)), dtype=np.int64)
    orientations = np.empty(count, dtype=np.uint8)
    digests: list[bytes] = []
    unreadable: dict[int, str] = {}
    decoding = transforming = 0.0
    for at, name in enumerate(task.names):
        if stopped():
            raise Stopped
        image = reading.read(name, reading.preprocessing, task.source, reading.max_pixels)
        # Not by torch, which would divide a copy of this size among its own threads.
        slab[task.first + at] = 0 if image.pixels is None else image.pixels.numpy()
        stats[at], orientations[at] = image.stat, image.orientation
        digests.append(image.digest)
        if image.pixels is None:
            unreadable[at] = image.reason
        decoding += image.decoding
        transforming += image.transforming
    packed = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(count, DIGEST_SIZE)
    return Facts(stats, packed, orientations, unreadable, decoding, transforming)


def not_read(task: Task, reason: str) -> Facts:
    """Return the facts of images that cannot be read now."""
    count = len(task.names)
    return Facts(
        np.array([task.source.stat(name) for name in task.names], dtype=np.int64),
        np.zeros((count, DIGEST_SIZE), dtype=np.uint8),
        np.zeros(count, dtype=np.uint8),
        dict.fromkeys(range(count), reason),
        0.0,
        0.0,
    )
