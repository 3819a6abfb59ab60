"""Damaged files: mutations of what `moderate` reads, each refused in a line or without effect."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import warnings
from collections.abc import Iterator

import numpy as np
from PIL import Image

from moderate_cli.cli import _run
from moderate_cli.images.decoding import decode
from moderate_cli.images.opening import UnreadableImage

from .scenarios import SET, Bench, Outcome

KINDS = {
    "manifest.json": "a store's manifest",
    "paths.txt": "a store's list of paths",
    "unreadable.txt": "a store's list of unreadable images",
    "labels.npy": "a store's labels",
    "stats.npy": "a store's file stats",
}


def damaged(bench: Bench, times: int, rng: np.random.Generator) -> list[Outcome]:
    """Bytes changed, cut, added or swapped, at random."""
    trial = bench.trial()
    data = trial / "data"
    for row, path in enumerate(sorted(bench.data.rglob("*.png"))[:30]):
        (data / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, data / path.parent.name / f"{row}.png")
    (data / "class0" / "bad.png").write_bytes(b"bad")
    arrays = {"f.npy": rng.random((30, 4), np.float32), "y.npy": np.arange(30) % 3}
    for name, array in arrays.items():
        np.save(trial / name, array)
    (trial / "o.toml").write_text('ratio = [0.3]\nscope = "class"\nquantile = 0.25\n')
    own = ["--features", f"{trial}/f.npy", "--labels", f"{trial}/y.npy"]
    selected = ["select", "-r", "0.3", "--on-error", "skip", str(data)]
    store = data.with_name("data.moderate") / SET
    jobs = [
        *((store / name, what, selected) for name, what in KINDS.items()),
        (trial / "f.npy", "a user's features.npy", ["score", *own]),
        (trial / "y.npy", "a user's labels.npy", ["score", *own]),
        (trial / "o.toml", "a TOML file", ["select", "--config", f"{trial}/o.toml", *own]),
    ]
    outcomes = []
    with _environment():
        for path, what, args in jobs:
            expected = _outcome(args)
            assert expected[0] == 0, expected
            content, refused = path.read_bytes(), 0
            for _ in range(times):
                path.write_bytes(_mutated(content, rng))
                status, stdout, stderr = _outcome(args)
                refused += status != 0
                lines = stderr.splitlines()
                assert all(line.startswith("moderate: ") for line in lines), stderr
                errors = [line for line in lines if "all images are in one class" not in line]
                if status:
                    assert (stdout, len(errors)) == ("", 1), stderr
                elif path.parent == store:
                    assert stdout == expected[1]
                if path.parent == store and not path.exists():
                    shutil.rmtree(store)
                path.write_bytes(content)
            lost = f"nothing; {refused} refused in a line"
            outcomes.append(Outcome(f"random damage to {what}", times, lost))
    return outcomes


def damaged_images(_bench: Bench, times: int, rng: np.random.Generator) -> list[Outcome]:
    """Image files: each decodes as PIL alone decodes it, or is refused where PIL refuses it."""
    coarse = Image.fromarray(rng.integers(0, 256, (12, 17, 3), dtype=np.uint8))
    photo = coarse.resize((61, 47), Image.Resampling.BICUBIC)
    files = [
        _encoded(photo.convert(mode), kind, **options)
        for mode, kind, options in (
            ("RGB", "JPEG", {}), ("RGB", "JPEG", {"progressive": True}), ("L", "JPEG", {}),
            ("CMYK", "JPEG", {}), ("RGB", "PNG", {}), ("P", "PNG", {"transparency": 3}),
            ("P", "GIF", {}), ("RGB", "WEBP", {}), ("RGB", "TIFF", {"compression": "tiff_lzw"}),
            ("RGB", "TIFF", {"compression": "jpeg"}), ("RGB", "BMP", {}), ("RGB", "PPM", {}),
        )
    ]  # fmt: skip
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(times):
            content = _mutated(files[number % len(files)], rng)
            try:
                expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
            except Exception:  # whatever PIL's readers run into
                expected = None
            try:
                found = decode(content).whole.permute(1, 2, 0).numpy()
            except UnreadableImage:
                found = None
                refused += 1
            assert (found is None) == (expected is None)
            assert found is None or np.array_equal(found, expected)
    return [Outcome("random damage to image files", times, f"nothing; {refused} refused in a line")]


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _mutated(content: bytes, rng: np.random.Generator) -> bytes:
    mutated = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(0, max(1, len(mutated))))
        match int(rng.integers(0, 5)):
            case 0 if mutated:
                mutated[at : at + 1] = bytes([int(rng.integers(0, 256))])
            case 1 if mutated:
                mutated[at] ^= 1 << int(rng.integers(0, 8))
            case 2:
                del mutated[at : at + int(rng.integers(1, 9))]
            case 3:
                mutated[at:at] = rng.bytes(int(rng.integers(1, 9)))
            case _:
                del mutated[at:]
    return bytes(mutated)


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    names = {
        "MODERATE_BACKBONE": "pixels",
        "MODERATE_DTYPE": "float32",
        "MODERATE_RUNTIME": "torch",
    }
    before = dict(os.environ)
    os.environ |= names
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before


def _outcome(args: list[str]) -> tuple[int, str, str]:
    """Run a command in this process: an exception that it does not catch ends the trial."""
    streams = [io.TextIOWrapper(io.BytesIO(), errors="surrogateescape") for _ in range(2)]
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        status = _run(args)
    for stream in streams:
        stream.seek(0)
    return status, streams[0].read(), streams[1].read()
