"""Steps that measure what the GPU does alone: decoding, resizing, the network."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from moderate_cli.images import nvjpeg
from moderate_cli.images.gpu_decoding import BatchDecoder
from moderate_cli.images.gpu_files import Batch
from moderate_cli.images.nvjpeg import Decoder
from moderate_cli.images.preprocessing import read_image, resize_and_crop
from moderate_cli.images.resizing import resize_and_crop_all
from moderate_cli.networks.backbones import load_network
from moderate_cli.networks.pinning import pinned
from moderate_cli.networks.runtimes import UNDER_WAY
from moderate_cli.networks.streams import wait_for
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS, GPU, FeatureSpec
from tests.benchmarks.gpu.embedding import LITE0
from tests.benchmarks.gpu.rows import Bench, rate
from tests.benchmarks.gpu.weights import weights_of
from tests.decoders import batch_of

DECODED = replace(LITE0, decode=GPU)


def gpu_pieces(bench: Bench) -> None:
    """Decoding and resizing alone, of files that are in memory."""
    decoder = nvjpeg.find_decoder(bench.device)
    for name, folder in (("4:2:0", "photos"), ("4:4:4", "photos-444")):
        names = _some(bench.folder / folder, 256)
        contents = [nvjpeg.as_tensor(Path(name).read_bytes()) for name in names]
        for size, before in ((64, 15_333), (256, 16_596)):
            value = rate(lambda: _decode(decoder, contents, size), 1.0)  # noqa: B023  used here
            bench.add(f"decode_jpeg(list), {name}, {size} at once", value, before=before)
        images = decoder(contents)
        value = rate(lambda: _resize(images, bench), 1.0)  # noqa: B023
        bench.add(f"resize and crop on the GPU, {name}", value, before=10_154, aim=20_000)
        batch, _ = batch_of(names, DECODED)
        with contextlib.closing(BatchDecoder(decoder, DECODED, DEFAULT_MAX_PIXELS)) as batches:
            value = _started(lambda _: _begun(batches, batch), names, UNDER_WAY)  # noqa: B023
        bench.add(f"decode, resize and crop, {name}", value, aim=12_000)


def _begun(batches: BatchDecoder, batch: Batch) -> Callable[[], None]:
    """Begin on a batch; return what waits until it is resized."""
    begun = batches.begin(lambda: batch)
    return lambda: wait_for(begun().ready)


def _decode(decoder: Decoder, contents: list[torch.Tensor], size: int) -> int:
    for part in range(0, len(contents), size):
        decoder(contents[part : part + size])
    _settle(decoder.device.type)
    return len(contents)


def _resize(images: list[torch.Tensor], bench: Bench) -> int:
    resize_and_crop_all(images, LITE0, torch.device(bench.device))
    _settle(bench.device)
    return len(images)


def pixels_apart(bench: Bench) -> None:
    """Pixels of the GPU's decoder beside those of the processor's, before the network."""
    for name, folder in (("4:2:0", "photos"), ("4:4:4", "photos-444")):
        paths = _some(bench.folder / folder, 128)
        batch, _ = batch_of(paths, DECODED)
        decoder = nvjpeg.find_decoder(bench.device)
        with contextlib.closing(BatchDecoder(decoder, DECODED, DEFAULT_MAX_PIXELS)) as batches:
            decoded = batches.begin(lambda: batch)()  # noqa: B023  used here
            wait_for(decoded.ready)
        exact = torch.stack([read_image(path, LITE0).pixels for path in paths])
        apart = (decoded.pixels.cpu().int() - exact.int()).abs()
        share = torch.count_nonzero(apart).item() / apart.numel()
        bench.add(f"pixels, {name}: values that differ", share, "share", before=0.077)
        mean = apart.float().mean().item()
        bench.add(f"pixels, {name}: mean difference", mean, "levels", before=0.18)
        bench.add(f"pixels, {name}: largest difference", apart.max().item(), "levels")
    # Of one decoded image, resizing on the two devices must agree.
    image = torch.randint(0, 256, (3, 380, 450), dtype=torch.uint8)
    here = resize_and_crop(image, LITE0)
    device = torch.device(bench.device)
    there = resize_and_crop_all([image.to(device)], LITE0, device)[0].cpu()
    share = torch.count_nonzero(here != there).item() / here.numel()
    bench.add("resizing on the GPU: values that differ", share, "share", aim=0.005, most=True)


def forward(bench: Bench) -> None:
    """The network alone: batches from main memory, beside batches that are on the GPU already."""
    for backbone, precision, size, before in (
        ("efficientnet_lite0", "bfloat16", 256, 17_385),
        ("efficientnet_lite0", "bfloat16", 1024, 19_302),
        ("efficientnet_lite0", "float32", 256, None),
        ("resnet50", "bfloat16", 256, 10_320),
        ("resnet50", "bfloat16", 1024, 11_491),
    ):
        size = size if bench.device == "cuda" else 8
        weights = weights_of(bench.folder, backbone)
        spec = FeatureSpec(backbone, "random" if weights else "", precision)
        network = load_network(spec, weights, device=bench.device, runtime="torch", batch_size=size)
        pixels = torch.randint(0, 256, (size, 3, 224, 224), dtype=torch.uint8)
        pixels = pixels.to(memory_format=torch.channels_last)
        resident = pixels.to(bench.device)
        name = f"forward, {backbone}, {precision}, batches of {size}"
        most = _started(network.start, resident, UNDER_WAY)
        bench.add(f"{name}, resident", most, before=24_428 if before == 17_385 else None)
        with pinned(pixels, resident.device):  # as the slab of a crew is
            found = _started(network.start, pixels, UNDER_WAY)
        bench.add(f"{name}, from main memory", found, before=before, aim=0.9 * most)


def batch_size(bench: Bench) -> None:
    """The batch size that is chosen by free memory."""
    weights = weights_of(bench.folder, "efficientnet_lite0")
    spec = FeatureSpec("efficientnet_lite0", "random" if weights else "", "bfloat16")
    network = load_network(spec, weights, device=bench.device, runtime="torch")
    bench.add("batch size that is chosen", network.batch_size, "images")


def _started(
    start: Callable[[Any], Callable[[], object]], batch: Any, under_way: int, seconds: float = 0.8
) -> float:
    """Start on a batch again and again, on several at once; return images a second."""
    start(batch)()
    begun_on: deque[Callable[[], object]] = deque()
    count, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds or begun_on:
        if time.perf_counter() - begun < seconds:
            begun_on.append(start(batch))
        if len(begun_on) > under_way or time.perf_counter() - begun >= seconds:
            begun_on.popleft()()
            count += len(batch)
    return count / (time.perf_counter() - begun)


def _some(root: Path, count: int) -> list[str]:
    return sorted(map(str, root.rglob("*.jpg")))[:count]


def _settle(device: str) -> None:
    """Wait until the GPU is done."""
    if device == "cuda":
        torch.cuda.synchronize()
