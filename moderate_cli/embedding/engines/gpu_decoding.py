"""The pipeline of `--decode gpu`: threads read files; the GPU decodes, resizes and embeds them."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import numpy as np

from moderate_cli.arrays import Rows, blocks
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import DIGEST_SIZE
from moderate_cli.embedding.engines.batches import Unfinished
from moderate_cli.embedding.engines.reading import Facts
from moderate_cli.images import nvjpeg
from moderate_cli.images.gpu_decoding import BatchDecoder, Decoded
from moderate_cli.images.gpu_files import File, read_file
from moderate_cli.images.nvjpeg import Decoder
from moderate_cli.images.quiet import without_warnings
from moderate_cli.networks.backbones import Network
from moderate_cli.networks.devices import explained
from moderate_cli.networks.table import GPU
from moderate_cli.store.blocks import Block, EmbeddedBlock

# Files that one thread reads in a turn: a turn for each would cost more than reading it.
READ_TOGETHER = 32
# Batches that are read or decoded, and batches that the network has got: so that neither the GPU's
# decoders nor its processors wait for the other, or for this program.
BATCHES_AHEAD, UNDER_WAY = 4, 3
ADVICE = "use a smaller --batch-size"


def named_after(decoder: Decoder, network: Network) -> Network:
    """Add the name of the GPU to the preprocessing of a network: features depend on it."""
    decode = f"{GPU} ({decoder.name})"
    return replace(network, preprocessing=replace(network.preprocessing, decode=decode))


def embed_decoding(
    dataset: Dataset,
    parts: Sequence[Block],
    network: Network,
    *,
    device: str,
    max_pixels: int,
    workers: int,
    on_images: Callable[[int], object],
) -> Iterator[EmbeddedBlock]:
    """Embed the given rows, block after block.

    A batch never spans two blocks, so the features of a block do not depend on the other blocks.

    Parameters
    ----------
    dataset, parts, network, max_pixels
        As of `moderate_cli.embedding.engines.batches.embed_blocks`.
    device
        Name of the network's device.
    workers
        Threads that read files, and decode those that the GPU leaves to them.
    on_images
        Called after each batch, with its number of images.
    """
    top, source = os.fspath(dataset.root), dataset.source
    decoder = nvjpeg.find_decoder(device)

    def read(rows: Rows) -> list[File]:
        paths = (f"{top}/{dataset.paths[row]}" for row in rows.tolist())
        return [read_file(path, network.preprocessing, source, max_pixels) for path in paths]

    batch_decoder = BatchDecoder(decoder, network.preprocessing, max_pixels)

    with without_warnings(), ThreadPoolExecutor(workers) as pool:

        def begin(batch: _Batch) -> tuple[_Batch, Callable[[], Decoded]]:
            _, rows = batch
            tasks = [pool.submit(read, rows[part]) for part in blocks(len(rows), READ_TOGETHER)]
            return batch, batch_decoder.begin(
                lambda: [file for task in tasks for file in task.result()]
            )

        try:
            coming = _ahead(begin, _batches(parts, network), BATCHES_AHEAD)
            for started in _ahead(lambda one: _Started(*one, network), coming, UNDER_WAY):
                block = started.finish()
                on_images(len(started.rows))
                if block.due:
                    yield block.embedded()
        finally:
            batch_decoder.close()  # first, because it waits for the readers
            pool.shutdown(wait=True, cancel_futures=True)


_Batch = tuple[Unfinished, Rows]  # a block, and some of its rows


def _batches(parts: Sequence[Block], network: Network) -> Iterator[_Batch]:
    for number, rows in parts:
        block = Unfinished(number, rows, network.dim)
        for part in blocks(len(rows), network.batch_size):
            yield block, rows[part]


Given = TypeVar("Given")
Begun = TypeVar("Begun")


def _ahead(begin: Callable[[Given], Begun], items: Iterable[Given], count: int) -> Iterator[Begun]:
    """Begin on items, and yield them in order, each once `count` are under way.

    >>> list(_ahead(lambda one: print("begin", one) or one, "ab", 2))
    begin a
    begin b
    ['a', 'b']
    """
    under_way: deque[Begun] = deque()
    for item in items:
        under_way.append(begin(item))
        if len(under_way) >= count:
            yield under_way.popleft()
    while under_way:
        yield under_way.popleft()


class _Started:
    """A batch that the network has got, as soon as it is decoded."""

    def __init__(self, batch: _Batch, decoded: Callable[[], Decoded], network: Network) -> None:
        (self._block, self.rows), self._network, self._finish = batch, network, None
        with explained(ADVICE):
            # Kept until the network is done with its pixels.
            self._decoded = decoded()
            begun = time.perf_counter()
            if self._decoded.pixels is not None:
                self._finish = network.start(self._decoded.pixels)
        self._block.facts.append(_facts_of(self._decoded))
        self._block.forward += time.perf_counter() - begun

    def finish(self) -> Unfinished:
        """Wait for the features, and give them to the block."""
        begun, network, readable = time.perf_counter(), self._network, self._decoded.readable
        features = np.full((len(self.rows), network.dim), np.nan, dtype=np.float32)
        if self._finish is not None:
            with explained(ADVICE):
                found = self._finish().numpy()
            if network.choose is not None:
                found = network.choose(found, [self._decoded.images[at].digest for at in readable])
            features[readable] = found
        self._block.put(features)
        self._block.forward += time.perf_counter() - begun
        return self._block


def _facts_of(decoded: Decoded) -> Facts:
    images = decoded.images
    digests = np.frombuffer(b"".join(image.digest for image in images), dtype=np.uint8)
    return Facts(
        np.array([image.stat for image in images], dtype=np.int64),
        digests.reshape(len(images), DIGEST_SIZE),
        np.array([image.orientation for image in images], dtype=np.uint8),
        {at: image.reason for at, image in enumerate(images) if image.reason},
        sum(image.decoding for image in images) + decoded.seconds,
        sum(image.transforming for image in images),
    )
