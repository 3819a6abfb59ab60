"""Image file -> uint8 tensor of the size that a backbone wants.

Pixels are those of `moderate_cli.images.pixels`, by and large PIL's conversion to RGB, which is how
torchvision's ImageFolder reads an image (EXIF orientation ignored). JPEG, by far the most common,
is decoded by torchvision, which gives the same pixels and takes half the time. If so asked, a JPEG
that is far larger than the backbone's input is decoded at a half, a quarter or an eighth of its
size.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from moderate_cli.dataset.fingerprints import NO_DIGEST, content_digest
from moderate_cli.dataset.sources import FILES, NotAFile, Source, Stat
from moderate_cli.images.memory import tried_twice
from moderate_cli.images.opening import NotNow, UnreadableImage, opened
from moderate_cli.images.pixels import MAX_ASPECT, middle, to_rgb
from moderate_cli.networks.devices import memory_told
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS, Preprocessing

__all__ = ["ReadImage", "UnreadableImage", "decode", "read_image", "resize_and_crop"]

try:
    from torchvision.io import ImageReadMode, decode_jpeg
except ImportError:  # deprecated in torchvision 0.29; where it is gone, PIL does all the decoding
    decode_jpeg = None

# A JPEG decoded small still has so many times the pixels a side that resizing asks for, so that
# most of what its decoder averages away resizing would, too.
REDUCING_GAP = 2

NEEDS_MEMORY = "needs more memory than there is"


class ReadImage(NamedTuple):
    """A decoded image, and what identifies the bytes it came from.

    Attributes
    ----------
    pixels
        uint8 (3, crop, crop), or None if it cannot be read.
    reason
        Why it cannot be read, or "".
    stat
        Of the file that was read, as in `moderate_cli.dataset.sources`; -1 if there is none.
    digest
        BLAKE2b of the bytes; zeros if they cannot be read, or might be another time.
    decoding, transforming
        Seconds that it took to read and decode, and to resize and crop.
    """

    pixels: torch.Tensor | None
    reason: str
    stat: Stat
    digest: bytes
    decoding: float
    transforming: float


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
        Where it is.
    preprocessing
        What the backbone wants.
    max_pixels
        Width times height that it may have.
    """
    found, digest, pixels, reason = None, NO_DIGEST, None, ""
    start = decoded = time.perf_counter()
    enough = REDUCING_GAP * preprocessing.resize if preprocessing.decode == "reduced" else None

    def attempt(least_room: int) -> torch.Tensor:
        nonlocal decoded
        with _decoded(content, enough, max_pixels, least_room, strips_cut=True) as whole:
            decoded = time.perf_counter()
            with memory_told():
                return resize_and_crop(whole, preprocessing)

    try:
        content, found = source.read(path)
        digest = content_digest(content)
        pixels = _tried(attempt)
    except NotNow as error:
        digest, reason = NO_DIGEST, str(error)
    except (UnreadableImage, NotAFile) as error:
        reason = str(error)
    except OSError as error:
        reason = error.strerror or str(error)
    except MemoryError:  # for the bytes
        reason = NEEDS_MEMORY
    end = time.perf_counter()
    found = found or source.stat(path)
    return ReadImage(pixels, reason, found, digest, decoded - start, end - decoded)


def decode(
    content: bytes, enough: int | None = None, max_pixels: int = DEFAULT_MAX_PIXELS
) -> torch.Tensor:
    """Decode an image of any format that PIL reads to uint8 (3, height, width).

    Parameters
    ----------
    content
        The bytes of the file.
    enough
        Pixels that the short side must have; a JPEG of twice as many is decoded smaller than it
        is. None for all that there are.
    max_pixels
        Width times height that it may have.

    Raises
    ------
    UnreadableImage
        With the reason, if it cannot be decoded.
    """

    def attempt(least_room: int) -> torch.Tensor:
        with _decoded(content, enough, max_pixels, least_room) as whole:
            return whole

    return _tried(attempt)


def _tried(attempt: Callable[[int], torch.Tensor]) -> torch.Tensor:
    """Decode beside other images or, if memory is short, without them."""
    try:
        return tried_twice(attempt)
    except MemoryError:
        raise NotNow(NEEDS_MEMORY) from None


@contextlib.contextmanager
def _decoded(
    content: bytes,
    enough: int | None,
    max_pixels: int,
    least_room: int,
    *,
    strips_cut: bool = False,
) -> Iterator[torch.Tensor]:
    """Decode an image; have room for it until the block ends.

    Raises
    ------
    UnreadableImage, MemoryError
        As `opened`; what goes wrong in the block is not taken for the file's fault.
    """
    with contextlib.ExitStack() as room:
        with opened(content, max_pixels, room=room, least_room=least_room) as image:
            whole = _pixels(image, content, enough, strips_cut=strips_cut)
        yield whole


def _pixels(
    image: Image.Image, content: bytes, enough: int | None, *, strips_cut: bool
) -> torch.Tensor:
    size = image.size
    if enough is not None:
        image.draft(None, (enough, enough))  # only the JPEG reader knows how to
    if decode_jpeg and image.size == size and image.format == "JPEG":
        pixels = _decode_jpeg(content) if image.mode in ("L", "RGB") else None
        if pixels is not None:
            return pixels
    rgb = to_rgb(image, middle(image.size) if strips_cut else None)
    with memory_told():
        converted: torch.Tensor = transforms.pil_to_tensor(rgb)
    return converted


def resize_and_crop(pixels: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """Resize the short side, then cut the central square.

    Parameters
    ----------
    pixels
        uint8 (3, height, width).

    Returns
    -------
    uint8 (3, crop, crop)
    """
    height, width = pixels.shape[1:]
    short = min(height, width)
    longest = MAX_ASPECT * short
    if max(height, width) > longest:
        pixels = transforms.center_crop(pixels, [min(height, longest), min(width, longest)])
    if short != preprocessing.resize:
        pixels = transforms.resize(
            pixels,
            [preprocessing.resize],
            interpolation=InterpolationMode(preprocessing.interpolation),
            antialias=True,
        )
    cropped: torch.Tensor = transforms.center_crop(pixels, [preprocessing.crop] * 2)
    return cropped


def _decode_jpeg(content: bytes) -> torch.Tensor | None:
    """Decode a grayscale or color JPEG, or return None where PIL should have the last word."""
    buffer = torch.frombuffer(bytearray(content), dtype=torch.uint8)  # wants writable memory
    try:
        with memory_told():
            pixels: torch.Tensor = decode_jpeg(buffer, mode=ImageReadMode.UNCHANGED)
    except RuntimeError:
        return None
    return pixels.expand(3, -1, -1) if len(pixels) == 1 else pixels
