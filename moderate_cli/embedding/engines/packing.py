"""Images of a task -> rows of a slab: their pixels, or the files that a GPU decodes."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from moderate_cli.embedding.engines.slabs import Slab, memory_of
from moderate_cli.images.gpu_files import ABSENT, Contents, File
from moderate_cli.images.preprocessing import ReadImage
from moderate_cli.networks.table import Preprocessing

# Bytes for the file of an image that a GPU decodes. Those of a task share their room, so that this
# is enough for most photos of 0.2 megapixels; a file without room is read again when it is decoded.
FILE = 1 << 17


def rows_each(preprocessing: Preprocessing) -> int:
    """Count the rows of a slab for an image: one for its pixels, and those for its file."""
    return 1 + (-(-FILE // (3 * preprocessing.crop**2)) if preprocessing.on_gpu else 0)


class Packing(Protocol):
    """Puts images into a slab, one after another.

    Attributes
    ----------
    contents
        Where they are, as `moderate_cli.images.gpu_files.Batch` has it.
    """

    contents: Contents

    def put(self, at: int, found: Any) -> ReadImage:
        """Put an image there; return its facts."""


def packing_for(preprocessing: Preprocessing, slab: Slab, first: int, count: int) -> Packing:
    """Return what puts so many images into a slab, from this row on."""
    rows = slab[first : first + count * rows_each(preprocessing)]
    return FileRows(rows, first, count) if preprocessing.on_gpu else PixelRows(rows, count)


def no_contents(count: int) -> Contents:
    """Return the contents of images that are not there."""
    return np.tile(np.array(ABSENT, dtype=np.int64), (count, 1))


class PixelRows:
    """Puts the pixels of each image into its row; zeros of an unreadable one."""

    def __init__(self, rows: Slab, count: int) -> None:
        self._rows, self.contents = rows, no_contents(count)

    def put(self, at: int, found: ReadImage) -> ReadImage:
        """Put an image there."""
        # Not by torch, which would divide a copy of this size among its own threads.
        self._rows[at] = 0 if found.pixels is None else found.pixels.numpy()
        return found


class FileRows:
    """Puts files, or the pixels of those that a GPU does not decode, one after another.

    There is always room for the pixels of those to come.
    """

    def __init__(self, rows: Slab, first: int, count: int) -> None:
        self._memory, self._row = memory_of(rows), int(rows[0].size)
        self._first, self._used, self._left = first * self._row, 0, count
        self.contents = no_contents(count)

    def put(self, at: int, found: File) -> ReadImage:
        """Put an image there."""
        self._left -= 1
        if found.content is not None:
            content = np.frombuffer(found.content, dtype=np.uint8)
            room = len(self._memory) - self._used - self._left * self._row
            if len(content) <= room:
                self.contents[at] = (self._added(content), len(content), found.area)
            else:
                self.contents[at] = (*ABSENT[:2], found.area)
        elif found.image.pixels is not None:
            self.contents[at] = (self._added(found.image.pixels.numpy().reshape(-1)), 0, 0)
        return found.image

    def _added(self, content: npt.NDArray[np.uint8]) -> int:
        """Add bytes; return where they begin in the whole slab."""
        begin, self._used = self._used, self._used + len(content)
        self._memory[begin : self._used] = content
        return self._first + begin
