"""PIL image -> 8-bit RGB: the rules for all kinds of pictures.

This is rule 2. Rule 1 was PIL's own conversion for all: it ignored transparency, and clipped values
above 255.

========================================  =========================================================
8-bit gray, color, CMYK, LAB; palettes;   As converted by PIL, and so as torchvision's ImageFolder
1-bit                                     reads them.
Transparent: an alpha channel, or colors  Composited on white. The color of a transparent pixel is
that a PNG or GIF marks as transparent    never seen, and is often black.
Integers of 16 bits                       Levels of 0 to 65,535, divided by 257 and rounded.
Fewer bits in 16, e.g. from a 12-bit      Scaled by their own range: the darkest pixel becomes 0,
camera: all below 1/16 of full scale      the brightest 255.
Integers of 32 bits, or with a sign       Scaled by their own range.
Floats                                    Levels of 0 to 1, times 255, if all are in that range and
                                          one is at least 1/16; else scaled by their own range. NaN
                                          is black.
========================================  =========================================================

The scale of a format overrides these rules: netpbm's maximum value, the bits per sample of JPEG
2000, 12 bits of a TIFF. The maximum sample value in a TIFF is full scale if no pixel exceeds it. A
picture with a single value has no range: full scale is used, or clipping at 0 and 255 if there is
none. Of colors of 16 bits PIL keeps the upper byte; if all are below 1/16 of full scale, they are
scaled by their own range instead.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from moderate_cli.images.headers import Header
from moderate_cli.images.levels import DIM, SIXTEEN_BITS, span_of, spread
from moderate_cli.images.opening import identified
from moderate_cli.images.strips import Box
from moderate_cli.networks.table import RULE

# Modes with premultiplied alpha, or alpha in the palette -> plainer modes.
PLAIN = {"RGBa": "RGBA", "La": "LA", "P": "RGBA", "PA": "RGBA"}

WHITE = (255, 255, 255)
COLORS = 256  # of a palette, at most


def to_rgb(image: Image.Image, box: Box | None = None) -> Image.Image:
    """Convert a picture, or a part of it, to 8-bit RGB.

    Parameters
    ----------
    image
        From `opened`, not loaded yet: loading discards some fields of its format.
    box
        The part: left, upper, right, lower.
    """
    header, stream = Header.of(image), getattr(image, "fp", None)
    part = image if box is None else image.crop(box)
    if part.mode in PLAIN and header.transparent:
        _within_palette(part)
        part = part.convert(PLAIN[part.mode])
    colors = _gray(part, header) if header.wide else _colors(part, header, stream, box)
    if not header.transparent:
        return colors
    found = Image.new("RGB", colors.size, WHITE)
    found.paste(colors, mask=_alpha(part, header.key))
    return found


def changed_since(content: bytes, rule: int) -> bool:
    """Whether the pixels of an image file differ between an earlier rule and `RULE`.

    Reads only the header, which takes microseconds for JPEG. In doubt it is True. If the file
    cannot be opened it is False: then it has no pixels by either rule. Never raises.
    """
    if rule >= RULE or content.startswith(b"\xff\xd8\xff"):
        return False
    try:
        with identified(content) as image:
            header = Header.of(image)
            return header.wide or header.transparent or header.twin != ""
    except Exception:  # PIL's readers may raise any exception
        return False


def _within_palette(image: Image.Image) -> None:
    """Remove the alpha of colors beyond the palette, which PIL would treat as an error."""
    alpha = image.info.get("transparency")
    if isinstance(alpha, bytes):
        image.info["transparency"] = alpha[:COLORS]
    elif isinstance(alpha, int) and alpha >= COLORS:
        del image.info["transparency"]


def _colors(part: Image.Image, header: Header, stream: Any, box: Box | None) -> Image.Image:
    """Convert colors to 8-bit RGB; dim ones of 16 bits are scaled by their own range."""
    # Converting RGB to RGB would copy it: 100 MB for a large photo.
    found = part if part.mode == "RGB" else part.convert("RGB")
    if not header.twin or not isinstance(stream, io.BytesIO):
        return found
    upper = np.asarray(found)
    if upper.max(initial=0) >= DIM * 256:
        return found
    stream.seek(0)
    with Image.open(stream) as image:
        image.tile = [tile._replace(args=_packed(tile.args, header.twin)) for tile in image.tile]
        lower = np.asarray((image if box is None else image.crop(box)).convert("RGB"))
    values = upper.astype(np.uint16) * 256 + lower
    return Image.fromarray(spread(values, span_of(values, (0, SIXTEEN_BITS))))


def _packed(args: Any, twin: str) -> Any:
    return (twin, *args[1:]) if isinstance(args, tuple) else twin


def _gray(part: Image.Image, header: Header) -> Image.Image:
    """Convert gray of more than 8 bits to 8-bit RGB."""
    values = np.asarray(part)
    levels = spread(values, span_of(values, header.scale, firm=header.firm))
    return Image.fromarray(levels).convert("RGB")


def _alpha(part: Image.Image, key: int | tuple[int, ...] | None) -> Image.Image:
    """Return how opaque each pixel is."""
    if key is not None:
        other = np.asarray(part) != np.array(key, dtype=np.int64)
        opaque = other.any(axis=2) if other.ndim == 3 else other
        return Image.fromarray(opaque.astype(np.uint8) * 255)
    return part.getchannel("A")
