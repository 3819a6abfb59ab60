"""The engine of this process: threads decode images, the main thread runs the backbone."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager

import numpy as np
import torch

from moderate_cli.arrays import Floats, Rows, blocks
from moderate_cli.dataset import Dataset
from moderate_cli.embedding.request import Request
from moderate_cli.images.preprocessing import ReadImage, read_image
from moderate_cli.images.quiet import without_warnings
from moderate_cli.networks.backbones import Network, load_network
from moderate_cli.networks.devices import explained
from moderate_cli.networks.runtimes import UNDER_WAY
from moderate_cli.store.blocks import BLOCK_ROWS, Block, EmbeddedBlock, Seconds
from moderate_cli.store.manifest import Manifest

# At most this many batches of decoded images wait in memory.
BATCHES_AHEAD = 3


class LocalEngine:
    """The backbone of a request, loaded in this process.

    Attributes
    ----------
    manifest
        How the features are made.
    threads
        Number of threads that decode images.
    network
        The backbone.
    """

    def __init__(self, request: Request) -> None:
        dataset, options = request.dataset, request.options
        self.threads = options.threads
        self.network = load_network(
            request.spec,
            options.weights,
            device=options.device,
            runtime=options.runtime,
            # A batch never spans two blocks, and OpenVINO would pad it to its full size.
            batch_size=options.batch_size and min(options.batch_size, BLOCK_ROWS),
        )
        self.manifest = Manifest(
            spec=request.spec,
            weights=self.network.weights[0],
            weights_sha256=self.network.weights[1],
            runtime=self.network.runtime,
            preprocessing=self.network.preprocessing,
            rows=len(dataset),
            dim=self.network.dim,
            classes=dataset.classes,
            max_pixels=options.max_pixels,
        )
        self._dataset = dataset

    def embed(
        self, blocks: Sequence[Block], on_image: Callable[[], object]
    ) -> Iterator[EmbeddedBlock]:
        """Embed blocks, one after another."""
        yield from embed_blocks(
            self._dataset,
            blocks,
            self.network,
            max_pixels=self.manifest.max_pixels,
            workers=self.threads,
            on_image=on_image,
        )


def embed_blocks(
    dataset: Dataset,
    parts: Sequence[Block],
    network: Network,
    *,
    max_pixels: int,
    workers: int,
    on_image: Callable[[], object],
) -> Iterator[EmbeddedBlock]:
    """Embed the given rows, block after block.

    A batch never spans two blocks, so the features of a block do not depend on the other blocks.

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
        Threads that read and decode images.
    on_image
        Called after each image.
    """
    batch_size = network.batch_size
    top = os.fspath(dataset.root)
    paths = (f"{top}/{dataset.paths[row]}" for _, rows in parts for row in rows.tolist())

    with without_warnings(), ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[ReadImage]] = deque()

        def ahead(count: int) -> None:
            while len(waiting) < count and (path := next(paths, None)) is not None:
                read = (path, network.preprocessing, dataset.source, max_pixels)
                waiting.append(pool.submit(read_image, *read))

        try:
            for block, rows in parts:
                batches: list[Batch] = []
                under_way: deque[_Started] = deque()
                forward = 0.0
                for batch in blocks(len(rows), batch_size):
                    ahead(BATCHES_AHEAD * batch_size)
                    images = [waiting.popleft().result() for _ in range(batch.start, batch.stop)]
                    ahead(BATCHES_AHEAD * batch_size)
                    begun = time.perf_counter()
                    under_way.append(_Started(images, network))
                    last = batch.stop == len(rows)
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
    """A batch on its way through the network."""

    def __init__(self, images: list[ReadImage], network: Network) -> None:
        pixels = [image.pixels for image in images if image.pixels is not None]
        self._readable = [index for index, image in enumerate(images) if image.pixels is not None]
        # The pixels of a whole block would take too much memory.
        self._images = [image._replace(pixels=None) for image in images]
        self._dim, self._choose = network.dim, network.choose
        with _explained(len(pixels)):
            self._finish = network.start(torch.stack(pixels)) if pixels else None

    def finish(self) -> Batch:
        """Wait for the features."""
        features = np.full((len(self._images), self._dim), np.nan, dtype=np.float32)
        if self._finish is not None:
            with _explained(len(self._readable)):
                found = self._finish().numpy()
            if self._choose is not None:
                found = self._choose(found, [self._images[at].digest for at in self._readable])
            features[self._readable] = found
        return features, self._images


def _explained(count: int) -> AbstractContextManager[None]:
    return explained(f"a batch has {count} images, and a smaller --batch-size takes less")


def _assemble(block: int, rows: Rows, batches: list[Batch], forward: float) -> EmbeddedBlock:
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
