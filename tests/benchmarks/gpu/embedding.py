"""Steps that embed photos with the product: all in one, and decoding alone."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

import moderate_cli
from moderate_cli.dataset import Dataset
from moderate_cli.embedding.engines.local import LocalEngine
from moderate_cli.images.gpu_files import read_file
from moderate_cli.images.preprocessing import read_image
from moderate_cli.images.quiet import without_warnings
from moderate_cli.networks.table import Preprocessing
from moderate_cli.threads import processors
from tests.benchmarks.gpu.rows import Bench
from tests.benchmarks.gpu.weights import weights_of
from tests.listeners import Told

LITE0 = Preprocessing(256, 224, "bicubic", (127.0,) * 3, (128.0,) * 3)
SCALES = (1, 8, 16, 32)  # workers
SHARE = 0.85  # of the rate of one worker, times the cores


class _Enough(Exception):
    """Enough images are embedded."""


def embedded_rate(bench: Bench, dataset: Dataset, seconds: float, **options: Any) -> float:
    """Embed for at most so many seconds once all workers decode; return images a second.

    The first batch is not counted.
    """
    moves: list[tuple[float, int]] = []

    def move(done: int, total: int) -> None:
        now = time.perf_counter()
        if done:
            moves.append((now, done))
            if done < total and now - moves[0][0] > seconds:
                raise _Enough

    store = bench.folder / "store"
    shutil.rmtree(store, ignore_errors=True)
    chosen = {"store": store, "device": bench.device, "runtime": "torch"} | options
    with contextlib.suppress(_Enough), _patient():
        moderate_cli.embed(dataset, **chosen, listener=Told(embed=move))
    (begun, first), (ended, last) = moves[0], moves[-1]
    return (last - first) / (ended - begun)


@contextlib.contextmanager
def _patient() -> Iterator[None]:
    """Let embedding wait until its processes can decode: before that, threads do."""
    before = LocalEngine.embed

    def embed(engine: LocalEngine, parts: Any, on_images: Any) -> Iterator[Any]:
        engine.prepare(sum(len(rows) for _, rows in parts))
        yield from before(engine, parts, on_images)

    LocalEngine.embed = embed
    try:
        yield
    finally:
        LocalEngine.embed = before


def decoding_threads(bench: Bench) -> None:
    """`read_image` alone: what threads of one process reach."""
    paths = _paths(bench.folder / "photos")
    for threads, before in ((1, 305), (16, 1222)):
        value = _read_rate(paths, threads, lambda path: read_image(path, LITE0))
        bench.add(f"read_image, {threads} threads", value, before=before)


def reading_threads(bench: Bench) -> None:
    """Reading files and their headers alone, as --decode gpu does it."""
    paths = _paths(bench.folder / "photos")
    for threads in (1, 16):
        value = _read_rate(paths, threads, lambda path: read_file(path, LITE0))
        bench.add(f"files read for --decode gpu, {threads} threads", value, aim=12_000)


def _read_rate(paths: Iterator[str], threads: int, read: Any, seconds: float = 1.2) -> float:
    """Read images in tasks of 32, as the product does."""
    end = time.perf_counter() + seconds

    def task(_: int) -> int:
        count = 0
        while time.perf_counter() < end:
            for path in itertools.islice(paths, 32):
                read(path)
                count += 1
        return count

    with without_warnings(), ThreadPoolExecutor(threads) as pool:
        begun = time.perf_counter()
        count = sum(pool.map(task, range(threads)))
        return count / (time.perf_counter() - begun)


def _paths(root: Path) -> Iterator[str]:
    """All paths, again and again; several threads may take them."""
    return itertools.cycle(sorted(map(str, root.rglob("*.jpg"))))


def pixels_scaling(bench: Bench) -> None:
    """Decoding and resizing without a network, by the number of workers."""
    dataset, one, cores = moderate_cli.scan(bench.folder / "photos"), 0.0, processors()
    for workers in SCALES:
        value = embedded_rate(bench, dataset, 2.0, backbone="pixels", workers=workers)
        one = one or value
        aim = None if workers == 1 else SHARE * one * min(workers, cores)
        before = 656 if workers == 16 else None
        bench.add(f"embed, pixels, -j {workers}", value, before=before, aim=aim)


def exact_decoding(bench: Bench) -> None:
    """The default backbone and ResNet-50, of pixels that the processors decode."""
    dataset = moderate_cli.scan(bench.folder / "photos")
    for backbone, precision, before in (
        ("efficientnet_lite0", "float32", 525),
        ("efficientnet_lite0", "bfloat16", 546),
        ("resnet50", "bfloat16", 611),
    ):
        value = embedded_rate(
            bench, dataset, 2.5, backbone=backbone, precision=precision,
            weights=weights_of(bench.folder, backbone),
        )  # fmt: skip
        bench.add(f"embed, {backbone}, {precision}", value, before=before, aim=4150)


def small_pngs(bench: Bench) -> None:
    """Many PNGs of 32 x 32."""
    dataset = moderate_cli.scan(bench.folder / "small")
    value = embedded_rate(
        bench, dataset, 8.0, backbone="efficientnet_lite0", precision="bfloat16",
        weights=weights_of(bench.folder, "efficientnet_lite0"),
    )  # fmt: skip
    bench.add(f"embed, {len(dataset):,} PNGs of 32 x 32, bfloat16", value, before=555, aim=5000)


def gpu_decoded(bench: Bench) -> None:
    """--decode gpu, twice over the photos: once in both samplings of colors."""
    for name, folder in (("4:2:0", "photos"), ("4:4:4", "photos-444")):
        dataset = moderate_cli.scan(bench.folder / folder)
        for precision in ("bfloat16", "float32") if name == "4:2:0" else ("bfloat16",):
            value = embedded_rate(
                bench, dataset, 8.0, backbone="efficientnet_lite0", precision=precision,
                decode="gpu", weights=weights_of(bench.folder, "efficientnet_lite0"),
            )  # fmt: skip
            bench.add(f"embed --decode gpu, {name}, {precision}", value, aim=10_000)


def bookkeeping(bench: Bench) -> None:
    """What this process adds to each image: with workers and a network that do nothing."""
    from tests.benchmarks.crew import MANY, RATE
    from tests.benchmarks.crew import bookkeeping as compared

    (comparison,) = compared(bench.folder / "bookkeeping")
    value = MANY / comparison.ours()
    bench.add("bookkeeping, decoding and network stubbed, one core", value, before=8700, aim=RATE)


def start(bench: Bench) -> None:
    """The whole command for a few photos, beside `import torch`."""
    root = bench.folder / "few"
    for path in itertools.islice(_paths(bench.folder / "photos"), 32):
        (root / "class").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / "class")
    weights = weights_of(bench.folder, "efficientnet_lite0")
    chosen = ["--weights", weights] if weights else []
    command = ["-m", "moderate_cli", "embed", root, "--device", bench.device, *chosen]
    taken = []
    for work in (["-c", "import torch"], [*command, "--runtime", "torch"]):
        seconds = []
        for _ in range(2):
            shutil.rmtree(f"{root}.moderate", ignore_errors=True)
            begun = time.perf_counter()
            subprocess.run([sys.executable, *work], check=True, capture_output=True)
            seconds.append(time.perf_counter() - begun)
        taken.append(min(seconds))
    bench.add("import torch", taken[0], "s")
    bench.add("moderate embed of 32 photos, default backbone", taken[1], "s", before=12.4)
    bench.add("the same, in times of import torch", taken[1] / taken[0], "", aim=1.5, most=True)


def agreement(bench: Bench) -> None:
    """Features of the GPU beside those of the processor, and what each keeps."""
    whole = moderate_cli.scan(bench.folder / "photos")
    dataset = whole.part(np.arange(min(len(whole), bench.images // 16)))
    weights = weights_of(bench.folder, "efficientnet_lite0")
    common = {"backbone": "efficientnet_lite0", "weights": weights, "dtype": "float32"}

    def features(**options: Any) -> np.ndarray:
        store = bench.folder / f"agreement-{'-'.join(options.values())}"
        found = moderate_cli.embed(dataset, **common, **options, runtime="torch", store=store)
        return np.asarray(found.features)

    torch.set_num_threads(processors())
    exact = features(device="cpu")
    kept = _kept(exact, dataset.labels)
    for decode, precision, aim in (
        ("full", "float32", 0.99), ("full", "bfloat16", None),
        ("gpu", "float32", None), ("gpu", "bfloat16", None),
    ):  # fmt: skip
        found = features(device=bench.device, decode=decode, precision=precision)
        apart = np.linalg.norm(found - exact, axis=1) / np.linalg.norm(exact, axis=1)
        name = f"features, --decode {decode}, {precision}, beside the processor's float32"
        error_aim = 0.005 if decode == "full" and precision == "float32" else None
        bench.add(f"{name}: median error", float(np.median(apart)), "relative")
        bench.add(
            f"{name}: largest error", float(apart.max()), "relative", aim=error_aim, most=True
        )
        overlap = np.count_nonzero(kept & _kept(found, dataset.labels)) / np.count_nonzero(kept)
        bench.add(f"{name}: same kept at 0.3", overlap, "share", aim=aim)


def _kept(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    scores = moderate_cli.Scores(moderate_cli.score_features(features, labels), labels)
    return moderate_cli.select_scores(scores, ratio=0.3)
