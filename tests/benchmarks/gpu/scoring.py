"""Steps that score and select, by processors and on the GPU, in the benchmark's own process.

Here torch is loaded and the GPU is in use, as it is after the features were computed.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import moderate_cli
from moderate_cli import gpu
from moderate_cli.arrays import blocks
from moderate_cli.choosing import Chooser
from moderate_cli.inputs import Source
from moderate_cli.label_errors import find_suspects
from moderate_cli.results import LabeledFeatures
from moderate_cli.selection import STRATEGIES, Choice
from moderate_cli.selection.duplicates import find_duplicates
from moderate_cli.threads import in_threads, processors
from tests.benchmarks.gpu.rows import Bench

DIMENSIONS = 1280
CLASSES = 100
THREADS = (1, 4, 16)
GROWTH = 1.1  # the most by which more threads may be slower
IMAGENET, ROOM = 1_281_167, 17.0  # seconds for all of it
DRAWN = 10_000  # rows that are drawn; others are the same ones, around other centers
BY_THREADS = {"matching": 3, "center": 3, "el2n": 1, "suspects": 1}  # and how often


class Drawn(NamedTuple):
    """Features of clusters, float16 (n, d), and labels of which a tenth are wrong."""

    features: np.ndarray
    labels: np.ndarray


def scores_by_threads(bench: Bench) -> None:
    """Selections, scores and suspects, on 1 to 16 processors."""
    for name, runs in BY_THREADS.items():
        images = bench.images // (2 if name in STRATEGIES else 4)
        work, least = _work(name, _draw(images, CLASSES)), np.inf
        for count in sorted({min(one, processors()) for one in THREADS}):
            with _on(count), _placed(on_gpu=False):
                seconds = min(_timed(work)[0] for _ in range(runs))
            aim = None if count == 1 else GROWTH * least
            least = min(least, seconds)
            row = f"{name}, {images:,} x {DIMENSIONS}, {count} processors"
            bench.add(row, seconds, "s", aim=aim, most=True)


def scores_on_gpu(bench: Bench) -> None:
    """Criteria, suspects and duplicates on the GPU, beside the same on all processors."""
    few, many = bench.images // 4, bench.images
    for name, images in (
        ("suspects", few), ("el2n", few), ("neighbors", many), ("duplicates", many),
        ("suspects", 3 * many),
    ):  # fmt: skip
        work = _work(name, _draw(images, CLASSES))
        with _placed(on_gpu=True):
            there, found = min((_timed(work) for _ in range(2)), key=lambda one: one[0])
        bench.add(f"{name}, {images:,} x {DIMENSIONS}, on the GPU", there, "s", most=True)
        with _placed(on_gpu=False):
            here, expected = _timed(work)
        bench.add(f"{name}, {images:,} x {DIMENSIONS}, on the processors", here, "s")
        apart = float(np.nanmax(np.abs(expected - found)))
        bench.add(f"{name}, {images:,}: largest difference", apart, "", aim=1e-3, most=True)


def many_on_gpu(bench: Bench) -> None:
    """Suspects of an eighth of ImageNet, and of all of it if there is time."""
    bench.tell(goes_to_gpu={f"{n:,} x {c:,}": _goes_to_gpu(n, c) for n, c in _SIZES})
    begun, images, classes = time.perf_counter(), 10 * bench.images, 10 * CLASSES
    where = "on the GPU" if bench.device == "cuda" else "on the processors"
    with _placed(on_gpu=True):
        _timed(_work("suspects", _draw(images // 16, classes)))  # loads the functions of the GPU
        taken, seconds = time.perf_counter() - begun, 0.0
        for count in (images, IMAGENET):
            if seconds * IMAGENET / images / 2 > ROOM - taken:  # half of it does not grow
                break
            seconds, _ = _timed(_work("suspects", _draw(count, classes)))
            taken = time.perf_counter() - begun
            whole = seconds * IMAGENET / count
            name = f"suspects, {count:,} x {DIMENSIONS}, 1,000 classes, {where}"
            bench.add(name, seconds, "s")
            name = f"{name}, to the size of ImageNet"
            bench.add(name, whole, "s", before=678, aim=30, most=True)
            if bench.device != "cuda":
                break


_SIZES = ((4_000, 100), (50_000, 100), (IMAGENET, 1000))


def _goes_to_gpu(images: int, classes: int) -> bool:
    """Whether the product computes suspects of so many images there, once torch is loaded."""
    return gpu.place_for(2 * images * DIMENSIONS * (2 * DIMENSIONS + classes)).on_gpu


def _draw(images: int, classes: int) -> Drawn:
    """Draw features in blocks, in threads."""
    rng = np.random.default_rng(0)
    some = rng.standard_normal((min(images, DRAWN), DIMENSIONS), dtype=np.float32)
    centers = 0.3 * rng.standard_normal((classes, DIMENSIONS), dtype=np.float32)
    true = rng.integers(0, classes, images)
    features = np.empty((images, DIMENSIONS), np.float16)

    def fill(part: slice) -> None:
        own = np.roll(some, part.start // len(some), axis=1)[: part.stop - part.start]
        own += centers[true[part]]
        features[part] = own

    deque(in_threads(fill, blocks(images, len(some))), maxlen=0)
    wrong = rng.random(images) < 0.1
    return Drawn(features, np.where(wrong, rng.integers(0, classes, images), true))


def _work(name: str, data: Drawn) -> Callable[[], np.ndarray]:
    """Return the work of a strategy, a criterion, or that of suspects or duplicates."""
    features, labels = data
    if name == "suspects":
        return lambda: find_suspects(features, labels).probability
    if name == "duplicates":
        rows = np.arange(len(labels))
        return lambda: 1.0 * np.isin(rows, find_duplicates(features, rows, 0.95).rows)
    if name in STRATEGIES:
        source = LabeledFeatures(features, labels, np.ones(len(labels), dtype=bool))
        choice = Choice(ratio="0.1", strategy=name)
        return lambda: np.asarray(Chooser(Source((source,))).choose(choice).rows)
    return lambda: moderate_cli.score_features(features, labels, criterion=name)


def _timed(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    begun = time.perf_counter()
    found = work()
    return time.perf_counter() - begun, found


@contextlib.contextmanager
def _placed(*, on_gpu: bool) -> Iterator[None]:
    """Compute everything on the GPU, if there is one, or nothing."""
    before, gpu.WORTH_LOADED = gpu.WORTH_LOADED, 0.0 if on_gpu else np.inf
    try:
        yield
    finally:
        gpu.WORTH_LOADED = before


@contextlib.contextmanager
def _on(count: int) -> Iterator[Any]:
    """Use so many processors, in this thread and in those that it starts."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
