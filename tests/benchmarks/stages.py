"""What is compared: each stage yields pairs of the same work, ours and the baseline's."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from moderate_cli.store.matrix import Matrix


class Comparison(NamedTuple):
    """Two ways to do the same; each returns the seconds it took for the same amount of work.

    `peak`, where memory counts, tells the most of it that `ours` has held in any run, in MB; `cpu`,
    where other work shares the machine, the processor seconds of its last run. What takes minutes
    is run `once`.
    """

    stage: str
    against: str
    ours: Callable[[], float]
    baseline: Callable[[], float]
    aim: str
    peak: Callable[[], float] | None = None
    once: bool = False
    cpu: Callable[[], float] | None = None


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """Return what runs the work and tells its seconds."""

    def run() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return run


def processor_time(
    *command: str, before: Callable[[], object] = lambda: None
) -> Callable[[], float]:
    """Return what runs a whole process and tells the processor seconds that it takes."""
    run = process(*command, before=before)

    def spent() -> float:
        start = resource.getrusage(resource.RUSAGE_CHILDREN)
        run()
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime

    return spent


def process(*command: str, before: Callable[[], object] = lambda: None) -> Callable[[], float]:
    """Return what runs a whole process and tells its seconds."""

    # Compiled modules are kept, as they are where a package is installed.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def run() -> float:
        before()
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        return time.perf_counter() - start

    return run


MODERATE = str(Path(sys.executable).with_name("moderate"))


def start(folder: Path, _data: str | None) -> Iterator[Comparison]:
    """The command line, before it does anything, and until the features of a photo are written."""
    from PIL import Image

    click = processor_time(sys.executable, "-c", "import click")
    shown = processor_time(MODERATE, "--help")
    yield Comparison("moderate --help, processor time", "import click", shown, click, "1.6")
    (folder / "photos" / "class").mkdir(parents=True)
    small = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(small).resize((500, 375)).save(folder / "photos" / "class" / "0.jpg")
    store = folder / "store"
    torch = processor_time(sys.executable, "-c", "import torch")
    for runtime in ("torch", "openvino"):  # converted by the run that is not counted
        ours = processor_time(
            MODERATE, "embed", str(folder / "photos"), "--store", str(store), "--runtime", runtime,
            before=lambda: shutil.rmtree(store, ignore_errors=True),
        )  # fmt: skip
        stage = f"embed a photo, {runtime}, processor time"
        yield Comparison(stage, "import torch", ours, torch, "1.5")


def scan(folder: Path, _data: str | None) -> Iterator[Comparison]:
    """List 200,000 files in 200 classes."""
    from torchvision.datasets import ImageFolder

    from moderate_cli import scan as list_images

    for label in range(200):
        (folder / f"{label:03}").mkdir()
        for image in range(1000):
            (folder / f"{label:03}" / f"{image:04}.jpg").touch()
    yield Comparison(
        "scan 200,000 files",
        "ImageFolder(root)",
        timed(lambda: list_images(folder)),
        timed(lambda: ImageFolder(folder)),
        "0.6",
    )


def score(_folder: Path, _data: str | None) -> Iterator[Comparison]:
    """Distances of 50,000 x 2,048 float32 features in memory, in 100 classes."""
    from moderate_cli import score_features

    rng = np.random.default_rng(0)
    features = rng.standard_normal((50_000, 2_048), dtype=np.float32)
    labels = np.sort(rng.integers(0, 100, 50_000))

    def released() -> None:
        """Work as the authors' released code does, by its formula."""
        prototypes = np.zeros((100, 2_048))
        for label in range(100):
            prototypes[label] = np.median(features[labels == label], axis=0)
        np.linalg.norm(features - prototypes[labels], axis=1)

    for center, aim in (("mean", "1/60"), ("median", "1/12")):
        ours = timed(lambda center=center: score_features(features, labels, center=center))
        yield Comparison(f"score, {center}", "the released formula", ours, timed(released), aim)


class Measured:
    """A whole process, with its seconds and its peak memory."""

    def __init__(self, *command: str, before: Callable[[], object]) -> None:
        # Started by a small process: a child inherits the peak of the one that starts it.
        program = (
            "import os, subprocess, sys;"
            "child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL);"
            "_, status, used = os.wait4(child.pid, 0);"
            "print(used.ru_maxrss / 1024, used.ru_utime + used.ru_stime);"  # Linux counts KiB
            "sys.exit(status != 0)"
        )
        self._command = [sys.executable, "-S", "-c", program, *command]
        self._before = before
        self._peak = self._cpu = 0.0

    def __call__(self) -> float:
        """Run it once, return its seconds."""
        self._before()
        start = time.perf_counter()
        done = subprocess.run(self._command, check=True, stdout=subprocess.PIPE, text=True)
        seconds = time.perf_counter() - start
        peak, self._cpu = map(float, done.stdout.split())
        self._peak = max(self._peak, peak)
        return seconds

    def peak(self) -> float:
        """Return the most memory that was resident in any run, in MB."""
        return self._peak

    def cpu(self) -> float:
        """Return the processor seconds of the last run."""
        return self._cpu


IMAGENET = {"n": 1_281_167, "classes": 1_000}
IMAGENET_22K = {"n": 14_197_122, "classes": 21_841}


class FeaturesOnDisk:
    """1,280 float16 features of each of `n` images, on disk and not in memory."""

    def __init__(self, folder: Path, n: int, classes: int) -> None:
        d = 1_280
        rng = np.random.default_rng(0)
        some = rng.standard_normal((10_000, d), dtype=np.float32)
        centers = 0.3 * rng.standard_normal((classes, d), dtype=np.float32)
        self.features, self.labels = folder / "features.npy", folder / "labels.npy"
        labels = np.sort(rng.integers(0, classes, n))
        np.save(self.labels, labels)
        matrix = Matrix.create(self.features, (n, d), np.float16)
        for start in range(0, n, len(some)):
            rows = np.arange(start, min(start + len(some), n))
            matrix.write(rows, some[: len(rows)] + centers[labels[rows]])
        matrix.sync()
        matrix.close()

    def forget(self) -> None:
        """Drop the features from the system's cache."""
        with self.features.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def read_twice(self) -> float:
        """Read the features from disk twice, front to back; return the seconds."""
        seconds = 0.0
        block = bytearray(1 << 20)
        for _ in range(2):
            self.forget()
            start = time.perf_counter()
            with self.features.open("rb", buffering=0) as file:
                while file.readinto(block):
                    pass
            seconds += time.perf_counter() - start
        return seconds

    def moderate(self, *args: str) -> Measured:
        """Return what runs a command on the features."""
        own = ("--features", str(self.features), "--labels", str(self.labels))
        return Measured(MODERATE, *args, *own, before=self.forget)


def score_from_disk(folder: Path, _data: str | None) -> Iterator[Comparison]:
    """Distances of the features of all of ImageNet."""
    data = FeaturesOnDisk(folder, **IMAGENET)
    for center, aim in (("mean", "2, 700 MB"), ("median", "1000 MB")):
        ours = data.moderate("score", "--center", center, "-o", f"{folder}/scores.npy")
        stage = f"score, {center}, from disk"
        yield Comparison(stage, "two sequential reads", ours, data.read_twice, aim, ours.peak)


def strategies(folder: Path, _data: str | None) -> Iterator[Comparison]:
    """Keep a tenth of all of ImageNet, by each strategy, scores included; leave suspects out."""
    from moderate_cli.selection import STRATEGIES

    data = FeaturesOnDisk(folder, **IMAGENET)
    ways = [("--strategy", name) for name in STRATEGIES]
    for way in (*ways, ("--drop-suspects", "auto")):
        ours = data.moderate("select", "-r", "0.1", *way, "-o", f"{folder}/kept.npy")
        yield Comparison(
            _named(way), "two sequential reads", ours, data.read_twice,
            "2000 MB", ours.peak, once=True, cpu=ours.cpu,
        )  # fmt: skip


def _named(way: tuple[str, str]) -> str:
    return f"`{way[1]}`" if way[0] == "--strategy" else f"`moderate`, with `{' '.join(way)}`"


def full_size(folder: Path, _data: str | None) -> Iterator[Comparison]:
    """Score and select from the features of all of ImageNet-22k; wants 45 GB of disk."""
    from tests.benchmarks.full_size import comparisons

    yield from comparisons(folder)


def select(folder: Path, _data: str | None) -> Iterator[Comparison]:
    """Keep 0.3 of 1,281,167 stored scores."""
    np.save(folder / "s.npy", np.random.default_rng(0).random(1_281_167, dtype=np.float32))
    ours = processor_time(
        MODERATE, "select", "--ratio", "0.3", "--scores", f"{folder}/s.npy",
        "-o", f"{folder}/kept.txt",
    )  # fmt: skip
    baseline = processor_time(sys.executable, "-c", "import numpy")
    stage = "select of 1,281,167 scores, processor time"
    yield Comparison(stage, "import numpy", ours, baseline, "4")


def export(folder: Path, _data: str | None) -> Iterator[Comparison]:
    """Make an ImageFolder of 100,000 small files."""
    from moderate_cli import export as export_images
    from moderate_cli import scan as list_images

    source = folder / "source"
    for label in range(100):
        (source / f"{label:02}").mkdir(parents=True)
        for image in range(1000):
            (source / f"{label:02}" / f"{image:04}.jpg").write_bytes(bytes(2000))
    dataset = list_images(source)
    kept = np.ones(len(dataset), dtype=bool)

    def remove() -> None:
        shutil.rmtree(folder / "copy", ignore_errors=True)

    for link, flag, aim in (("hard", "-al", "1.15"), ("none", "-a", "1.1")):

        def ours(link: str = link) -> float:
            remove()
            return timed(lambda: export_images(dataset, kept, folder / "copy", link=link))()

        cp = process("cp", flag, str(source), str(folder / "copy"), before=remove)
        yield Comparison(f"export, link {link}, 100,000 files", f"cp {flag}", ours, cp, aim)


def embed(folder: Path, data: str | None) -> Iterator[Comparison]:
    """Features of photos, against the usual loop and against decode and forward alone."""
    from tests.benchmarks.embedding import comparisons

    yield from comparisons(folder, data)


def bookkeeping(folder: Path, _data: str | None) -> Iterator[Comparison]:
    """All that an embedding does but for decoding and the backbone."""
    from tests.benchmarks.crew import bookkeeping as comparisons

    yield from comparisons(folder)


def scaling(folder: Path, data: str | None) -> Iterator[Comparison]:
    """Reading of photos by several workers."""
    from tests.benchmarks.crew import scaling as comparisons

    yield from comparisons(folder, data)


def report(folder: Path, _data: str | None) -> Iterator[Comparison]:
    """The page of a large dataset."""
    from tests.benchmarks.report import comparisons

    yield from comparisons(folder)


def ray(folder: Path, data: str | None) -> Iterator[Comparison]:
    """Features of photos on a Ray cluster of this machine, against this process."""
    from tests.benchmarks.embedding import on_ray

    yield from on_ray(folder, data)


Stage = Callable[[Path, str | None], Iterator[Comparison]]
STAGES: dict[str, Stage] = {
    "start": start,
    "scan": scan,
    "score": score,
    "score-from-disk": score_from_disk,
    "select": select,
    "strategies": strategies,
    "full-size": full_size,
    "export": export,
    "embed": embed,
    "bookkeeping": bookkeeping,
    "scaling": scaling,
    "report": report,
    "ray": ray,
}
