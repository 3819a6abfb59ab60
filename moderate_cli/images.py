"""Image file -> uint8 tensor of the size that a backbone wants.

Pixels are those of PIL's conversion to RGB, which is how torchvision's ImageFolder reads an image
(EXIF orientation ignored). JPEG, by far the most common, is decoded by torchvision, which gives
the same pixels and takes half the time. If so asked, a JPEG that is far larger than the backbone's
input is decoded at a half, a quarter or an eighth of its size.
"""

from __future__ import annotations

import io
import time
from typing import NamedTuple

import torch
from PIL import Image, UnidentifiedImageError
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from moderate_cli.backbones import Preprocessing
from moderate_cli.errors import ModerateError
from moderate_cli.fingerprints import NO_DIGEST, content_digest
from moderate_cli.formats import register_readers, unidentified
from moderate_cli.sources import FILES, NotAFile, Source
from moderate_cli.text import one_line

try:
    from torchvision.io import ImageReadMode, decode_jpeg
except ImportError:  # deprecated in torchvision 0.29; where it is gone, PIL does all the decoding
    decode_jpeg = None

register_readers()

# A strip is cut to this many crops before it is resized: 1 x 60,000 pixels must not become
# 224 x 13 million.
MAX_ASPECT = 8

# A JPEG decoded small still has so many times the pixels a side that resizing asks for, so that
# most of what its decoder averages away resizing would, too.
REDUCING_GAP = 2


class UnreadableImage(ModerateError):
    """An image that cannot be decoded; the message is the reason."""


class ReadImage(NamedTuple):
    """A decoded image, and what identifies the bytes it came from.

    Attributes
    ----------
    pixels
        uint8 (3, crop, crop), or None if it cannot be read.
    reason
        Why it cannot be read, or "".
    stat
        Size in bytes and modification time in nanoseconds; (-1, -1) if there is no such file.
    digest
        BLAKE2b of the bytes; zeros if they cannot be read.
    decoding, transforming
        Seconds that it took to read and decode, and to resize and crop.
    """

    pixels: torch.Tensor | None
    reason: str
    stat: tuple[int, int]
    digest: bytes
    decoding: float
    transforming: float


def read_image(path: str, preprocessing: Preprocessing, source: Source = FILES) -> ReadImage:
    """Read, decode, resize and crop one image; never raises for a bad file."""
    found, digest, pixels, reason = None, NO_DIGEST, None, ""
    start = decoded = time.perf_counter()
    try:
        content, found = source.read(path)
        digest = content_digest(content)
        enough = REDUCING_GAP * preprocessing.resize if preprocessing.decode == "reduced" else None
        whole = decode(content, enough)
        decoded = time.perf_counter()
        pixels = resize_and_crop(whole, preprocessing)
    except OSError as error:
        reason = error.strerror or str(error)
    except (UnreadableImage, NotAFile) as error:
        reason = str(error)
    end = time.perf_counter()
    found = found or source.stat(path)
    return ReadImage(pixels, reason, found, digest, decoded - start, end - decoded)


def decode(content: bytes, enough: int | None = None) -> torch.Tensor:
    """Decode an image of any format that PIL reads to uint8 (3, height, width).

    Parameters
    ----------
    content
        The bytes of the file.
    enough
        Pixels that the short side must have; a JPEG of twice as many is decoded smaller than it
        is. None for all that there are.

    Raises
    ------
    UnreadableImage
        With the reason, if it cannot be decoded.
    MemoryError
        If there is not memory enough, which says nothing of the file.
    """
    if not content:
        raise UnreadableImage("is empty")
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.format == "EPS":
                raise UnreadableImage("is PostScript, a program that Ghostscript would run")
            size = image.size
            if enough is not None:
                image.draft(None, (enough, enough))  # only the JPEG reader knows how to
            if decode_jpeg and image.size == size and image.format == "JPEG":
                pixels = _decode_jpeg(content) if image.mode in ("L", "RGB") else None
                if pixels is not None:
                    return pixels
            # Converting what is RGB would copy it, 100 MB of a large photo.
            rgb = image if image.mode == "RGB" else image.convert("RGB")
            converted: torch.Tensor = transforms.pil_to_tensor(rgb)
            return converted
    except UnidentifiedImageError:
        raise UnreadableImage(unidentified(content)) from None
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:  # PIL's many readers raise whatever their parsing runs into
        raise UnreadableImage(f"cannot decode ({one_line(error)})") from None


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
        pixels: torch.Tensor = decode_jpeg(buffer, mode=ImageReadMode.UNCHANGED)
    except RuntimeError:
        return None
    return pixels.expand(3, -1, -1) if len(pixels) == 1 else pixels
