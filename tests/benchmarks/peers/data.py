"""Synthetic features like those of a network, drawn from a seed: numpy alone, for any interpreter.

A class is a center with noise, a part of it along 64 directions that all classes share; negative
values become 0. The noise was chosen before any tool ran, by the share of images whose nearest
class center is their own: 0.87 (S), 0.82 (L).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

SHARED, BLOCK_ROWS = 64, 10_000
WRONG = 0.1  # share of the labels, for suspects
PLANTED, COPY_NOISE = 600, 0.15  # near duplicates, and the noise of a copy


class Size(NamedTuple):
    """Images, classes of equal size, features and noise of a dataset."""

    name: str
    images: int
    classes: int
    features: int = 640
    noise: float = 2.0


SMALL = Size("S", 20_000, 100)
LARGE = Size("L", 100_000, 1_000, noise=1.8)
ONE_CLASS = (Size("one class, 4,000", 4_000, 1), Size("one class, 20,000", 20_000, 1))


def draw(size: Size, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return features, float32 (n, d), and labels, int64 (n,), sorted."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((size.classes, size.features), dtype=np.float32) / 2
    shared = rng.standard_normal((SHARED, size.features), dtype=np.float32) / SHARED**0.5
    labels = np.repeat(np.arange(size.classes), size.images // size.classes)
    features = np.empty((len(labels), size.features), dtype=np.float32)
    for start in range(0, len(labels), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        count = len(labels[part])
        along = rng.standard_normal((count, SHARED), dtype=np.float32) @ shared
        own = rng.standard_normal((count, size.features), dtype=np.float32)
        np.maximum(centers[labels[part]] + size.noise * (along + own), 0, out=features[part])
    return features, labels


def save(folder: Path, size: Size) -> None:
    """Write features.npy and labels.npy; wrong.npy, some labels wrong; copies.npy, with copies."""
    features, labels = draw(size)
    np.save(folder / "features.npy", features)
    np.save(folder / "labels.npy", labels)
    rng = np.random.default_rng(1)
    other = (labels + rng.integers(1, max(2, size.classes), len(labels))) % size.classes
    np.save(folder / "wrong.npy", np.where(rng.random(len(labels)) < WRONG, other, labels))
    copied = features[rng.choice(len(features), PLANTED, replace=False)]
    copied = copied + COPY_NOISE * rng.standard_normal(copied.shape, dtype=np.float32)
    np.save(folder / "copies.npy", np.concatenate([features, np.maximum(copied, 0)]))
