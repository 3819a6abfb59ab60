"""Images of a dataset, in blocks: read ahead by threads, or by processes if there are many."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Rows, blocks
from moderate_cli.dataset import Dataset
from moderate_cli.embedding import EmbedOptions
from moderate_cli.embedding.engines.crew import Crew
from moderate_cli.embedding.engines.helper import Helper
from moderate_cli.embedding.engines.hiring import LEAST_IMAGES, may_hire
from moderate_cli.embedding.engines.readers import Readers, Threads
from moderate_cli.embedding.engines.reading import Facts, Reading, Task
from moderate_cli.images.preprocessing import read_image
from moderate_cli.images.quiet import without_warnings
from moderate_cli.networks.table import Preprocessing
from moderate_cli.threads import AHEAD, in_threads

TASK = 16  # most images that a worker reads at once


class ReadBlock(NamedTuple):
    """Some images that were read.

    Attributes
    ----------
    rows
        int64 (m,), in the dataset.
    pixels
        uint8 (m, 3, crop, crop), valid until the next block; zeros for unreadable images.
    facts
        Facts about them.
    """

    rows: Rows
    pixels: npt.NDArray[np.uint8]
    facts: Facts


def read_blocks(
    dataset: Dataset,
    rows: Rows,
    preprocessing: Preprocessing,
    max_pixels: int,
    *,
    size: int = TASK,
    workers: int | None = None,
    helper: Helper | None = None,
    on_image: Callable[[], object] = lambda: None,
) -> Iterator[ReadBlock]:
    """Read images, and yield them in blocks of `size`, in order.

    Parameters
    ----------
    dataset, rows
        The images, and those to read.
    preprocessing
        How to make pixels of them.
    max_pixels
        Images with more pixels are unreadable.
    size
        Images of a block; the last may have fewer.
    workers
        Number of threads or processes; None for one per processor.
    helper
        A helper of processes that was started before; None starts one if it is needed.
    on_image
        Called after each image.
    """
    count = EmbedOptions(workers=workers).threads
    each = max(1, min(TASK, size, len(rows) // (AHEAD * count)))  # all workers get some of few
    at_once = AHEAD * count
    # Tasks that are ahead of a block are in the blocks after it.
    room = 1 + -(-at_once // -(-size // each))
    reading = Reading(read_image, preprocessing, max_pixels)
    top, paths = os.fspath(dataset.root), dataset.paths

    def tasks_of(number: int, block: slice) -> Iterator[Task]:
        names = [f"{top}/{paths[row]}" for row in rows[block].tolist()]
        first = number % room * size
        for part in blocks(len(names), each):
            yield Task(names[part], dataset.source, first + part.start, reading)

    numbered = list(enumerate(blocks(len(rows), size)))
    tasks = (task for number, block in numbered for task in tasks_of(number, block))
    readers = _readers(len(rows), room * size, preprocessing.crop, count, helper)
    with (
        without_warnings(),
        contextlib.closing(in_threads(readers.read, tasks, at_once, count)) as found,
    ):
        try:
            for number, block in numbered:
                facts = []
                for _ in blocks(block.stop - block.start, each):
                    facts.append(next(found))
                    for _image in facts[-1].stats:
                        on_image()
                first = number % room * size
                pixels = readers.slab[first : first + block.stop - block.start]
                yield ReadBlock(rows[block], pixels, Facts.joined(facts))
        finally:
            readers.stop()


def by_processes(images: int, workers: int | None) -> bool:
    """Whether so many images are read by processes, if they can be started."""
    return images >= LEAST_IMAGES and may_hire(EmbedOptions(workers=workers), on_gpu=False)


def _readers(images: int, room: int, crop: int, workers: int, helper: Helper | None) -> Readers:
    if by_processes(images, workers):
        with contextlib.suppress(OSError):  # threads need neither shared memory nor processes
            return Crew(room, crop, helper)
    return Threads(room, crop)
