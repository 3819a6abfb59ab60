"""Header of an image file -> the scale and transparency of its pixels."""

from __future__ import annotations

import math
import struct
import sys
from typing import Any, NamedTuple

from PIL import Image

from moderate_cli.images.levels import SIXTEEN_BITS, Span

WIDE = ("I", "F")  # modes of more than 8 bits, beside those that begin with:
SIXTEEN = "I;16"
# TIFF tags.
BITS, LOWEST, HIGHEST = 258, (280, 340), (281, 341)


class Header(NamedTuple):
    """Facts about the pixels of a picture.

    Attributes
    ----------
    wide
        Whether it is gray of more than 8 bits.
    transparent
        Whether a part of it may be transparent.
    key
        The level or color that is transparent; None if there is an alpha channel.
    scale
        Levels of black and of white, if the picture is not dim; None if unknown.
    firm
        Whether `scale` holds for dim pictures too.
    twin
        PIL's raw mode that reads the lower bytes of colors of 16 bits; "" for other pictures.
    """

    wide: bool
    transparent: bool
    key: int | tuple[int, ...] | None
    scale: Span | None
    firm: bool
    twin: str

    @classmethod
    def of(cls, image: Image.Image) -> Header:
        """Read the header of a picture that is opened, but not loaded."""
        raw = _raw_mode(image)
        wide, key = _is_wide(image), _key(image, raw)
        # Such a picture is transparent only with a key; an opaque palette is not transparent.
        alone = wide or image.mode in ("1", "L", "RGB") or _is_opaque(image)
        scale, firm = _scale(image) if wide else (None, False)
        return cls(
            wide,
            image.has_transparency_data and (key is not None or not alone),
            key,
            scale,
            firm,
            _twin(raw),
        )


def _raw_mode(image: Image.Image) -> str:
    """Return PIL's raw mode, the packing of pixels in the file; "" if unknown."""
    for tile in getattr(image, "tile", ())[:1]:
        packed = tile[3][0] if isinstance(tile[3], tuple) and tile[3] else tile[3]
        if isinstance(packed, str):
            return packed
    return ""


def _key(image: Image.Image, raw: str) -> int | tuple[int, ...] | None:
    """Return the transparent level or color, in the units of PIL's pixels."""
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple) and len(key) == 3:
        # PIL keeps the upper byte of 16 bits.
        return tuple(level >> 8 for level in key) if ";16" in raw else key
    if not isinstance(key, int):
        return None
    if image.mode == "1":
        return min(key, 1)
    if image.mode == "L":  # PIL scales gray of 2 and 4 bits to 8, but not the key
        return key * {"L;2": 85, "L;4": 17}.get(raw, 1)
    return key if _is_wide(image) else None


def _is_opaque(image: Image.Image) -> bool:
    levels = image.info.get("transparency")
    return image.mode == "P" and isinstance(levels, bytes) and min(levels, default=255) == 255


def _is_wide(image: Image.Image) -> bool:
    return image.mode in WIDE or image.mode.startswith(SIXTEEN)


def _scale(image: Image.Image) -> tuple[Span | None, bool]:
    """Return the levels of black and white by the format, and whether they are certain."""
    if image.format in ("PPM", "JPEG2000") and image.mode != "F":
        return (0, SIXTEEN_BITS), True  # PIL has scaled them
    usual: Span | None = (0, 1) if image.mode == "F" else (0, SIXTEEN_BITS)
    if image.mode == "I" and image.format != "PNG":
        usual = None
    tags = getattr(image, "tag_v2", {})
    if image.mode.startswith(SIXTEEN) and tags.get(BITS) == (12,):
        return (0, 4095), True
    lowest, highest = (
        next((_number(tags, tag) for tag in names if tag in tags), math.nan)
        for names in (LOWEST, HIGHEST)
    )
    lowest = 0.0 if math.isnan(lowest) else lowest
    said = math.isfinite(highest - lowest) and lowest < highest
    return (lowest, highest) if said else usual, False


def _number(tags: Any, tag: int) -> float:
    """Read a TIFF tag, which may be anything in a damaged or hostile file."""
    try:
        value = tags[tag]
        return float(value[0] if isinstance(value, tuple) and len(value) == 1 else value)
    except (TypeError, ValueError, LookupError, ArithmeticError, struct.error):
        return math.nan


def _twin(raw: str) -> str:
    """Return the raw mode of the other byte order, which reads the lower byte as the upper one.

    >>> _twin("RGB;16B"), _twin("RGB"), _twin("I;16B")
    ('RGB;16L', '', '')
    """
    mode, _, order = raw.partition(";16")
    own = "L" if sys.byteorder == "little" else "B"
    other = {"B": "L", "L": "B", "N": "B" if own == "L" else "L"}.get(order)
    return f"{mode};16{other}" if other and mode in ("RGB", "RGBA") else ""
