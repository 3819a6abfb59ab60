"""What ruins a picture: each function takes pixels and returns others.

uint8 (height, width, 3) in and out. The strengths follow the size of the picture, so that a large
one looks as bad as a small one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.floating[Any]]

NOISE = 0.2  # standard deviation, of the range of pixels
COVERED = 0.5  # of each side
COARSE, FEWEST = 8, 6  # how many pixels become one, and how many are left of a side at least
FOG_LEAST, FOG_MOST = 0.45, 0.85  # share of white
STREAK = 0.15  # length of the blur, of the short side


def gaussian_noise(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Add noise to each channel of each pixel."""
    return _to_bytes(pixels + 255 * NOISE * rng.standard_normal(pixels.shape, dtype=np.float32))


def occlusion(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Cover a quarter of the picture with a black rectangle."""
    height, width = (max(1, round(COVERED * side)) for side in pixels.shape[:2])
    top, left = (
        int(rng.integers(0, side - part + 1))
        for side, part in zip(pixels.shape[:2], (height, width), strict=True)
    )
    covered = pixels.copy()
    covered[top : top + height, left : left + width] = 0
    return covered


def low_resolution(pixels: Pixels, _rng: np.random.Generator) -> Pixels:
    """Make blocks of pixels one."""
    height, width = pixels.shape[:2]
    small = tuple(min(side, max(FEWEST, side // COARSE)) for side in (width, height))
    picture = Image.fromarray(pixels).resize(small, Image.Resampling.BOX)
    return np.asarray(picture.resize((width, height), Image.Resampling.NEAREST))


def fog(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Draw a white veil over the picture, thicker in some places: noise of several sizes."""
    height, width = pixels.shape[:2]
    veil = np.zeros((height, width), dtype=np.float32)
    for octave in range(1, 5):
        grid = rng.random((2**octave, 2**octave), dtype=np.float32)
        layer = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        veil += np.asarray(layer) / 2**octave
    veil -= veil.min()
    veil = FOG_LEAST + (FOG_MOST - FOG_LEAST) * veil / max(float(veil.max()), 1e-6)
    return _to_bytes(pixels * (1 - veil[..., None]) + 255 * veil[..., None])


def motion_blur(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Average the picture over a straight movement."""
    height, width = pixels.shape[:2]
    angle, length = rng.uniform(0, np.pi), max(3.0, STREAK * min(height, width))
    steps = max(3, round(length))
    total = np.zeros(pixels.shape, dtype=np.float32)
    # The border is repeated, for what lies beyond it would darken the picture.
    margin = round(length)
    padded = np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    picture = Image.fromarray(padded)
    for offset in np.linspace(-length / 2, length / 2, steps).tolist():
        across, down = margin + offset * np.cos(angle), margin + offset * np.sin(angle)
        moved = picture.transform(
            (width, height),
            Image.Transform.AFFINE,
            (1, 0, across, 0, 1, down),
            Image.Resampling.BILINEAR,
        )
        total += np.asarray(moved)
    return _to_bytes(total / steps)


def _to_bytes(values: Doubles) -> Pixels:
    return values.round().clip(0, 255).astype(np.uint8)


CORRUPTIONS: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "gaussian-noise": gaussian_noise,
    "occlusion": occlusion,
    "low-resolution": low_resolution,
    "fog": fog,
    "motion-blur": motion_blur,
}
