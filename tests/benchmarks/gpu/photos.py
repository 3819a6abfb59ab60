"""Photos that nobody needs to download: random fields, in a folder for each class."""

from __future__ import annotations

import functools
import io
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from moderate_cli.threads import processors

CLASSES, DISTINCT = 20, 2000
SIZE = (450, 380)  # width and height, near the mean of ImageNet
QUALITY = 90
SAMPLINGS = {"4:4:4": 0, "4:2:0": 2}


def make_photos(folder: Path, images: int, sampling: str) -> None:
    """Write JPEGs of random fields; beyond `DISTINCT` of them, names for the same files."""
    distinct = min(images, DISTINCT)
    draw = functools.partial(_photo, subsampling=SAMPLINGS[sampling])
    with ProcessPoolExecutor(processors()) as pool:
        contents = list(pool.map(draw, range(distinct), chunksize=16))
    _write(folder, images, contents, ".jpg")


def make_small(folder: Path, images: int) -> None:
    """Write PNGs of 32 x 32 pixels."""
    _write(folder, images, [_small(seed) for seed in range(min(images, 1000))], ".png")


def _write(folder: Path, images: int, contents: list[bytes], suffix: str) -> None:
    """Write files, the first ones of which have a name more where there are too few."""
    for label in range(CLASSES):
        (folder / f"class{label:02}").mkdir(parents=True)
    names = [folder / f"class{at % CLASSES:02}" / f"{at:06}{suffix}" for at in range(images)]
    for name, content in zip(names, contents, strict=False):
        name.write_bytes(content)
    for at in range(len(contents), images):
        os.link(names[at % len(contents)], names[at])


def _photo(seed: int, subsampling: int) -> bytes:
    """Draw coarse shapes in colors of its class, finer ones, and noise of a sensor."""
    rng = np.random.default_rng(seed)
    levels = np.full((SIZE[1], SIZE[0], 3), 127.0)
    levels += np.random.default_rng(seed % CLASSES).normal(0, 30, 3)
    for cells, strength in ((4, 40), (16, 25), (64, 12)):
        coarse = rng.normal(0, strength, (cells, cells, 3)) + 128
        field = Image.fromarray(coarse.clip(0, 255).astype(np.uint8))
        levels += np.asarray(field.resize(SIZE, Image.Resampling.BICUBIC), dtype=np.float64) - 128
    levels += rng.normal(0, 5, (*levels.shape[:2], 1))
    file = io.BytesIO()
    picture = Image.fromarray(levels.clip(0, 255).astype(np.uint8))
    picture.save(file, "JPEG", quality=QUALITY, subsampling=subsampling)
    return file.getvalue()


def _small(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    file = io.BytesIO()
    coarse.resize((32, 32), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()
