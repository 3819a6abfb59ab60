"""Speed, memory and objective beside other tools, and beside plain loops.

python -m tests.benchmarks peers --python PEERS/bin/python

Each way runs as a process of its own, start and imports included, on one thread; the ways of a task
take turns. Modules are compiled before, as by an installation. Ours are run by this interpreter,
others by --python, so that a peer that needs other versions can have them. Seconds are those of the
processor, which other work hardly changes, and the least of the runs. A row in which we lose is
shown as such: its ratio is below 1.
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from tests.benchmarks.page import PAGE, write_option
from tests.benchmarks.peers.data import LARGE, ONE_CLASS, SMALL, Size, save
from tests.benchmarks.peers.ways import OTHERS, PICKS, THRESHOLD
from tests.marked import put_row

ROOT = Path(__file__).parents[3]
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
OURS = "moderate"
# Compiles its code again for each class, which takes seconds.
NOT_IN_MANY_CLASSES = "apricot"


class Task(NamedTuple):
    """What is done with a dataset, and by whom."""

    name: str
    size: Size
    ways: tuple[str, ...]
    ratio: float = 0.1


class Taken(NamedTuple):
    """Processor seconds and peak memory, in MB, of a process."""

    seconds: float
    megabytes: float


@click.command()
@click.argument("names", nargs=-1)
@click.option("--python", default=sys.executable, help="Interpreter that runs the peers.")
@click.option("--runs", default=3, show_default=True, help="Runs of each way.")
@write_option
def main(names: tuple[str, ...], python: str, runs: int, write: bool) -> None:
    """Run each task by us and by its peers, in turn, and print their cost and objective."""
    for package in ("moderate_cli", "tests/benchmarks/peers"):
        compileall.compile_dir(ROOT / package, quiet=1)
    print("| task | data | way | CPU s | MB | CPU s / ours | objective |")
    print("| --- | --- | --- | ---: | ---: | ---: | --- |")
    shown = None
    with tempfile.TemporaryDirectory() as folder:
        for task in _tasks():
            if names and task.name not in names:
                continue
            if task.size != shown:
                save(Path(folder), task.size)
                shown = task.size
            for row in _rows(task, Path(folder), python, runs):
                print(row, flush=True)
                if write:
                    put_row(PAGE, "peers", row, keys=3)


def _tasks() -> Iterator[Task]:
    for size in (SMALL, LARGE):
        for name, ways in PICKS.items():
            peers = (way for way in ways if way != NOT_IN_MANY_CLASSES)
            yield Task(name, size, (OURS, *peers))
        yield Task("score", size, tuple(OTHERS["score"]))
        if size == SMALL:
            for name in ("suspects", "duplicates"):
                yield Task(name, size, tuple(OTHERS[name]))
    few, many = ONE_CLASS
    yield Task("facility-location", few, (OURS, *PICKS["facility-location"]))
    for name in ("herding", "k-center"):
        yield Task(name, many, (OURS, *PICKS[name]), 0.02)


def _rows(task: Task, folder: Path, python: str, runs: int) -> Iterator[str]:
    """Run all ways of a task; yield a row for each."""
    taken: dict[str, list[Taken]] = {way: [] for way in task.ways}
    for _ in range(runs):
        for way in list(taken):
            found = _run(task, way, folder, python)
            if found is None:
                yield f"| {task.name} | {task.size.name} | {way} | not installed | | | |"
                del taken[way]
            else:
                taken[way].append(found)
    seconds = {way: min(one.seconds for one in found) for way, found in taken.items()}
    for way, found in taken.items():
        memory = max(one.megabytes for one in found)
        objective = OBJECTIVES[task.name](folder, np.load(_output(folder, way)))
        yield (
            f"| {task.name} | {task.size.name} | {way} | {seconds[way]:.2f} | {memory:.0f}"
            f" | {seconds[way] / seconds[OURS]:.2f} | {objective} |"
        )


def _run(task: Task, way: str, folder: Path, python: str) -> Taken | None:
    """Run a way once; None if its peer is not installed."""
    command = (
        sys.executable if way == OURS else python, "-m", "tests.benchmarks.peers.ways",
        task.name, way, str(folder), str(_output(folder, way)), str(task.ratio),
    )  # fmt: skip
    environment = os.environ | dict.fromkeys(THREADS, "1") | {"PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile("w+") as errors:
        # Started by a small process: a child inherits the peak of the one that starts it.
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", WATCH, *command],
            env=environment, stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
        told, _ = process.communicate()
        errors.seek(0)
        said = errors.read()
    if process.returncode:
        if "ModuleNotFoundError" in said:
            return None
        raise click.ClickException(f"{task.name} by {way} failed:\n{said}")
    return Taken(*map(float, told.split()))


WATCH = """
import os, subprocess, sys
os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])  # our own pool has a thread each
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(child.pid, 0)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)  # on Linux it is counted in KiB
sys.exit(status != 0)
"""


def _output(folder: Path, way: str) -> Path:
    return folder / f"output {way}.npy"


def _by_class(folder: Path, kept: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the features of each class, and the positions of its kept ones."""
    features = np.load(folder / "features.npy", mmap_mode="r")
    labels = np.load(folder / "labels.npy")
    for label in range(labels[-1] + 1):
        rows = np.flatnonzero(labels == label)
        points = features[rows].astype(np.float64)
        yield points, np.searchsorted(rows, kept[labels[kept] == label])


def _mean_error(folder: Path, kept: np.ndarray) -> str:
    found = [
        np.linalg.norm(points[own].mean(axis=0) - points.mean(axis=0))
        for points, own in _by_class(folder, kept)
    ]
    return f"error of the mean {np.mean(found):.4f}"


def _along_median(folder: Path, kept: np.ndarray) -> str:
    found = []
    for points, own in _by_class(folder, kept):
        unit = points / np.linalg.norm(points, axis=1, keepdims=True)
        median = unit.mean(axis=0)
        for _ in range(50):
            weight = 1 / np.linalg.norm(unit - median, axis=1)
            median = weight @ unit / weight.sum()
        found.append(unit[own].mean(axis=0) @ median / np.linalg.norm(median))
    return f"cosine to the median {np.mean(found):.4f}"


def _radius(folder: Path, kept: np.ndarray) -> str:
    found = []
    for points, own in _by_class(folder, kept):
        squares = (points**2).sum(axis=1)
        apart = squares[:, None] + squares[own] - 2 * points @ points[own].T
        found.append(np.sqrt(apart.min(axis=1).max()))
    return f"radius {np.mean(found):.3f}"


def _coverage(folder: Path, kept: np.ndarray) -> str:
    total = 0.0
    for points, own in _by_class(folder, kept):
        unit = points / np.linalg.norm(points, axis=1, keepdims=True)
        total += (1 + unit @ unit[own].T).max(axis=1).sum()
    return f"similarity {total:.3f}"


def _flags(folder: Path, flagged: np.ndarray) -> str:
    wrong = np.load(folder / "wrong.npy") != np.load(folder / "labels.npy")
    right = np.count_nonzero(flagged & wrong)
    return f"F1 {2 * right / (np.count_nonzero(flagged) + np.count_nonzero(wrong)):.3f}"


def _sum(_folder: Path, scores: np.ndarray) -> str:
    return f"sum {scores.sum():.2f}"


def _count(_folder: Path, rows: np.ndarray) -> str:
    return f"{len(rows)} at {THRESHOLD}"


OBJECTIVES: dict[str, Callable[[Path, np.ndarray], str]] = {
    "herding": _mean_error,
    "matching": _along_median,
    "k-center": _radius,
    "facility-location": _coverage,
    "score": _sum,
    "suspects": _flags,
    "duplicates": _count,
}
