"""Levels of many bits -> 8 bits, scaled between a black and a white level."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import blocks

Span = tuple[float, float]

SIXTEEN_BITS = 65_535
DIM = 1 / 16  # of full scale; a picture below it has fewer bits than its format
PART = 1 << 20  # numbers that are scaled together


def span_of(values: npt.NDArray[Any], scale: Span | None, *, firm: bool = False) -> Span:
    """Return the levels of black and white: the scale, or the picture's own range."""
    if scale is not None and firm:
        return scale
    ends = [_ends(part) for part in _parts(values)]
    lowest, highest = min(end[0] for end in ends), max(end[1] for end in ends)
    black, white = scale or (0, 255)
    fits = black <= lowest <= highest <= white
    dim = scale is None or highest - black <= DIM * (white - black)
    if lowest < highest and (dim or not fits):
        return (lowest, highest)
    return (black, white) if fits else (0, 255)


def spread(values: npt.NDArray[Any], span: Span) -> npt.NDArray[np.uint8]:
    """Scale levels between black and white to 0 to 255."""
    black, white = span
    levels = np.empty(values.shape, dtype=np.uint8)
    for part, found in zip(_parts(values), _parts(levels), strict=True):
        exact = np.nan_to_num((part.astype(np.float64) - black) * 255 / (white - black), nan=0)
        found[:] = np.floor(exact.clip(0, 255) + 0.5)
    return levels


def _ends(part: npt.NDArray[Any]) -> Span:
    counted = part[np.isfinite(part)] if part.dtype.kind == "f" else part
    return (float(counted.min()), float(counted.max())) if counted.size else (math.inf, -math.inf)


def _parts(values: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Yield a few rows at a time, to save memory: each becomes float64."""
    step = max(1, PART // max(1, values[0].size))
    return (values[part] for part in blocks(len(values), step))
