"""Image file -> its bytes for the decoder of a GPU, or its pixels if it is not for that one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Orientations, Stats
from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.dataset.sources import FILES, Files, NotAFile, Source, Stat
from moderate_cli.images.jpeg_frames import ordinary_frame
from moderate_cli.images.memory import LARGE
from moderate_cli.images.orientation import orientation_of_jpeg
from moderate_cli.images.preprocessing import ReadImage, read_image
from moderate_cli.images.strips import MAX_ASPECT
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS, Preprocessing

Contents = npt.NDArray[np.int64]  # (n, 3), these columns; ABSENT for an image that is not there
START, LENGTH, AREA = range(3)
ABSENT = (-1, 0, 0)


class Batch(NamedTuple):
    """A batch of files, which others have read into memory.

    Attributes
    ----------
    names, source
        The images, and the source that reads them.
    memory
        uint8 (m,), which does not change until they are decoded.
    contents
        Where each one begins there, its number of bytes, and of pixels. 0 bytes are the pixels of
        an image, uint8 (3, crop, crop), that is decoded already; -1 is the place of an image that
        is to be read again, or cannot be read: then it has 0 pixels.
    stats
        Stat of each file.
    tags
        Tag of the EXIF orientation of each image.
    """

    names: Sequence[str]
    source: Source
    memory: npt.NDArray[np.uint8]
    contents: Contents
    stats: Stats
    tags: Orientations


class File(NamedTuple):
    """A file that was read.

    Attributes
    ----------
    image
        Its fingerprint; its pixels, or the reason why there are none, unless a GPU decodes it.
    content
        Its bytes, if a GPU decodes it; else None.
    area
        Its number of pixels, likewise.
    """

    image: ReadImage
    content: bytes | None = None
    area: int = 0


def read_file(
    path: str,
    preprocessing: Preprocessing,
    source: Source = FILES,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> File:
    """Read one file, and decode it here unless a GPU does; never raises for a bad file.

    Parameters as of `moderate_cli.images.preprocessing.read_image`.
    """
    begun = time.perf_counter()
    try:
        content, found = source.read(path)
    except (OSError, NotAFile, MemoryError):  # which are told there
        return File(read_image(path, preprocessing, source, max_pixels))
    frame = ordinary_frame(content)
    area = frame.height * frame.width if frame is not None else 0
    if frame is None or area > min(max_pixels, LARGE) or _is_strip(frame.height, frame.width):
        return File(read_image(path, preprocessing, Held(content, found), max_pixels))
    digest = content_digest(content)
    image = ReadImage(
        None, "", found, digest, time.perf_counter() - begun, 0.0, orientation_of_jpeg(content)
    )
    return File(image, content, area)


def _is_strip(height: int, width: int) -> bool:
    return max(height, width) > MAX_ASPECT * min(height, width)


@dataclass(frozen=True)
class Held(Files):
    """The bytes of a file that was read before."""

    content: bytes
    found: Stat

    def read(self, _name: str) -> tuple[bytes, Stat]:
        """Return them, without reading."""
        return self.content, self.found
