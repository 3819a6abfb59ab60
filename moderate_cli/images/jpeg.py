"""Bytes of a JPEG -> uint8 tensor, by torchvision's decoder: PIL's pixels in half the time.

Only its library is loaded: importing torchvision takes as long as importing torch, because it also
loads the compiler of torch.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import warnings
from functools import cache
from typing import Any

import torch

from moderate_cli.images.jpeg_header import plain_jpeg_size
from moderate_cli.images.memory import LARGE
from moderate_cli.networks.devices import memory_told

LIBRARIES = ("image_stable", "image")  # in newer versions of torchvision, and in older ones
UNCHANGED = 0  # gray stays gray

with warnings.catch_warnings():
    # Torch warns once that bytes are not writable; the decoder only reads them.
    warnings.simplefilter("ignore")
    torch.frombuffer(b"\0", dtype=torch.uint8)


def decode_plain_jpeg(content: bytes, enough: int | None, max_pixels: int) -> torch.Tensor | None:
    """Decode a JPEG of common size and kind without PIL, whose reading of the header is slow.

    Parameters
    ----------
    content
        The bytes of a file of any format.
    enough, max_pixels
        As of `moderate_cli.images.decoding.decode`.

    Returns
    -------
    uint8 (3, height, width), or None if PIL should try it.
    """
    size = plain_jpeg_size(content)
    if size is None or size.width * size.height > min(max_pixels, LARGE):
        return None
    if enough is not None and min(size) >= 2 * enough:  # PIL decodes it at a reduced size
        return None
    return decode_jpeg(content)


def decode_jpeg(content: bytes) -> torch.Tensor | None:
    """Decode a gray or color JPEG to uint8 (3, height, width); None if PIL should try it."""
    decoder = _decoder()
    if decoder is None:
        return None
    try:
        with memory_told():
            pixels: torch.Tensor = decoder(torch.frombuffer(content, dtype=torch.uint8), UNCHANGED)
    except RuntimeError:
        return None
    return pixels.expand(3, -1, -1) if len(pixels) == 1 else pixels


@cache
def _decoder() -> Any:
    """Load the decoder, which ignores EXIF orientation; None if torchvision does not have it."""
    package = importlib.util.find_spec("torchvision")
    folders = package.submodule_search_locations if package else None
    for name in LIBRARIES if folders else ():
        library = importlib.machinery.PathFinder.find_spec(name, folders)
        if library is not None and library.origin is not None:
            try:
                torch.ops.load_library(library.origin)  # type: ignore[no-untyped-call]
                return torch.ops.image.decode_jpeg.default
            except (OSError, AttributeError):  # built without libjpeg, or for another torch
                return None
    return None
