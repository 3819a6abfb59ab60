"""Image file -> uint8 tensor of the size that a backbone needs.

With `decode="reduced"`, a JPEG that is far larger than the backbone's input is decoded at a half, a
quarter or an eighth of its size.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import torch
from torch.nn import functional

from moderate_cli.dataset.fingerprints import NO_DIGEST, content_digest
from moderate_cli.dataset.sources import FILES, NotAFile, Source, Stat
from moderate_cli.images.decoding import NEEDS_MEMORY, opened_pixels, tried
from moderate_cli.images.opening import NotNow, UnreadableImage
from moderate_cli.images.strips import MAX_ASPECT
from moderate_cli.networks.devices import memory_told
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS, Preprocessing

# A reduced JPEG still has this many times the side that resizing needs, so that its decoder
# averages little that resizing would keep.
REDUCING_GAP = 2


class ReadImage(NamedTuple):
    """A decoded image, and the fingerprint of its file.

    Attributes
    ----------
    pixels
        uint8 (3, crop, crop); None if it cannot be read.
    reason
        The reason why it cannot be read; else "".
    stat
        Stat of the file that was read, as in `moderate_cli.dataset.sources`; -1 if missing.
    digest
        BLAKE2b of the bytes; zeros if they cannot be read, or cannot be read now.
    decoding, transforming
        Seconds to read and decode, and to resize and crop.
    orientation
        Tag of its EXIF orientation, 1 to 8; 0 if it cannot be read.
    """

    pixels: torch.Tensor | None
    reason: str
    stat: Stat
    digest: bytes
    decoding: float
    transforming: float
    orientation: int = 0


def read_image(
    path: str,
    preprocessing: Preprocessing,
    source: Source = FILES,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> ReadImage:
    """Read, decode, resize and crop one image; never raises for a bad file.

    Parameters
    ----------
    path, source
        The image, and the source that reads it.
    preprocessing
        Preprocessing of the backbone.
    max_pixels
        Maximum of width times height.
    """
    found, digest, pixels, reason, tag = None, NO_DIGEST, None, "", 0
    start = decoded = time.perf_counter()
    enough = REDUCING_GAP * preprocessing.resize if preprocessing.decode == "reduced" else None

    def attempt(least_room: int) -> torch.Tensor:
        nonlocal decoded, tag
        with opened_pixels(
            content,
            enough,
            max_pixels,
            least_room,
            strips_cut=True,
            orientation=preprocessing.orientation,
        ) as (whole, tag):
            decoded = time.perf_counter()
            with memory_told():
                return resize_and_crop(whole, preprocessing)

    try:
        content, found = source.read(path)
        digest = content_digest(content)
        pixels = tried(attempt)
    except NotNow as error:
        digest, reason = NO_DIGEST, str(error)
    except (UnreadableImage, NotAFile) as error:
        reason = str(error)
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__  # some say nothing
    except MemoryError:  # for the bytes
        reason = NEEDS_MEMORY
    end = time.perf_counter()
    found = found or source.stat(path)
    return ReadImage(pixels, reason, found, digest, decoded - start, end - decoded, tag)


def resize_and_crop(pixels: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """Resize, then cut the central square, as torchvision's transforms do.

    Parameters
    ----------
    pixels
        uint8 (3, height, width).

    Returns
    -------
    uint8 (3, crop, crop)
    """
    height, width = pixels.shape[1:]
    longest = MAX_ASPECT * min(height, width)
    if max(height, width) > longest:
        pixels = _center(pixels, min(height, longest), min(width, longest))
        height, width = pixels.shape[1:]
    size = preprocessing.resized(height, width)
    if size != (height, width):
        # A batch of one, in the order of bytes that the image has: with the strides of `unsqueeze`
        # torch would copy the result to another order (pytorch/pytorch issue 68430).
        batch = pixels.as_strided((1, *pixels.shape), (pixels.numel(), *pixels.stride()))
        pixels = functional.interpolate(
            batch,
            size,
            mode=preprocessing.interpolation,
            antialias=True,
        )[0]
    return _center(pixels, preprocessing.crop, preprocessing.crop)


def _center(pixels: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Cut the center of an image that is at least as large."""
    top, left = (
        round((whole - part) / 2)
        for whole, part in zip(pixels.shape[1:], (height, width), strict=True)
    )
    return pixels[:, top : top + height, left : left + width]
