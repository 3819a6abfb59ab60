"""A stand-in for the decoder of a GPU, on the processor."""

from __future__ import annotations

import torch
import torchvision  # noqa: F401  registers the operator

from moderate_cli.dataset.sources import FILES
from moderate_cli.embedding.engines.reading import Reading, Task, read_images
from moderate_cli.embedding.engines.slabs import memory_of, private_slab
from moderate_cli.images import nvjpeg
from moderate_cli.images.gpu_files import Batch, read_file
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS


class OnProcessor:
    """Decodes lists of JPEGs as `decode_jpeg(list, device="cuda")` does; counts what it gets."""

    name = "a stand-in"
    device = torch.device("cpu")

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.decoded = 0

    def __call__(self, contents):
        """Decode all, or raise for the first that cannot be decoded, without partial results."""
        self.calls.append(len(contents))
        # The operator of `torchvision.io.decode_jpeg`, which warns that it is deprecated.
        found = [torch.ops.image.decode_jpeg(content, nvjpeg.RGB) for content in contents]
        self.decoded += len(found)
        return found


def batch_of(names, how, source=FILES, max_pixels=DEFAULT_MAX_PIXELS):
    """Read files for a decoder as workers do; return the batch, and its facts."""
    reading = Reading(read_file, how, max_pixels)
    slab = private_slab(len(names) * reading.rows, how.crop)
    facts = read_images(Task(names, source, 0, reading), slab)
    memory, tags = memory_of(slab), facts.orientations
    return Batch(names, source, memory, facts.contents, facts.stats, tags), facts


def stand_in(monkeypatch) -> OnProcessor:
    """Take it for the decoder of a GPU."""
    decoder = OnProcessor()
    monkeypatch.setattr(nvjpeg, "find_decoder", lambda _device: decoder)
    return decoder
