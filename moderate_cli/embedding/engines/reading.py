"""Tasks of many images: pixels, or files for a GPU, into a slab; facts into arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np

from moderate_cli.arrays import Digests, Orientations, Stats
from moderate_cli.dataset.fingerprints import DIGEST_SIZE
from moderate_cli.dataset.sources import NO_STAT, Source
from moderate_cli.embedding.engines.packing import no_contents, packing_for, rows_each
from moderate_cli.embedding.engines.slabs import Slab
from moderate_cli.images.gpu_files import Contents
from moderate_cli.images.preprocessing import ReadImage
from moderate_cli.networks.table import Preprocessing


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
    contents
        int64 (m, 3), where the bytes are that a GPU decodes, as in
        `moderate_cli.images.gpu_files.Batch`.
    unreadable
        Position -> reason.
    decoding, transforming
        Seconds to read and decode, and to resize and crop, all images together.
    """

    stats: Stats
    digests: Digests
    orientations: Orientations
    contents: Contents
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
            np.concatenate([part.contents for part in parts]),
            {
                start + at: reason
                for start, part in zip(starts, parts, strict=False)
                for at, reason in part.unreadable.items()
            },
            sum(part.decoding for part in parts),
            sum(part.transforming for part in parts),
        )

    def replaced(self, images: Mapping[int, ReadImage], seconds: float) -> Self:
        """Replace the facts of images, by their positions; add seconds to decode."""
        stats, digests, tags = self.stats.copy(), self.digests.copy(), self.orientations.copy()
        unreadable = {at: reason for at, reason in self.unreadable.items() if at not in images}
        for at, image in images.items():
            stats[at], tags[at] = image.stat, image.orientation
            digests[at] = np.frombuffer(image.digest, dtype=np.uint8)
            if image.reason:
                unreadable[at] = image.reason
        return self._replace(
            stats=stats,
            digests=digests,
            orientations=tags,
            unreadable=dict(sorted(unreadable.items())),
            decoding=self.decoding + seconds,
        )


@dataclass(frozen=True)
class Reading:
    """How images are read; can be sent to other processes.

    Attributes
    ----------
    read
        `moderate_cli.images.preprocessing.read_image`, or a function like it; if a GPU decodes,
        `moderate_cli.images.gpu_files.read_file`.
    preprocessing
        Preprocessing of the backbone.
    max_pixels
        Images with more pixels are unreadable.
    """

    read: Callable[[str, Preprocessing, Source, int], Any]
    preprocessing: Preprocessing
    max_pixels: int

    @property
    def rows(self) -> int:
        """Number of rows of the slab for an image."""
        return rows_each(self.preprocessing)


@dataclass(frozen=True)
class Task:
    """Images that are read one after another.

    Attributes
    ----------
    names, source
        The images, and the source that reads them.
    first
        The first row of the slab for them.
    reading
        How they are read.
    """

    names: list[str]
    source: Source
    first: int
    reading: Reading

    def singles(self) -> list[Task]:
        """Divide it into tasks of one image."""
        firsts = range(
            self.first, self.first + len(self.names) * self.reading.rows, self.reading.rows
        )
        return [
            replace(self, names=[name], source=self.source.part([name]), first=first)
            for name, first in zip(self.names, firsts, strict=True)
        ]


def read_images(task: Task, slab: Slab, stopped: Callable[[], bool] = lambda: False) -> Facts:
    """Read images into the slab.

    Raises
    ------
    Stopped
        If `stopped`, which is asked before each image, says so.
    """
    reading, count = task.reading, len(task.names)
    stats = np.empty((count, len(NO_STAT)), dtype=np.int64)
    orientations = np.empty(count, dtype=np.uint8)
    packing = packing_for(reading.preprocessing, slab, task.first, count)
    digests: list[bytes] = []
    unreadable: dict[int, str] = {}
    decoding = transforming = 0.0
    for at, name in enumerate(task.names):
        if stopped():
            raise Stopped
        found = reading.read(name, reading.preprocessing, task.source, reading.max_pixels)
        image = packing.put(at, found)
        stats[at], orientations[at] = image.stat, image.orientation
        digests.append(image.digest)
        if image.reason:
            unreadable[at] = image.reason
        decoding += image.decoding
        transforming += image.transforming
    packed = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(count, DIGEST_SIZE)
    return Facts(stats, packed, orientations, packing.contents, unreadable, decoding, transforming)


def not_read(task: Task, reason: str) -> Facts:
    """Return the facts of images that cannot be read now."""
    count = len(task.names)
    return Facts(
        np.array([task.source.stat(name) for name in task.names], dtype=np.int64),
        np.zeros((count, DIGEST_SIZE), dtype=np.uint8),
        np.zeros(count, dtype=np.uint8),
        no_contents(count),
        dict.fromkeys(range(count), reason),
        0.0,
        0.0,
    )
