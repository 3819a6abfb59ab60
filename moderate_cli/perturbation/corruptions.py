"""Corruptions: each function takes the pixels of a picture and returns ruined ones.

uint8 (height, width, 3) in and out. Strengths grow with the picture, so that large and small ones
look equally bad.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.floating[Any]]

NOISE = 0.2  # standard deviation, as a fraction of the range of pixels
COVERED = 0.5  # fraction of each side
COARSE, FEWEST = 8, 6  # pixels per block, and blocks per side at least
FOG_LEAST, FOG_MOST = 0.45, 0.85  # fraction of white
STREAK = 0.15  # length of the blur, as a fraction of the short side


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
    """Merge blocks of pixels into one color each."""
    height, width = pixels.shape[:2]
    small = tuple(min(side, max(FEWEST, side // COARSE)) for side in (width, height))
    picture = Image.fromarray(pixels).resize(small, Image.Resampling.BOX)
    return np.asarray(picture.resize((width, height), Image.Resampling.NEAREST))


def fog(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Draw an uneven white veil over the picture: noise of several scales."""
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
    """Average the picture along a straight line."""
    height, width = pixels.shape[:2]
    angle, length = rng.uniform(0, np.pi), max(3.0, STREAK * min(height, width))
    steps = max(3, round(length))
    total = np.zeros(pixels.shape, dtype=np.float32)
    # Without the repeated border, edges would get dark.
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
