"""A step that needs no GPU: how many images this process carries to one that decodes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import torch

import moderate_cli
from moderate_cli.embedding.engines import batches
from moderate_cli.embedding.engines.batches import embed_blocks, slab_rows
from moderate_cli.embedding.engines.gpu_decoding import GpuDecoding
from moderate_cli.embedding.engines.packing import rows_each
from moderate_cli.images import gpu_decoding
from moderate_cli.networks.backbones import load_network
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS, GPU, FeatureSpec
from moderate_cli.store.blocks import blocks_of
from tests.benchmarks import stubs
from tests.benchmarks.crew import ready_crew
from tests.benchmarks.gpu.rows import Bench

IMAGES, BATCH, WORKERS = 20 * 1024, 1024, 16
RATE, AIM = 25_000, 15_000  # images a second that the stub decodes; that one core must carry


class Sleeper:
    """A decoder that takes the time of a GPU, and leaves Python's lock to others."""

    name, device = "a stub", torch.device("cpu")

    def __call__(self, contents: list[torch.Tensor]) -> list[torch.Tensor]:
        """Sleep; return no pixels."""
        time.sleep(len(contents) / RATE)
        return list(torch.empty(len(contents), 3, 1, 1, dtype=torch.uint8).unbind())


def carried(bench: Bench) -> None:
    """Reading, decoding, resizing and the network stubbed: the rest takes this process so long."""
    took, seconds = _own_seconds(bench.folder / "nothing")
    bench.add("--decode gpu with stubs, images a second of one core", IMAGES / took, aim=AIM)
    bench.add(f"the same, beside a decoder of {RATE:,} images/s", IMAGES / seconds)


def _own_seconds(folder: Path) -> tuple[float, float]:
    """Embed; return processor seconds of this process, in all its threads, and elapsed ones."""
    paths = [f"class/{row}.jpg" for row in range(IMAGES)]
    dataset = moderate_cli.Dataset(folder, ("class",), paths, np.zeros(IMAGES, dtype=np.int64))
    network = load_network(FeatureSpec("pixels"), device="cpu", batch_size=BATCH)
    how = replace(network.preprocessing, decode=GPU)
    features = torch.zeros(BATCH, network.dim)
    network = replace(network, preprocessing=how, start=lambda some: lambda: features[: len(some)])
    rows = slab_rows(BATCH, WORKERS, rows_each(how))
    with ready_crew(rows, how.crop) as crew, _stubbed(how.crop):
        for some in (np.arange(4 * BATCH), np.arange(IMAGES)):  # the former forks all workers
            own, begun = time.process_time(), time.perf_counter()
            for _ in embed_blocks(
                dataset, blocks_of(some), network, max_pixels=DEFAULT_MAX_PIXELS, workers=WORKERS,
                on_images=lambda _count: None, crew=crew,
                decoding=GpuDecoding(Sleeper(), network, DEFAULT_MAX_PIXELS),
            ):  # fmt: skip
                pass
        return time.process_time() - own, time.perf_counter() - begun


@contextlib.contextmanager
def _stubbed(crop: int) -> Iterator[None]:
    """Read no files, and resize nothing."""

    def resize(images: list[torch.Tensor], *_how: object) -> torch.Tensor:
        return torch.zeros(len(images), 3, crop, crop, dtype=torch.uint8)

    with (
        mock.patch.object(batches, "read_file", stubs.file),
        mock.patch.object(gpu_decoding, "resize_and_crop_all", resize),
    ):
        yield
