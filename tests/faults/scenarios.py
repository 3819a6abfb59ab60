"""What goes wrong, how often, and what must be true after it."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from moderate_cli import open_store, scan
from moderate_cli.exporting.marks import MARK, mark
from moderate_cli.store.blocks import BLOCK_ROWS

from .children import NO_FAULT, READS, Child, Fault, calls, embedded, run

IMAGES = 2600  # three blocks of rows
SET = "pixels-float32-float32"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


class Outcome(NamedTuple):
    """A row of the table: what was tried, how often, and what was lost."""

    tried: str
    times: int
    lost: str


class Bench:
    """A dataset, its complete store, and a folder for each trial."""

    def __init__(self, folder: Path, images: int = IMAGES) -> None:
        self.images = images
        self.added = 3 * images // 5  # since a set was made that is brought up to date
        self.folder = folder
        self.data = folder / "data"
        self.store = folder / "store"
        self._trials = 0
        rng = np.random.default_rng(0)
        for image in range(images):
            path = self.data / f"class{image % 4}" / f"{image}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            # Classes differ in brightness, lest labels look wrong.
            pixels = 60 * (image % 4) + rng.integers(0, 60, (5, 5, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(path)
        trial = self.trial()
        _succeed(run(trial, "score", self.data, "--store", self.store))

    def trial(self) -> Path:
        """Make an empty folder."""
        self._trials += 1
        trial = self.folder / f"trial{self._trials}"
        trial.mkdir()
        return trial


class Job(NamedTuple):
    """A command, what lies there before it, and what it makes."""

    prepare: Callable[[Bench, Path], None]
    args: tuple[str, ...]
    output: str


def _nothing(_bench: Bench, _trial: Path) -> None:
    pass


def _complete(bench: Bench, trial: Path) -> None:
    shutil.copytree(bench.store, trial / "store")
    for cache in trial.glob("store/*/scores-*"):
        cache.unlink()


def _old_file(name: str) -> Callable[[Bench, Path], None]:
    def prepare(bench: Bench, trial: Path) -> None:
        _complete(bench, trial)
        (trial / name).write_text("old\n")

    return prepare


def _old_export(bench: Bench, trial: Path) -> None:
    _complete(bench, trial)
    for name in os.listdir(bench.data):
        (trial / "out" / name).mkdir(parents=True)
        (trial / "out" / name / "old.png").write_text("old\n")
    mark(trial / "out")


def _old_set(bench: Bench, trial: Path) -> None:
    """Prepare a set that lacks images, which the command brings up to date."""
    before = trial / "before"
    shutil.copytree(bench.data, before / "data")
    for image in range(bench.added):
        (before / "data" / f"class{image % 4}" / f"{image}.png").unlink()
    _succeed(run(trial, "embed", before / "data", "--store", trial / "store"))
    shutil.rmtree(before)
    (trial / "embedded").unlink()


SELECT = ("select", "--ratio", "0.3")
JOBS = {
    "embed": Job(_nothing, ("embed",), f"store/{SET}"),
    "embed, to update a set": Job(_old_set, ("embed",), f"store/{SET}"),
    "score -o": Job(_old_file("s.csv"), ("score", "-o", "s.csv"), "s.csv"),
    "select -o": Job(_old_file("k.txt"), (*SELECT, "-o", "k.txt"), "k.txt"),
    "select --copy-to": Job(_complete, (*SELECT, "--copy-to", "out"), "out"),
    "select --copy-to --force": Job(_old_export, (*SELECT, "--copy-to", "out", "--force"), "out"),
}


def killed(bench: Bench, times: int, rng: np.random.Generator) -> Iterator[Outcome]:
    """SIGKILL, SIGTERM and SIGINT at so many random moments before the end."""
    for name in JOBS:
        yield _kill(bench, name, times, rng)


def _kill(bench: Bench, name: str, times: int, rng: np.random.Generator) -> Outcome:
    job, new, seconds = _reference(bench, name)
    repeated, hit = 0, 0
    for number in range(10 * times):
        if hit == times:
            break
        trial = bench.trial()
        job.prepare(bench, trial)
        old = contents(trial / job.output)
        child = _start(bench, trial, job)
        sent = SIGNALS[number % len(SIGNALS)]
        child.kill_after(rng.uniform(0.002, seconds), sent)
        status, lines = child.wait()
        hit += status != 0
        assert status in (0, -sent), (status, lines)
        # It says at most what it embeds, and that it is done, if the signal came after that.
        done = (
            "moderate: Embedded ",
            "moderate: Kept ",
            "moderate: hint: ",
            "moderate: embedding ",
            "moderate: interrupted",
        )
        assert status == 0 or all(line.startswith(done) for line in lines), lines
        _check_old_or_new(bench, trial / job.output, old, new)
        if sent != signal.SIGKILL:
            assert not temporaries(trial), (name, sent, temporaries(trial))
        _check_rerun(bench, trial, job, new)
        if job.args[0] == "embed":
            repeated = max(repeated, embedded(trial) - _to_embed(bench, name))
        shutil.rmtree(trial)
    lost = "nothing"
    if job.args[0] == "embed":
        assert repeated <= BLOCK_ROWS
        lost = f"nothing; at most {repeated} of {BLOCK_ROWS} images (a block) embedded twice"
    return Outcome(f"SIGKILL, SIGTERM, SIGINT during {name}", hit, lost)


def starved(bench: Bench, times: int, rng: np.random.Generator) -> Iterator[Outcome]:
    """Calls that fail for a full disk, and files that may not grow."""
    for name in JOBS:
        job, new, _ = _reference(bench, name)
        trial = bench.trial()
        job.prepare(bench, trial)
        _succeed(_start(bench, trial, job).wait())
        made, largest = calls(trial), _largest(trial)
        shutil.rmtree(trial)
        failed = 0
        for number in range(times):
            trial = bench.trial()
            job.prepare(bench, trial)
            old = contents(trial / job.output)
            if number % 2:
                fault = Fault(fails_at=int(rng.integers(1, made + 1)))
            else:
                fault = Fault(file_size=int(rng.integers(0, largest)))
            status, lines = _start(bench, trial, job, fault).wait()
            # Scores that cannot be kept for next time, for one, are no failure.
            assert status in (0, 1), lines
            assert len(lines) <= 2 if status == 1 else True, lines
            assert all(line.startswith("moderate: ") for line in lines), lines
            failed += status == 1
            _check_old_or_new(bench, trial / job.output, old, new)
            assert not temporaries(trial)
            _check_rerun(bench, trial, job, new)
            shutil.rmtree(trial)
        yield Outcome(f"disk full or file too large during {name}", failed, "nothing")


def unread(bench: Bench, times: int, rng: np.random.Generator) -> list[Outcome]:
    """Reads of images that fail once."""
    job, new, _ = _reference(bench, "embed")
    for _ in range(times):
        trial = bench.trial()
        number = int(rng.integers(5, bench.images))
        status, lines = _start(bench, trial, job, Fault(READS, number, errno.EIO)).wait()
        assert status == 1, lines
        if len(lines) == 2:  # of an image; else of the lock file or a folder
            assert lines[0].endswith(".png: Input/output error")
            assert (
                lines[1] == "moderate: error: 1 unreadable image; --on-error skip leaves it out"
            ), lines
        _check_rerun(bench, trial, job, new)
        shutil.rmtree(trial)
    return [Outcome("a read that fails once during embed", times, "nothing; it is tried again")]


def raced(bench: Bench, times: int, rng: np.random.Generator) -> list[Outcome]:
    """Two runs at once on one dataset, of which every other first one is killed."""
    job, new, seconds = _reference(bench, "embed")
    for number in range(times):
        trial, other = bench.trial(), bench.trial()
        first = _start(bench, trial, job)
        time.sleep(rng.uniform(0, seconds))
        second = Child(other, *job.args, bench.data, "--store", trial / "store")
        if number % 2:
            first.kill_after(rng.uniform(0, seconds), signal.SIGKILL)
        first.wait()
        status, lines = second.wait()
        assert status == 0, lines
        assert contents(trial / job.output) == new
        assert not temporaries(trial)
        again = BLOCK_ROWS if number % 2 else 0
        assert embedded(trial) + embedded(other) <= bench.images + again
        shutil.rmtree(trial)
        shutil.rmtree(other)
    return [Outcome("two embed at once, the first killed half the time", times, "nothing")]


def changed(bench: Bench, times: int, rng: np.random.Generator) -> list[Outcome]:
    """Files added, removed, replaced, renamed and touched, between runs and during them."""
    outcomes = []
    for during in (False, True):
        trial = bench.trial()
        data = trial / "data"
        shutil.copytree(bench.data, data)
        args = (*SELECT, data, "--store", trial / "store", "-o", "k.txt")
        _succeed(run(trial, *args))
        for _ in range(times):
            (trial / "embedded").unlink(missing_ok=True)
            new = _change(data, rng)
            child = Child(trial, *args)
            if during:
                time.sleep(rng.uniform(0, 0.3))
                new += _change(data, rng)
            status, lines = child.wait()
            if status == 0:
                kept = (trial / "k.txt").read_text().splitlines()
                assert during or len(kept) == round(0.3 * len(scan(data)) + 1e-9)
                gone = [path for path in kept if not (data / path).exists()]
                assert during or not gone, gone
            else:
                assert during, lines
            if during:
                _succeed(run(trial, *args))
            # A file that goes or changes before it is read is embedded under its next name.
            assert embedded(trial) <= new + (CHANGED if during else 0)
            _succeed(run(trial, "embed", data, "--store", trial / "fresh"))
            assert contents(trial / "store" / SET, ("scores", "coinciding")) == contents(
                trial / "fresh" / SET
            )
            shutil.rmtree(trial / "fresh")
        when = "while it is embedded" if during else "between runs"
        outcomes.append(
            Outcome(f"a dataset changes {when}", times, "nothing; only new bytes embedded")
        )
        shutil.rmtree(trial)
    return outcomes


CHANGED = 6


def _change(data: Path, rng: np.random.Generator) -> int:
    """Change some files; return how many new contents there may be."""
    files = sorted(data.rglob("*.png"))
    picked = [files[row] for row in rng.choice(len(files), CHANGED, replace=False)]
    picked[0].unlink()
    picked[1].rename(picked[1].with_name(f"renamed{rng.integers(1 << 30)}.png"))
    os.utime(picked[2])
    shutil.copy(picked[3], picked[3].with_name(f"copy{rng.integers(1 << 30)}.png"))
    fresh = [picked[4], picked[5].with_name(f"new{rng.integers(1 << 30)}.png")]
    if rng.random() < 0.3:
        (data / f"class{rng.integers(100)}").mkdir(exist_ok=True)
        fresh.append(data / sorted(os.listdir(data))[-1] / f"{rng.integers(1 << 30)}.png")
    for path in fresh:
        Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)).save(path)
    return len(fresh)


def _reference(bench: Bench, name: str) -> tuple[Job, dict[str, bytes], float]:
    """Run a job undisturbed; return it, what it makes, and its seconds."""
    job, trial = JOBS[name], bench.trial()
    job.prepare(bench, trial)
    child, start = _start(bench, trial, job), time.perf_counter()
    _succeed(child.wait())
    seconds = time.perf_counter() - start
    new = contents(trial / job.output)
    shutil.rmtree(trial)
    return job, new, seconds


def _to_embed(bench: Bench, name: str) -> int:
    return bench.added if "update" in name else bench.images


def _start(bench: Bench, trial: Path, job: Job, fault: Fault = NO_FAULT) -> Child:
    return Child(trial, *job.args, bench.data, "--store", trial / "store", fault=fault)


def _check_old_or_new(
    bench: Bench, output: Path, old: dict[str, bytes], new: dict[str, bytes]
) -> None:
    if output.name == SET:
        # A set carries sums of its files, so that it can be told whether it is whole.
        store = open_store(output)
        if store is not None:
            assert len(store.paths) == len(store.labels) == len(store.features) == len(store)
            assert store.readable.all()
            assert len(store) in (bench.images, bench.images - bench.added)
        return
    found = contents(output)
    assert found in (old, new), "neither old nor new"


def _check_rerun(bench: Bench, trial: Path, job: Job, new: dict[str, bytes]) -> None:
    args = job.args
    if "--copy-to" in args and "--force" not in args and (trial / "out").exists():
        args = (*args, "--force")  # it was complete when the signal came
    _succeed(run(trial, *args, bench.data, "--store", trial / "store"))
    assert contents(trial / job.output) == new
    left = temporaries(trial) + sorted((trial / "store").glob("*.partial"))
    assert not left, left


def _succeed(result: tuple[int, list[str]]) -> None:
    assert result[0] == 0, result


def _largest(folder: Path) -> int:
    return max(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def contents(place: Path, without: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Return name and bytes of a file, or of all files in a folder but the mark of an export.

    That tells inodes, too, which are others each time.
    """
    files = [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else [place]
    return {
        str(path.relative_to(place)): path.read_bytes()
        for path in files
        if path.exists() and not path.name.startswith((MARK, *without))
    }


def temporaries(folder: Path) -> list[Path]:
    """Return what writers leave that are killed."""
    return sorted([*folder.rglob("*.moderate-tmp"), *folder.rglob("*.moderate-old")])
