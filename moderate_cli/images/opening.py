"""Bytes of an image file -> PIL image, with only the header read.

Harmful files are refused before a pixel is decoded: PostScript, which is a program; headers that
take minutes to read; pictures with too many pixels.
"""

from __future__ import annotations

import contextlib
import io
import re
import threading
from collections.abc import Iterator

from PIL import Image, UnidentifiedImageError

from moderate_cli.dataset.image_formats import register_readers, unidentified
from moderate_cli.errors import ModerateError
from moderate_cli.images.memory import room_for
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS
from moderate_cli.text import one_line

register_readers()

MILLION = 1_000_000

# Twice the size at which Pillow warns of a "decompression bomb"; above, it raises an error.
PILLOWS_LIMIT = 178_956_970

POSTSCRIPT = (b"%!PS", b"\xc5\xd0\xd3\xc6")
NETPBM = re.compile(rb"P[0-6fy]")  # as Pillow identifies that family
# Pillow reads such a header byte by byte, in Python: 10 MB of comments would take a minute. So
# would comments between the numbers of the text formats, P1 to P3.
LONGEST_HEADER = 1 << 16
COMMENT = re.compile(rb"#[^\r\n]*[\r\n]?")
# Widest line, in pixels of 32 bits, that Pillow's C code accepts.
WIDEST = (2**31 - 1) // 32

_limit = threading.Lock()


class UnreadableImage(ModerateError):
    """An image that cannot be decoded; the message is the reason."""


class NotNow(UnreadableImage):
    """An image that may be readable at another time."""


class TooManyPixels(UnreadableImage):
    """An image with more pixels than allowed."""

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        super().__init__(f"has {megapixels(pixels)}; --max-pixels {pixels} reads it")


def megapixels(pixels: int) -> str:
    """Format a number of pixels.

    >>> megapixels(178_956_971), megapixels(600)
    ('179 megapixels', '600 pixels')
    """
    return f"{pixels / MILLION:.0f} megapixels" if pixels >= 10 * MILLION else f"{pixels} pixels"


@contextlib.contextmanager
def opened(
    content: bytes,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    *,
    room: contextlib.ExitStack | None = None,
    least_room: int = 0,
) -> Iterator[Image.Image]:
    """Open an image of any format that PIL reads, until the block ends.

    Errors in the block are attributed to the file.

    Parameters
    ----------
    content
        The bytes of the file.
    max_pixels
        Maximum of width times height.
    room
        Releases the memory reserved for a large picture when it is closed; None: this block does.
    least_room
        Minimum number of pixels to reserve room for.

    Raises
    ------
    UnreadableImage
        With the reason, if it cannot be opened or decoded.
    MemoryError
        If there is not enough memory, possibly because of other pictures.
    """
    image: Image.Image | None = None
    try:
        with contextlib.ExitStack() as stack:
            image = stack.enter_context(identified(content))
            pixels = image.width * image.height
            if pixels > max_pixels:
                raise TooManyPixels(pixels)
            (room or stack).enter_context(room_for(max(pixels, least_room)))
            if (
                pixels > PILLOWS_LIMIT
            ):  # such a picture has all the room, so one thread at a time is here
                stack.enter_context(_limited_to(pixels))
            yield image
    except UnidentifiedImageError:
        raise UnreadableImage(unidentified(content)) from None
    except UnreadableImage:
        raise
    except MemoryError:
        if image is not None and image.width > WIDEST:
            raise UnreadableImage(
                f"has lines of {image.width} pixels, more than Pillow reads"
            ) from None
        raise
    except Exception as error:  # PIL's readers may raise any exception
        raise UnreadableImage(f"cannot decode ({one_line(error)})") from None


def identified(content: bytes) -> Image.Image:
    """Open an image of any size; may raise any exception of PIL's readers."""
    if not content:
        raise UnreadableImage("is empty")
    if content.startswith(POSTSCRIPT):
        raise UnreadableImage("is PostScript, a program that Ghostscript would run")
    if NETPBM.match(content):
        if content[1:2] in b"123":
            content = COMMENT.sub(b"", content)
        if not _has_short_header(content):
            raise UnreadableImage(f"has a header of more than {LONGEST_HEADER >> 10} KB")
    try:
        found: Image.Image = Image.open(io.BytesIO(content))
    except Image.DecompressionBombError:
        with _limited_to(None):
            found = Image.open(io.BytesIO(content))
    if found.format == "EPS":
        raise UnreadableImage("is PostScript, a program that Ghostscript would run")
    return found


def _has_short_header(content: bytes) -> bool:
    """Whether the numbers of a netpbm header end early, with comments between them."""
    if len(content) <= LONGEST_HEADER:
        return True
    numbers = 2 if content[1:2] in b"14" else 3
    return len(COMMENT.sub(b"", content[:LONGEST_HEADER]).split(None, numbers + 1)) > numbers


@contextlib.contextmanager
def _limited_to(pixels: int | None) -> Iterator[None]:
    """Set Pillow's limit of pixels, which is global in the process."""
    with _limit:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before
