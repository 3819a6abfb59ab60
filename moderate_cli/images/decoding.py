"""Bytes of an image file -> uint8 tensor of its pixels.

Pixels are those of `moderate_cli.images.pixels`: mostly PIL's conversion to RGB, as in ImageFolder
of torchvision. Its EXIF orientation is ignored, as there, or used. JPEG, by far the most common
format, is mostly decoded without PIL: the same pixels in half the time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from PIL import Image

from moderate_cli.arrays import UPRIGHT
from moderate_cli.images.jpeg import decode_jpeg, decode_plain_jpeg
from moderate_cli.images.memory import tried_twice
from moderate_cli.images.opening import NotNow, opened
from moderate_cli.images.orientation import orientation_of
from moderate_cli.images.pixels import to_rgb
from moderate_cli.images.strips import middle
from moderate_cli.images.turning import turned
from moderate_cli.networks.devices import memory_told
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS, EXIF, IGNORE

NEEDS_MEMORY = "needs more memory than there is"
Decoded = TypeVar("Decoded")


class Pixels(NamedTuple):
    """Pixels of an image, uint8 (3, height, width), and the tag of its EXIF orientation, 1 to 8."""

    whole: torch.Tensor
    orientation: int


def decode(
    content: bytes, enough: int | None = None, max_pixels: int = DEFAULT_MAX_PIXELS
) -> Pixels:
    """Decode an image of any format that PIL reads; its orientation is ignored, but returned.

    Parameters
    ----------
    content
        The bytes of the file.
    enough
        Minimum pixels of the short side: a JPEG with at least twice as many is decoded at a
        reduced size. None decodes in full.
    max_pixels
        Maximum of width times height.

    Raises
    ------
    UnreadableImage
        With the reason, if it cannot be decoded.
    """

    def attempt(least_room: int) -> Pixels:
        with opened_pixels(content, enough, max_pixels, least_room) as pixels:
            return pixels

    return tried(attempt)


def tried(attempt: Callable[[int], Decoded]) -> Decoded:
    """Decode beside other images or, if memory is short, alone."""
    try:
        return tried_twice(attempt)
    except MemoryError:
        raise NotNow(NEEDS_MEMORY) from None


@contextlib.contextmanager
def opened_pixels(
    content: bytes,
    enough: int | None,
    max_pixels: int,
    least_room: int,
    *,
    strips_cut: bool = False,
    orientation: str = IGNORE,
) -> Iterator[Pixels]:
    """Decode an image, and reserve room for it until the block ends.

    With the orientation `EXIF` its pixels are turned, and strips are not cut.

    Raises
    ------
    UnreadableImage, MemoryError
        As of `opened`; but errors in the block are not attributed to the file.
    """
    with contextlib.ExitStack() as room:
        tag = UPRIGHT  # a plain JPEG has none
        whole = None if least_room else decode_plain_jpeg(content, enough, max_pixels)
        if whole is None:
            with opened(content, max_pixels, room=room, least_room=least_room) as image:
                cut = strips_cut and orientation != EXIF
                whole = _pixels(image, content, enough, strips_cut=cut)
                tag = orientation_of(image)
        yield Pixels(turned(whole, tag) if orientation == EXIF else whole, tag)


def _pixels(
    image: Image.Image, content: bytes, enough: int | None, *, strips_cut: bool
) -> torch.Tensor:
    size = image.size
    if enough is not None:
        image.draft(None, (enough, enough))  # only the JPEG reader supports this
    if image.size == size and image.format == "JPEG" and image.mode in ("L", "RGB"):
        pixels = decode_jpeg(content)
        if pixels is not None:
            return pixels
    return to_tensor(to_rgb(image, middle(image.size) if strips_cut else None))


def to_tensor(rgb: Image.Image) -> torch.Tensor:
    """Copy an RGB picture to uint8 (3, height, width)."""
    with memory_told():
        return torch.from_numpy(np.array(rgb)).permute(2, 0, 1)
