"""Datasets and runners that tests share."""

from __future__ import annotations

import functools
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tqdm.auto  # noqa: F401 - it reads TQDM_DISABLE when it is loaded
from PIL import Image

import moderate_cli
from moderate_cli.cli import _run

pytest_plugins = ["programs"]

# Levels of gray of each image: with the backbone `pixels` the features of an image of level v are
# all v / 255, so that distances can be worked out by hand.
LEVELS = {"cat": (0, 51, 102, 153, 255), "dog": (0, 255), "owl": (51,)}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that says how often each fault is tried."""
    parser.addoption("--faults", type=int, default=2, help="trials of each fault in test_faults")


@pytest.fixture(autouse=True, scope="session")
def _no_progress() -> Iterator[None]:
    """Keep the lines of a log out of what processes write, however busy the machine is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TQDM_DISABLE", "1")
        yield


@pytest.fixture(autouse=True, scope="session")
def _own_caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep converted networks in a folder of the tests, which share them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("caches")))
        yield


class Outcome(NamedTuple):
    """Exit status and output of a command."""

    status: int
    stdout: str
    stderr: str


def pytest_configure() -> None:
    """Listen to Ctrl-C, as what a test starts does then; a job in the background ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def paint(path: Path, level: int) -> None:
    """Write a small image of one gray level."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(painted(path.suffix, level))


def draw(path: Path, label: int, image: int) -> None:
    """Write an image with a bright column at the place of its class, which a linear probe sees."""
    picture = Image.new("RGB", (8, 8))
    picture.paste((200 + image % 5,) * 3, (label, 0, label + 1, 8))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


@pytest.fixture
def pictures(tmp_path):
    """Four classes of five pictures."""
    root = tmp_path / "data" / "train"
    for label, name in enumerate("abcd"):
        for image in range(5):
            draw(root / name / f"{image}.png", label, image)
    return root


@functools.cache
def painted(suffix: str, level: int) -> bytes:
    """Encode it, once of each kind."""
    file = io.BytesIO()
    Image.new("RGB", (9, 9), (level,) * 3).save(file, Image.registered_extensions()[suffix.lower()])
    return file.getvalue()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A dataset of `LEVELS`, in data/train, with names that sort by level."""
    root = tmp_path / "data" / "train"
    for name, levels in LEVELS.items():
        for number, level in enumerate(levels):
            paint(root / name / f"{number}.png", level)
    return root


@pytest.fixture
def odd(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same dataset after years on other people's computers; pillow-heif is not installed."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    # Left behind by macOS, Jupyter, Git, Synology and Windows.
    apple_double = b"\0\5\x16\7\0\2\0\0Mac OS X        "
    for folder in ("cat", "__MACOSX/cat"):
        for number in range(5):
            write(data / folder / f"._{number}.png", apple_double)
    paint(data / ".ipynb_checkpoints" / "0-checkpoint.png", 0)
    paint(data / "dog" / ".ipynb_checkpoints" / "0-checkpoint.png", 0)
    paint(data / "owl" / "@eaDir" / "0.png" / "SYNOPHOTO_THUMB_M.png", 51)
    for name in (".git/HEAD", ".DS_Store", "cat/.DS_Store", "dog/Thumbs.db", "owl/desktop.ini"):
        write(data / name, b"")
    # Names that are not read, or not by ImageFolder.
    for name in ("owl/IMG_1.HEIC", "owl/IMG_2.heic", "owl/3.jxl", "owl/film.mp4"):
        write(data / name, b"")
    paint(data / "owl" / "1.gif", 51)
    bare = (data / "owl" / "0.png").read_bytes()
    write(data / "owl" / "2e1b0c", bare)
    write(data / "stray.png", bare)
    # Two names for one folder, loops of links, and names that another disk would merge.
    (data / "puppy").symlink_to("dog")
    (data / "cat" / "loop").symlink_to(".")
    (data / "cat" / "up").symlink_to("..")
    (data / "again").symlink_to(".")
    paint(data / "Dog" / "0.png", 0)
    paint(data / "Dog" / "0.PNG", 0)
    # Of the same levels, but by transparency, and in 16 bits.
    Image.new("RGBA", (9, 9), (0, 0, 0, 255 - 153)).save(data / "cat" / "3.png")
    Image.fromarray(np.full((9, 9), 257 * 102, dtype=np.uint16)).save(data / "cat" / "2.png")
    # Nothing odd.
    for name in ("README.md", "labels.csv", "owl/0.json", "empty/notes.txt"):
        write(data / name, b"")
    return data


def write(path: Path, content: bytes) -> None:
    """Write a file, and the folders that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def embedded(data: Path) -> Path:
    """The same dataset, with its features in place."""
    moderate_cli.embed(moderate_cli.scan(data), backbone="pixels", dtype="float32", runtime="torch")
    return data


@pytest.fixture
def moderate(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Run a command in this process, on the backbone `pixels`."""
    monkeypatch.setenv("MODERATE_BACKBONE", "pixels")
    monkeypatch.setenv("MODERATE_DTYPE", "float32")
    monkeypatch.setenv("MODERATE_RUNTIME", "torch")
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr("moderate_cli.cli.progress.FIRST_LINE", 3600.0)  # on a busy machine, too

    def run(*args: str | os.PathLike[str]) -> Outcome:
        streams = [
            io.TextIOWrapper(io.BytesIO(), errors="surrogateescape", newline="") for _ in "oe"
        ]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            status = _run([os.fspath(arg) for arg in args])
        for stream in streams:
            stream.seek(0)
        return Outcome(status, streams[0].read(), streams[1].read())

    return run


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[object, str], list[tuple[Any, ...]]]:
    """Note the calls of a function, which works as before: (module, name) -> arguments of each."""

    def count(module: object, name: str) -> list[tuple[Any, ...]]:
        function, calls = getattr(module, name), []

        def spy(*args: Any, **options: Any) -> Any:
            calls.append(args)
            return function(*args, **options)

        monkeypatch.setattr(module, name, spy)
        return calls

    return count


@pytest.fixture
def shell(tmp_path: Path) -> Callable[[str], Outcome]:
    """Run a line of bash in `tmp_path`, with `moderate` on the PATH and the backbone `pixels`."""
    environment = os.environ | {
        "MODERATE_BACKBONE": "pixels",
        "MODERATE_DTYPE": "float32",
        "MODERATE_RUNTIME": "torch",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }

    def run(line: str) -> Outcome:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=False,
            timeout=300,
        )
        stdout, stderr = (os.fsdecode(stream) for stream in (done.stdout, done.stderr))
        return Outcome(done.returncode, stdout, stderr)

    return run


@pytest.fixture
def rng() -> np.random.Generator:
    """Return random numbers that are the same in each run."""
    return np.random.default_rng(0)
