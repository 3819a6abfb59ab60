"""Bytes of an image file -> PIL image of which only the header is read.

What would harm is refused here, before a pixel is decoded: PostScript, which is a program; headers
that take minutes to read; pictures of more pixels than are allowed.
"""

from __future__ import annotations

import contextlib
import io
import re
import threading
from collections.abc import Iterator

from PIL import Image, UnidentifiedImageError

from moderate_cli.dataset.formats import register_readers, unidentified
from moderate_cli.errors import ModerateError
from moderate_cli.images.memory import room_for
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS
from moderate_cli.text import one_line

register_readers()

MILLION = 1_000_000

# Twice the size from which on Pillow warns of a "decompression bomb".
PILLOWS_LIMIT = 178_956_970

POSTSCRIPT = (b"%!PS", b"\xc5\xd0\xd3\xc6")
NETPBM = re.compile(rb"P[0-6fy]")  # as Pillow tells that family
# Pillow reads such a header byte by byte, in Python: 10 MB of comments would take a minute. So
# would as many comments between the numbers of the kinds that are text, P1 to P3.
LONGEST_HEADER = 1 << 16
COMMENT = re.compile(rb"#[^\r\n]*[\r\n]?")
# Pixels a line from which on Pillow's C code refuses lines of 32 bits a pixel.
WIDEST = (2**31 - 1) // 32

_limit = threading.Lock()


class UnreadableImage(ModerateError):
    """An image that cannot be decoded; the message is the reason."""


class NotNow(UnreadableImage):
    """An image that may well be decoded another time."""


class TooManyPixels(UnreadableImage):
    """An image of more pixels than are allowed."""

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        super().__init__(f"has {megapixels(pixels)}; --max-pixels {pixels} reads it")


def megapixels(pixels: int) -> str:
    """Name a number of pixels.

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
    """Open an image of any format that PIL reads, for as long as the block lasts.

    What goes wrong in the block is taken for the file's fault.

    Parameters
    ----------
    content
        The bytes of the file.
    max_pixels
        Width times height that it may have.
    room
        What lets go of the room that a large picture takes; None for the end of the block.
    least_room
        Pixels to wait for room for, if it has fewer.

    Raises
    ------
    UnreadableImage
        With the reason, if it cannot be opened or decoded.
    MemoryError
        If there is not memory enough, which may be the fault of others.
    """
    image: Image.Image | None = None
    try:
        with contextlib.ExitStack() as stack:
            image = stack.enter_context(identified(content))
            pixels = image.width * image.height
            if pixels > max_pixels:
                raise TooManyPixels(pixels)
            (room or stack).enter_context(room_for(max(pixels, least_room)))
            if pixels > PILLOWS_LIMIT:  # it has all the room, so one thread at a time is here
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
    except Exception as error:  # PIL's many readers raise whatever their parsing runs into
        raise UnreadableImage(f"cannot decode ({one_line(error)})") from None


def identified(content: bytes) -> Image.Image:
    """Open an image, whatever its size, and raise whatever PIL's readers raise."""
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
    """Whether the numbers that netpbm begins with come soon, comments among them included."""
    if len(content) <= LONGEST_HEADER:
        return True
    numbers = 2 if content[1:2] in b"14" else 3
    return len(COMMENT.sub(b"", content[:LONGEST_HEADER]).split(None, numbers + 1)) > numbers


@contextlib.contextmanager
def _limited_to(pixels: int | None) -> Iterator[None]:
    """Let Pillow read so many pixels; it knows no limit but one of the process."""
    with _limit:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before
