"""Batches that a GPU decodes, from files that readers have put into a slab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from moderate_cli.embedding.engines.batches import Batch, Pictures
from moderate_cli.embedding.engines.slabs import memory_of
from moderate_cli.images import gpu_files
from moderate_cli.images.gpu_decoding import BatchDecoder
from moderate_cli.images.nvjpeg import Decoder
from moderate_cli.networks.backbones import Network
from moderate_cli.networks.devices import explained
from moderate_cli.networks.streams import let_wait
from moderate_cli.networks.table import GPU


def named_after(decoder: Decoder, network: Network) -> Network:
    """Add the name of the GPU to the preprocessing of a network: features depend on it."""
    decode = f"{GPU} ({decoder.name})"
    return replace(network, preprocessing=replace(network.preprocessing, decode=decode))


class GpuDecoding:
    """Decodes batches ahead. Close it after use.

    Parameters
    ----------
    decoder
        The decoder of the network's device.
    network
        The backbone, `named_after` it.
    max_pixels
        Images with more pixels are unreadable.
    """

    def __init__(self, decoder: Decoder, network: Network, max_pixels: int) -> None:
        self._batches = BatchDecoder(decoder, network.preprocessing, max_pixels)

    def begin(self, batch: Batch) -> Callable[[], Pictures]:
        """Begin on a batch once it is read; the result waits until the GPU has been told."""
        begun = self._batches.begin(lambda: _files_of(batch))

        def pictures() -> Pictures:
            with explained("use a smaller --batch-size"):
                decoded = begun()
                let_wait(decoded.ready)
            return Pictures(batch.facts.replaced(decoded.images, decoded.seconds), decoded.pixels)

        return pictures

    def close(self) -> None:
        """Drop what has not begun."""
        self._batches.close()


def _files_of(batch: Batch) -> gpu_files.Batch:
    facts = batch.facts
    names = [name for task in batch.tasks for name in task.names]
    return gpu_files.Batch(
        names,
        batch.tasks[0].source,
        memory_of(batch.slab),
        facts.contents,
        facts.stats,
        facts.orientations,
    )
