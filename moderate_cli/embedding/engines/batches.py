"""Blocks of rows -> features: workers read images ahead, this thread runs the backbone.

Between them, a GPU may decode what they read.
"""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import torch

from moderate_cli.arrays import Floats, Rows, as_slice, blocks
from moderate_cli.dataset import Dataset
from moderate_cli.embedding.engines.readers import Readers, Threads
from moderate_cli.embedding.engines.reading import Facts, Reading, Task
from moderate_cli.embedding.engines.slabs import Slab
from moderate_cli.images.gpu_files import read_file
from moderate_cli.images.preprocessing import read_image
from moderate_cli.images.quiet import without_warnings
from moderate_cli.networks.backbones import Network
from moderate_cli.networks.devices import explained
from moderate_cli.networks.runtimes import UNDER_WAY
from moderate_cli.store.blocks import Block, EmbeddedBlock, Seconds

TASK = 32  # most images of a task
TASKS_AHEAD = 2  # of each worker
BATCHES_AHEAD = 3  # at least so many batches are read ahead
MOST_AHEAD = 8192  # images, 1.2 GB, unless those batches have more


class Pictures(NamedTuple):
    """Images of a batch.

    Attributes
    ----------
    facts
        Facts about them.
    pixels
        uint8 (b, 3, crop, crop), where they were decoded; zeros of unreadable ones.
    """

    facts: Facts
    pixels: torch.Tensor


class Batch:
    """A batch that is being read.

    Attributes
    ----------
    tasks
        Its tasks.
    slab
        Where they put the images.
    """

    def __init__(self, tasks: list[Task], slab: Slab, reads: list[Future[Facts]]) -> None:
        self.tasks, self.slab, self._reads = tasks, slab, reads

    @cached_property
    def facts(self) -> Facts:
        """Facts about its images; waits until all of it is read."""
        return Facts.joined([read.result() for read in self._reads])


class Decoding(Protocol):
    """Decodes batches ahead."""

    def begin(self, batch: Batch) -> Callable[[], Pictures]:
        """Begin on a batch; the result waits for its pixels."""

    def close(self) -> None:
        """Drop what has not begun."""


class Decoded:
    """Takes the pixels that readers have put into the slab."""

    def begin(self, batch: Batch) -> Callable[[], Pictures]:
        """Do nothing; the result waits until the batch is read."""

        def pictures() -> Pictures:
            facts, first = batch.facts, batch.tasks[0].first
            return Pictures(facts, torch.from_numpy(batch.slab[first : first + len(facts.stats)]))

        return pictures

    def close(self) -> None:
        """Do nothing."""


def embed_blocks(
    dataset: Dataset,
    parts: Sequence[Block],
    network: Network,
    *,
    max_pixels: int,
    workers: int,
    on_images: Callable[[int], object],
    crew: Readers | None = None,
    decoding: Decoding | None = None,
    patience: float = math.inf,
) -> Iterator[EmbeddedBlock]:
    """Embed the given rows, block after block.

    A batch never spans two blocks, so the features of a block do not depend on the other blocks. A
    block that takes longer than `patience` comes in pieces, which are whole batches: one that goes
    on from there has the same batches.

    Parameters
    ----------
    dataset
        The images.
    parts
        Number and rows, int64 (m,), of each block.
    network
        The backbone.
    max_pixels
        Images with more pixels are unreadable.
    workers
        Number of images that are read at once.
    on_images
        Called after each batch, with its number of images.
    crew
        Processes that read, with a slab of `slab_rows`; None for threads. They are stopped if the
        work ends early.
    decoding
        What decodes, if readers do not. It is closed.
    patience
        Seconds.
    """
    size, how = network.batch_size, network.preprocessing
    reading = Reading(read_file if how.on_gpu else read_image, how, max_pixels)
    rows_ahead = slab_rows(size, workers, reading.rows)
    readers, decoded = crew or Threads(rows_ahead, how.crop), decoding or Decoded()
    images = sum(len(rows) for _, rows in parts)
    most = max(1, min(TASK, images // (2 * TASKS_AHEAD * workers)))  # all workers get some of few
    batches = (rows[batch] for _, rows in parts for batch in blocks(len(rows), size))
    free = deque(range(0, rows_ahead, size * reading.rows))
    ahead: deque[tuple[int, Callable[[], Pictures]]] = deque()
    under_way: deque[tuple[Unfinished, _Started]] = deque()
    complete = False

    with without_warnings(), ThreadPoolExecutor(workers) as pool:

        def read_ahead() -> None:
            while free and (rows := next(batches, None)) is not None:
                first = free.popleft()
                tasks = _tasks(dataset, rows, reading, first, most)
                reads = [pool.submit(readers.read, task) for task in tasks]
                ahead.append((first, decoded.begin(Batch(tasks, readers.slab, reads))))

        def finish() -> Iterator[EmbeddedBlock]:
            block, started = under_way.popleft()
            begun = time.perf_counter()
            block.put(started.finish())
            block.forward += time.perf_counter() - begun
            free.append(started.first)
            on_images(started.count)
            if block.due:
                yield block.embedded()

        try:
            for number, rows in parts:
                block = Unfinished(number, rows, network.dim, patience)
                for _ in blocks(len(rows), size):
                    read_ahead()
                    first, wait = ahead.popleft()
                    pictures = wait()
                    begun = time.perf_counter()
                    block.facts.append(pictures.facts)
                    under_way.append((block, _Started(first, pictures, network)))
                    block.forward += time.perf_counter() - begun
                    if len(under_way) == UNDER_WAY:
                        yield from finish()
            while under_way:
                yield from finish()
            complete = True
        finally:
            if not complete:
                readers.stop()
            decoded.close()  # first, because it waits for the readers
            pool.shutdown(wait=True, cancel_futures=True)


def slab_rows(batch_size: int, workers: int, each: int = 1) -> int:
    """Return how many rows a slab has for images read ahead, or on their way, of so many rows."""
    ahead = min(TASKS_AHEAD * workers * min(TASK, batch_size), MOST_AHEAD)
    return batch_size * (max(BATCHES_AHEAD, -(-ahead // batch_size)) + UNDER_WAY) * each


def _tasks(dataset: Dataset, rows: Rows, reading: Reading, first: int, most: int) -> list[Task]:
    """Divide the images of a batch into tasks of about one size."""
    top, place = os.fspath(dataset.root), as_slice(rows)
    paths = dataset.paths
    some = paths[place] if isinstance(place, slice) else [paths[row] for row in rows.tolist()]
    names = [f"{top}/{path}" for path in some]
    count = -(-len(names) // most)
    return [
        Task(names[part], dataset.source, first + part.start * reading.rows, reading)
        for part in blocks(len(names), -(-len(names) // count))
    ]


class _Started:
    """A batch on its way through the network; until it is finished, its slab stays as it is."""

    def __init__(self, first: int, pictures: Pictures, network: Network) -> None:
        self.first, self.count = first, len(pictures.facts.stats)
        self._facts, self._pixels = pictures  # both are kept until the network is done with them
        self._network = network
        with self._explained():
            some = len(self._facts.unreadable) < self.count
            self._finish = network.start(self._pixels) if some else None

    def finish(self) -> Floats:
        """Wait for the features; those of unreadable images are NaN."""
        features = np.full((self.count, self._network.dim), np.nan, dtype=np.float32)
        if self._finish is not None:
            with self._explained():
                found = self._finish().numpy()
            if choose := self._network.choose:
                found = choose(found, [digest.tobytes() for digest in self._facts.digests])
            features[:] = found
            features[list(self._facts.unreadable)] = np.nan
        return features

    def _explained(self) -> AbstractContextManager[None]:
        return explained(f"a batch has {self.count} images, and a smaller --batch-size takes less")


class Unfinished:
    """A block, some batches of which are finished."""

    def __init__(self, number: int, rows: Rows, dim: int, patience: float = math.inf) -> None:
        self.facts: deque[Facts] = deque()  # of each batch that was not taken
        self.forward = 0.0
        self._number, self._rows, self._patience = number, rows, patience
        self._features = np.empty((len(rows), dim), dtype=np.float32)
        self._finished = self._taken = self._batches = 0
        self._since = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is complete, or a piece of it is waiting for long."""
        late = time.monotonic() - self._since >= self._patience
        return late or self._finished == len(self._rows)

    def put(self, features: Floats) -> None:
        """Add the features of the next batch."""
        self._features[self._finished : self._finished + len(features)] = features
        self._finished += len(features)
        self._batches += 1

    def embedded(self) -> EmbeddedBlock:
        """Take what is finished, and was not taken before."""
        whole = (self._taken, self._finished) == (0, len(self._rows))
        rows = self._rows[self._taken : self._finished]
        facts = Facts.joined([self.facts.popleft() for _ in range(self._batches)])
        piece = EmbeddedBlock(
            block=self._number,
            rows=rows,
            features=self._features[self._taken : self._finished],
            stats=facts.stats,
            digests=facts.digests,
            unreadable={int(rows[at]): why for at, why in facts.unreadable.items()},
            orientations=facts.orientations,
            seconds=Seconds(facts.decoding, facts.transforming, self.forward),
            whole=whole,
        )
        self._taken, self._batches, self.forward = self._finished, 0, 0.0
        self._since = time.monotonic()
        return piece
