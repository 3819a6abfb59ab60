"""The local engine: threads decode images, this process runs the backbone."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager

import numpy as np
import numpy.typing as npt
import torch

from moderate_cli.arrays import Floats
from moderate_cli.dataset import Dataset
from moderate_cli.embedding.blocks import EmbeddedBlock, Seconds
from moderate_cli.images.preprocessing import ReadImage, read_image
from moderate_cli.images.quiet import without_warnings
from moderate_cli.networks.backbones import Network
from moderate_cli.networks.devices import explained
from moderate_cli.networks.runtimes import UNDER_WAY

# Decoded images wait in memory for at most this many batches, whatever the dataset.
BATCHES_AHEAD = 3


def embed_blocks(
    dataset: Dataset,
    blocks: Iterable[tuple[int, npt.NDArray[np.int64]]],
    network: Network,
    *,
    max_pixels: int,
    workers: int,
    on_image: Callable[[], None],
) -> Iterator[EmbeddedBlock]:
    """Embed the given rows, block after block.

    A batch never holds rows of two blocks, so what a block becomes does not depend on which
    blocks are asked for.

    Parameters
    ----------
    dataset
        Where the images are.
    blocks
        Block number and rows, int64 (m,), of each block.
    network
        What embeds them.
    max_pixels
        An image of more is not read.
    workers
        Threads that read and decode images.
    on_image
        Called after each image.
    """
    blocks, batch_size = list(blocks), network.batch_size
    top = os.fspath(dataset.root)
    paths = (f"{top}/{dataset.paths[row]}" for _, rows in blocks for row in rows.tolist())

    with without_warnings(), ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[ReadImage]] = deque()

        def ahead(count: int) -> None:
            while len(waiting) < count and (path := next(paths, None)) is not None:
                read = (path, network.preprocessing, dataset.source, max_pixels)
                waiting.append(pool.submit(read_image, *read))

        try:
            for block, rows in blocks:
                batches: list[Batch] = []
                under_way: deque[_Started] = deque()
                forward = 0.0
                for start in range(0, len(rows), batch_size):
                    size = min(batch_size, len(rows) - start)
                    ahead(BATCHES_AHEAD * batch_size)
                    images = [waiting.popleft().result() for _ in range(size)]
                    ahead(BATCHES_AHEAD * batch_size)
                    begun = time.perf_counter()
                    under_way.append(_Started(images, network))
                    last = start + size == len(rows)
                    while len(under_way) >= (1 if last else UNDER_WAY):
                        batches.append(under_way.popleft().finish())
                        for _ in batches[-1][1]:
                            on_image()
                    forward += time.perf_counter() - begun
                yield _assemble(block, rows, batches, forward)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


Batch = tuple[Floats, list[ReadImage]]


class _Started:
    """A batch that the network is at."""

    def __init__(self, images: list[ReadImage], network: Network) -> None:
        pixels = [image.pixels for image in images if image.pixels is not None]
        self._readable = [index for index, image in enumerate(images) if image.pixels is not None]
        # The pixels are not needed any more, and would add up over a block.
        self._images = [image._replace(pixels=None) for image in images]
        self._dim = network.dim
        with _explained(len(pixels)):
            self._finish = network.start(torch.stack(pixels)) if pixels else None

    def finish(self) -> Batch:
        """Wait for the features."""
        features = np.full((len(self._images), self._dim), np.nan, dtype=np.float32)
        if self._finish is not None:
            with _explained(len(self._readable)):
                features[self._readable] = self._finish().numpy()
        return features, self._images


def _explained(count: int) -> AbstractContextManager[None]:
    return explained(f"a batch has {count} images, and a smaller --batch-size takes less")


def _assemble(
    block: int, rows: npt.NDArray[np.int64], batches: list[Batch], forward: float
) -> EmbeddedBlock:
    images = [image for _, batch in batches for image in batch]
    return EmbeddedBlock(
        block=block,
        rows=rows,
        features=np.concatenate([features for features, _ in batches]),
        stats=np.array([image.stat for image in images], dtype=np.int64),
        digests=np.frombuffer(b"".join(image.digest for image in images), dtype=np.uint8).reshape(
            len(images), -1
        ),
        unreadable={
            row: image.reason
            for row, image in zip(rows.tolist(), images, strict=True)
            if image.reason
        },
        seconds=Seconds(
            sum(image.decoding for image in images),
            sum(image.transforming for image in images),
            forward,
        ),
    )
