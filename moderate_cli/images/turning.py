"""Pixels of an image -> the same, turned as its EXIF orientation says, on any device."""

from __future__ import annotations

import torch

# Tag -> dimensions to reverse, once those of a tag from 5 on have changed places; as
# `moderate_cli.images.orientation.TURNS`.
REVERSED = {2: (2,), 3: (1, 2), 4: (1,), 5: (), 6: (2,), 7: (1, 2), 8: (1,)}


def turned(pixels: torch.Tensor, tag: int) -> torch.Tensor:
    """Turn pixels (3, height, width) of an image with this tag, so that it is upright.

    >>> turned(torch.tensor([[[1, 2]]]), 6).tolist()
    [[[1], [2]]]
    """
    if tag not in REVERSED:
        return pixels
    if tag >= 5:
        pixels = pixels.transpose(1, 2)
    return pixels.flip(REVERSED[tag]).contiguous()
