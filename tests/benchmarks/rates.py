"""What pruning ImageNet-22k takes on 1, 8 and 64 GPUs: rates measured here, and what is assumed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import torch

import moderate_cli
from moderate_cli.images.preprocessing import read_image
from moderate_cli.networks.backbones import load_network
from moderate_cli.networks.table import FeatureSpec
from moderate_cli.store.blocks import BLOCK_ROWS, EmbeddedBlock, Seconds
from moderate_cli.store.manifest import Manifest
from moderate_cli.store.writer import Writer, create
from tests.benchmarks.embedding import _draw
from tests.benchmarks.page import PAGE, write_option
from tests.benchmarks.stages import IMAGENET_22K
from tests.marked import fill

DIM = 1280
BLOCKS = 40


@click.command()
@click.option("--gpu-rate", default=4000, show_default=True, help="Images/s of a GPU; assumed.")
@click.option("--cores", default=8, show_default=True, help="Processor cores for each GPU.")
@click.option("--price", default=2.5, show_default=True, help="Of an hour of a GPU with its cores.")
@write_option
def main(gpu_rate: float, cores: int, price: float, write: bool) -> None:
    """Measure decoding, forward and the driver, and print what follows from them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        decode, forward = _work(folder)
        driver = _driver(folder)
    rates = [
        "| measured here | images/s |",
        "| --- | ---: |",
        f"| reading, decoding and resizing a photo of 500 x 375, per core | {decode:.0f} |",
        f"| efficientnet_lite0, OpenVINO, float32, per core | {forward:.0f} |",
        f"| one driver: blocks from Ray's workers to the disk | {driver:.0f} |",
    ]
    scale = [
        "| GPUs | decoding | GPUs' own | driver | bottleneck | hours | cost |",
        "| ---: | ---: | ---: | ---: | --- | ---: | ---: |",
        *(
            _row(gpus, {"decoding": decode * cores, "GPUs": gpu_rate}, driver, price)
            for gpus in (1, 8, 64)
        ),
    ]
    for name, lines in (("rates", rates), ("scale", scale)):
        table = "".join(f"{line}\n" for line in lines)
        print(table)
        if write:
            fill(PAGE, name, table)


def _row(gpus: int, per_gpu: dict[str, float], driver: float, price: float) -> str:
    rates = {name: rate * gpus for name, rate in per_gpu.items()} | {"driver": driver}
    slowest = min(rates, key=rates.__getitem__)
    hours = IMAGENET_22K["n"] / rates[slowest] / 3600
    shown = " | ".join(f"{rate:,.0f}" for rate in rates.values())
    return f"| {gpus} | {shown} | {slowest} | {hours:.2f} | {hours * gpus * price:.2f} |"


def _work(folder: Path) -> tuple[float, float]:
    """Images a second of processor time: decoded, and put through the default backbone."""
    paths = sorted(map(str, _draw(folder / "photos").rglob("*.jpg")))
    network = load_network(FeatureSpec(), device="cpu", runtime="openvino")
    torch.set_num_threads(1)
    start = time.process_time()
    pixels = [read_image(path, network.preprocessing).pixels for path in paths]
    decoding = time.process_time() - start
    start = time.process_time()
    for batch in torch.stack(pixels).split(network.batch_size):
        network.forward(batch)
    return len(paths) / decoding, len(paths) / (time.process_time() - start)


class _Blank:
    """A worker that takes no time: blocks of zeros."""

    def embed(self, first: int, last: int) -> Iterator[EmbeddedBlock]:
        for block in range(first, last):
            rows = np.arange(block * BLOCK_ROWS, (block + 1) * BLOCK_ROWS)
            features = np.zeros((BLOCK_ROWS, DIM), dtype=np.float32)
            stats = np.zeros((BLOCK_ROWS, 4), dtype=np.int64)
            digests = np.zeros((BLOCK_ROWS, 16), dtype=np.uint8)
            tags = np.zeros(BLOCK_ROWS, dtype=np.uint8)
            yield EmbeddedBlock(block, rows, features, stats, digests, tags, {}, Seconds())


def _driver(folder: Path) -> float:
    """Images a second that one driver takes from two workers on Ray and writes."""
    import ray

    n = BLOCKS * BLOCK_ROWS
    paths = [f"class/{row}.jpg" for row in range(n)]
    labels = np.zeros(n, dtype=np.int64)
    dataset = moderate_cli.Dataset(folder, ("class",), paths, labels)
    network = load_network(FeatureSpec("pixels"), device="cpu", runtime="torch")
    manifest = Manifest(
        FeatureSpec(), "none", "", "torch", network.preprocessing, n, DIM, dataset.classes
    )
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        blank = ray.remote(num_cpus=1)(_Blank)
        half = BLOCKS // 2
        stream = [
            blank.remote().embed.options(num_returns="streaming").remote(start, start + half)
            for start in (0, half)
        ]
        (folder / "set").mkdir()
        create(folder / "set", dataset, manifest, ())
        writer = Writer(folder / "set", paths, manifest)
        ray.get(next(stream[0]))  # the workers are there
        ray.get(next(stream[1]))
        start = time.perf_counter()
        for _ in range(half - 1):
            for blocks in stream:
                writer.write(ray.get(next(blocks)))
        seconds = time.perf_counter() - start
        writer.close()
    finally:
        ray.shutdown()
    return (BLOCKS - 2) * BLOCK_ROWS / seconds


if __name__ == "__main__":
    main()
