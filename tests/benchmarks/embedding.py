"""Embedding photos: the local engine, the usual loop, and what the machine could do at best."""

from __future__ import annotations

import io
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Subset
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models, transforms
from torchvision.datasets import ImageFolder

import moderate_cli
from moderate_cli.embedding.engines.batches import embed_blocks
from moderate_cli.images.preprocessing import read_image
from moderate_cli.networks.backbones import Network, load_network
from moderate_cli.networks.classifiers import FAMILIES
from moderate_cli.networks.efficientnet_lite import convert_weights
from moderate_cli.networks.table import BACKBONES, DEFAULT_MAX_PIXELS, FeatureSpec, Preprocessing
from moderate_cli.threads import processors
from tests.benchmarks.stages import MODERATE, Comparison, Measured, process, timed
from tests.listeners import Told

IMAGES = 480
SIDE = 2048  # of the matrices that show what arithmetic the machine can do
RAY_IMAGES = 4096  # four blocks


def comparisons(folder: Path, data: str | None) -> Iterator[Comparison]:
    """Compare torch and OpenVINO with the usual loop and the limit, for two backbones."""
    root = Path(data) if data is not None else _draw(folder / "photos")
    dataset = moderate_cli.scan(root)
    rows = np.linspace(0, len(dataset) - 1, min(IMAGES, len(dataset))).astype(np.int64)
    for name, aims in (("efficientnet_lite0", ("1/4", "1/8")), ("resnet18", ("1/2.3", "1/2.3"))):
        weights = None
        if name == "resnet18":  # random weights: its own would have to be downloaded
            weights = folder / "resnet18.pt"
            torch.save(models.resnet18(weights=None).state_dict(), weights)
        for runtime, aim in zip(("torch", "openvino"), aims, strict=True):
            spec = FeatureSpec(name, "digest" if weights else "")
            network = load_network(spec, weights, device="cpu", runtime=runtime)

            def ours(network=network) -> None:
                blocks = [(0, rows)]
                for _ in embed_blocks(
                    dataset,
                    blocks,
                    network,
                    max_pixels=DEFAULT_MAX_PIXELS,
                    workers=processors(),
                    on_images=lambda _count: None,
                ):
                    pass

            stage = f"embed {len(rows)} photos, {name}, {runtime}"
            usual = timed(lambda name=name: usual_loop(root, rows, name))
            yield Comparison(stage, "the usual loop", timed(ours), usual, aim)
            paths = [f"{root}/{dataset.paths[row]}" for row in rows]
            limit = _limit(paths, network)
            yield Comparison(stage, "decode and forward alone", timed(ours), limit, "1/0.85")
            yield _arithmetic(name, runtime, network)
    yield _whole(root, folder)


def on_ray(folder: Path, data: str | None) -> Iterator[Comparison]:
    """Compare two single-core workers on Ray with this process on two cores, once both are warm."""
    source = Path(data) if data is not None else _draw(folder / "photos")
    paths = moderate_cli.scan(source).paths
    (folder / "many" / "class").mkdir(parents=True)
    for image in range(RAY_IMAGES):
        path = source / paths[image % len(paths)]
        (folder / "many" / "class" / f"{image}.jpg").symlink_to(path.absolute())

    def run(**options) -> float:
        shutil.rmtree(folder / "store", ignore_errors=True)
        told = []
        dataset = moderate_cli.scan(folder / "many")
        moderate_cli.embed(dataset, store=folder / "store", listener=Told(timed=told), **options)
        return told[0].elapsed

    yield Comparison(
        f"embed {RAY_IMAGES} photos, 2 workers of 1 core on Ray",
        "one process on 2 cores",
        lambda: run(workers=1, cluster=moderate_cli.Cluster(num_workers=2)),
        lambda: run(workers=2),
        "1/0.9",
    )


def _whole(root: Path, folder: Path) -> Comparison:
    """Compare the whole command on all images with a script that runs the usual loop."""
    store = folder / "store"
    ours = Measured(
        MODERATE, "embed", str(root), "--store", str(store),
        before=lambda: shutil.rmtree(store, ignore_errors=True),
    )  # fmt: skip
    usual = process(sys.executable, "-m", "tests.benchmarks.embedding", str(root))
    images = len(moderate_cli.scan(root))
    stage = f"moderate embed, {images} photos"
    return Comparison(stage, "a script with the usual loop", ours, usual, "1/8, 2000 MB", ours.peak)


def usual_loop(root: Path, rows: np.ndarray, name: str) -> np.ndarray:
    """Run ImageFolder, torchvision's transforms, two workers, an eager float32 network."""
    network, preprocessing = _eager(name)
    images = Subset(ImageFolder(root, _transforms(preprocessing)), rows)
    with torch.no_grad():
        batches = [network(batch) for batch, _ in DataLoader(images, batch_size=64, num_workers=2)]
    return torch.cat(batches).numpy()


def _eager(name: str) -> tuple[nn.Module, Preprocessing]:
    network, preprocessing, own_weights = FAMILIES[BACKBONES[name].family](name)
    if name == "efficientnet_lite0":
        network.load_state_dict(convert_weights(own_weights()[0]))
        network.classifier = nn.Identity()
    else:
        network.fc = nn.Identity()
    return network.eval(), preprocessing


def _transforms(preprocessing: Preprocessing) -> transforms.Compose:
    return transforms.Compose(
        [
            transforms.Resize(
                preprocessing.resize, transforms.InterpolationMode(preprocessing.interpolation)
            ),
            transforms.CenterCrop(preprocessing.crop),
            transforms.ToTensor(),
            transforms.Normalize(
                [value / 255 for value in preprocessing.mean],
                [value / 255 for value in preprocessing.std],
            ),
        ]
    )


def _limit(paths: list[str], network):
    """Processor seconds of decoding alone and of forward alone, shared by all processors."""

    def run() -> float:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        start = time.process_time()
        pixels = [read_image(path, network.preprocessing).pixels for path in paths]
        decoding = time.process_time() - start
        torch.set_num_threads(threads)
        batches = torch.stack(pixels).split(network.batch_size)
        start = time.process_time()
        for batch in batches:
            network.forward(batch)
        return (decoding + time.process_time() - start) / processors()

    return run


def _arithmetic(name: str, runtime: str, network: Network) -> Comparison:
    """Compare forward alone with matrix products of as many operations, all this machine can do."""
    size = network.preprocessing.crop
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        _eager(name)[0](torch.zeros(1, 3, size, size))
    pixels = torch.randint(0, 256, (IMAGES, 3, size, size), dtype=torch.uint8)
    matrix = torch.rand(SIDE, SIDE)
    products = round(IMAGES * counter.get_total_flops() / (2 * SIDE**3))

    def forward() -> None:
        for batch in pixels.split(network.batch_size):
            network.forward(batch)

    def multiply() -> None:
        for _ in range(products):
            matrix @ matrix

    stage = f"forward of {IMAGES} images, {name}, {runtime}"
    return Comparison(
        stage, "matrix products of as many operations", timed(forward), timed(multiply), ""
    )


def _draw(root: Path) -> Path:
    """Draw photo-like JPEGs of 500 x 375."""
    rng = np.random.default_rng(0)
    shutil.rmtree(root, ignore_errors=True)
    (root / "class").mkdir(parents=True)
    for image in range(IMAGES):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        levels = np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC), dtype=np.float64)
        noisy = (levels + rng.normal(0, 8, levels.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(root / "class" / f"{image}.jpg", quality=85)
    return root


if __name__ == "__main__":
    photos = Path(sys.argv[1])
    rows = np.arange(len(ImageFolder(photos)))
    np.save(io.BytesIO(), usual_loop(photos, rows, "efficientnet_lite0"))
