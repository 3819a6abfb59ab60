"""Workers: how their rate grows with their number, and what the process that embeds adds."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

import moderate_cli
from moderate_cli.embedding import EmbedOptions
from moderate_cli.embedding.engines import batches
from moderate_cli.embedding.engines.batches import embed_blocks, slab_rows
from moderate_cli.embedding.engines.crew import Crew
from moderate_cli.embedding.lifecycle import Alone
from moderate_cli.embedding.request import Request
from moderate_cli.listening import SILENT
from moderate_cli.networks.backbones import Network, load_network
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS, FeatureSpec, Preprocessing
from moderate_cli.store.blocks import blocks_of
from moderate_cli.store.manifest import Manifest
from moderate_cli.threads import processors
from tests.benchmarks import stubs
from tests.benchmarks.stages import Comparison

DIM, BATCH = 1280, 256
MANY, RATE = 40 * 1024, 40_000  # images, and images a second that one core must carry
SLEEPERS, SLEPT = 16, 8192  # workers, and images
PHOTOS = 2048


def bookkeeping(folder: Path) -> Iterator[Comparison]:
    """Embed and write, with workers that read nothing, and a backbone that computes nothing."""
    yield Comparison(
        f"bookkeeping of {MANY} images, seconds of one core",
        f"{RATE:,} images/s",
        lambda: _own_seconds(folder),
        lambda: MANY / RATE,
        "1",
    )


class _Engine:
    """An engine that takes no time but for what the process that embeds does."""

    def __init__(self, dataset: moderate_cli.Dataset, crew: Crew) -> None:
        self.workers = 2
        self._dataset, self._crew, self._network = dataset, crew, _idle_network()
        self.manifest = Manifest(
            FeatureSpec(), "none", "", "torch", self._network.preprocessing, len(dataset), DIM,
            dataset.classes,
        )  # fmt: skip

    def embed(self, blocks, on_images):
        """Embed blocks."""
        return embed_blocks(
            self._dataset, blocks, self._network, max_pixels=DEFAULT_MAX_PIXELS,
            workers=self.workers, on_images=on_images, crew=self._crew,
        )  # fmt: skip


def _idle_network() -> Network:
    preprocessing = Preprocessing(256, 224, "bilinear", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    features = torch.zeros(BATCH, DIM)
    return Network(
        lambda images: lambda: features[: len(images)], preprocessing, DIM, ("", ""), "torch", BATCH
    )


def _own_seconds(folder: Path) -> float:
    """Fill a set; return the processor seconds of this process, in all its threads."""
    shutil.rmtree(folder / "store", ignore_errors=True)
    paths = [f"n{row // 1300:08}/n{row // 1300:08}_{row}.JPEG" for row in range(MANY)]
    labels = np.arange(MANY) // 1300
    classes = tuple(f"n{label:08}" for label in range(int(labels[-1]) + 1))
    dataset = moderate_cli.Dataset(folder / "data", classes, paths, labels)
    request = Request.of(dataset, EmbedOptions(store=folder / "store"))
    with (
        ready_crew(slab_rows(BATCH, 2), 224) as crew,
        _reading(stubs.blank),
        Alone(request, SILENT) as life,
    ):
        life.find()
        engine = _Engine(dataset, crew)
        life.begin(engine.manifest)
        start = time.process_time()
        life.fill(engine)
        return time.process_time() - start


@contextlib.contextmanager
def ready_crew(rows: int, crop: int) -> Iterator[Crew]:
    """Start a crew with a slab of so many rows, whose helper has loaded torch."""
    crew = Crew(rows, crop)
    try:
        crew.wait()
        yield crew
    finally:
        crew.stop()


@contextlib.contextmanager
def _reading(read) -> Iterator[None]:
    before, batches.read_image = batches.read_image, read
    try:
        yield
    finally:
        batches.read_image = before


def scaling(folder: Path, data: str | None) -> Iterator[Comparison]:
    """Compare the rate of several workers with that of one; 16 are simulated by sleep."""
    idle = moderate_cli.Dataset(folder, ("",), ["x"] * SLEPT, np.zeros(SLEPT, dtype=np.int64))
    yield Comparison(
        f"read {SLEPT} images that take {1000 * stubs.SECONDS:.0f} ms, {SLEEPERS} workers",
        f"the time alone, divided by {SLEEPERS}",
        lambda: _seconds(idle, _idle_network(), SLEEPERS, stubs.sleeping),
        lambda: SLEPT * stubs.SECONDS / SLEEPERS,
        "1/0.85",
    )
    dataset = moderate_cli.scan(_photos(folder, data))
    network = load_network(FeatureSpec("pixels"), device="cpu", batch_size=BATCH)
    cores = processors()

    def seconds(workers: int) -> float:
        return _seconds(dataset, network, workers, batches.read_image)

    for workers in sorted({2, 4, 8, 16, cores} & set(range(2, cores + 1))):
        yield Comparison(
            f"embed {PHOTOS} photos, pixels, {workers} workers",
            f"{workers} x the rate of one",
            lambda workers=workers: seconds(workers),
            lambda workers=workers: seconds(1) / workers,
            "1/0.85",
        )
    for workers in (2 * cores, 4 * cores):
        yield Comparison(
            f"embed {PHOTOS} photos, pixels, {workers} workers on {cores} cores",
            f"{cores} workers",
            lambda workers=workers: seconds(workers),
            lambda: seconds(cores),
            "1",
        )


def _photos(folder: Path, data: str | None) -> Path:
    """Name photos anew until there are `PHOTOS`."""
    from tests.benchmarks.embedding import _draw

    source = Path(data) if data is not None else _draw(folder / "photos")
    paths = moderate_cli.scan(source).paths
    (folder / "many" / "class").mkdir(parents=True)
    for image in range(PHOTOS):
        path = source / paths[image % len(paths)]
        (folder / "many" / "class" / f"{image}.jpg").symlink_to(path.absolute())
    return folder / "many"


def _seconds(dataset: moderate_cli.Dataset, network: Network, workers: int, read) -> float:
    """Embed with a crew that is there, once a batch is through."""
    crop = network.preprocessing.crop
    with ready_crew(slab_rows(network.batch_size, workers), crop) as crew, _reading(read):

        def embed(rows) -> float:
            start = time.perf_counter()
            for _ in embed_blocks(
                dataset, blocks_of(rows), network, max_pixels=DEFAULT_MAX_PIXELS,
                workers=workers, on_images=lambda _count: None, crew=crew,
            ):  # fmt: skip
                pass
            return time.perf_counter() - start

        rows = np.arange(len(dataset))
        embed(rows[: BATCH * 2])  # all workers are forked, and have loaded what they need
        return embed(rows)
