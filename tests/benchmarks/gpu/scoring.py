"""Steps that score and select, by threads and on the GPU, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from moderate_cli.threads import processors
from tests.benchmarks.gpu.rows import Bench

DIMENSIONS = 1280
CLASSES = 100
THREADS = (1, 4, 16)
GROWTH = 1.1  # the most by which more threads may be slower
WORK = """
import os, sys, time
import tests.benchmarks
import numpy as np
folder, work, threads, on_gpu = sys.argv[1:]
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(threads)])
import moderate_cli
from moderate_cli import gpu
from moderate_cli.label_errors import find_suspects
from moderate_cli.choosing import Chooser
from moderate_cli.inputs import Source
from moderate_cli.results import LabeledFeatures
from moderate_cli.selection import STRATEGIES, Choice
features = np.load(folder + "/features.npy", mmap_mode="r")
labels = np.load(folder + "/labels.npy")
if on_gpu == "True":
    gpu.WORTH = 0.0
    gpu.place_for(1.0).keep(np.zeros(1))  # loads torch, which is not to be measured
begun = time.perf_counter()
if work == "suspects":
    answer = find_suspects(features, labels).probability
elif work in STRATEGIES:
    source = Source((LabeledFeatures(features, labels, np.ones(len(labels), dtype=bool)),))
    answer = Chooser(source).choose(Choice(ratio="0.1", strategy=work)).rows
else:
    answer = moderate_cli.score_features(features, labels, criterion=work)
print(time.perf_counter() - begun)
np.save(folder + "/answer.npy", np.asarray(answer))
"""


def scores_by_threads(bench: Bench) -> None:
    """Suspects and matching, on 1 to 16 processors."""
    images = bench.images // 2
    folder = _features(bench, images, CLASSES)
    for work in ("matching", "suspects"):
        least = np.inf
        for threads in sorted({min(one, processors()) for one in THREADS}):
            seconds, _ = _run(folder, work, threads)
            aim = None if threads == 1 else GROWTH * least
            least = min(least, seconds)
            name = f"{work}, {images:,} x {DIMENSIONS}, {threads} processors"
            bench.add(name, seconds, "s", aim=aim, most=True)


def scores_on_gpu(bench: Bench) -> None:
    """Criteria and suspects on the GPU, beside the same on all processors."""
    folder = _features(bench, bench.images // 4, CLASSES)
    for work in ("suspects", "el2n", "neighbors"):
        here, expected = _run(folder, work, processors())
        there, found = _run(folder, work, processors(), gpu=True)
        name = f"{work}, {bench.images // 4:,} x {DIMENSIONS}"
        bench.add(f"{name}, on the GPU", there, "s", most=True)
        bench.add(f"{name}, on the processors", here, "s")
        apart = float(np.nanmax(np.abs(expected - found)))
        bench.add(f"{work}: largest difference", apart, "", aim=1e-3, most=True)


def many_on_gpu(bench: Bench) -> None:
    """Suspects of an eighth of ImageNet, with all its classes."""
    images = 10 * bench.images
    folder = _features(bench, images, 10 * CLASSES)
    seconds, _ = _run(folder, "suspects", processors(), gpu=bench.device == "cuda")
    whole = seconds * 1_281_167 / images
    bench.add(f"suspects, {images:,} x {DIMENSIONS}, 1,000 classes, on the GPU", seconds, "s")
    bench.add("the same, to the size of ImageNet", whole, "s", before=678, aim=30, most=True)


def _features(bench: Bench, images: int, classes: int) -> Path:
    """Write features of clusters, float16, and labels of which a tenth are wrong."""
    folder = bench.folder / f"features-{images}"
    if folder.exists():
        return folder
    folder.mkdir()
    rng = np.random.default_rng(0)
    some = rng.standard_normal((min(images, 10_000), DIMENSIONS), dtype=np.float32)
    centers = 0.3 * rng.standard_normal((classes, DIMENSIONS), dtype=np.float32)
    true = rng.integers(0, classes, images)
    features = np.lib.format.open_memmap(
        folder / "features.npy", "w+", np.float16, (images, DIMENSIONS)
    )
    for start in range(0, images, len(some)):
        rows = slice(start, min(start + len(some), images))
        own = np.roll(some, start // len(some), axis=1)[: rows.stop - start]
        features[rows] = own + centers[true[rows]]
    features.flush()
    wrong = rng.random(images) < 0.1
    np.save(folder / "labels.npy", np.where(wrong, rng.integers(0, classes, images), true))
    return folder


def _run(folder: Path, work: str, threads: int, *, gpu: bool = False) -> tuple[float, np.ndarray]:
    """Run the work in a process of its own; return its seconds, without imports, and its answer."""
    hidden = {} if gpu else {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", WORK, folder, work, str(threads), str(gpu)],
        env=os.environ | hidden, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return float(done.stdout), np.load(folder / "answer.npy")
