"""PIL image -> 8-bit RGB: the one place that says what becomes of which kind of picture.

This is rule 2. Rule 1 was PIL's own conversion for all: transparency was left out, and what is
above 255 cut off.

========================================  =========================================================
8-bit gray, color, CMYK, LAB; palettes;   As PIL converts them, which is how torchvision's
1-bit                                     ImageFolder reads them.
Transparent: an alpha channel, or colors  Laid on white. What a transparent pixel holds is never
that a PNG or GIF says are transparent    seen, and is black more often than not.
Integers of 16 bits                       Levels of 0 to 65,535, over 257 and rounded.
Fewer bits in 16, as of a camera of 12:   By its own range: the darkest pixel becomes 0, the
no pixel has a sixteenth of full scale    brightest 255.
Integers of 32 bits, or with a sign       By its own range.
Floats                                    Levels of 0 to 1, times 255, if they lie there and one has
                                          a sixteenth; else by the picture's own range. What is
                                          no number is black.
========================================  =========================================================

A format that says what its numbers mean is believed: netpbm's greatest value, the bits per sample
of JPEG 2000, 12 bits of a TIFF. The greatest sample value that a TIFF tells is full scale if it is
true. A picture of a single value has no range: it is taken to be of full scale, and cut off at 0
and 255 if there is none. Colors of 16 bits are what PIL makes of them, the upper byte, unless all
are below a sixteenth of full scale; then they are spread over their own range, too.
"""

from __future__ import annotations

import io
import math
import struct
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from moderate_cli.images.opening import identified
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS, RULE

__all__ = ["DEFAULT_MAX_PIXELS", "RULE", "changed_since", "middle", "to_rgb"]

# A strip is cut to this many times its short side before it is resized: 1 x 60,000 pixels must not
# become 224 x 13 million.
MAX_ASPECT = 8

# Modes in which alpha is multiplied in already, or is a part of the palette, and plainer ones.
PLAIN = {"RGBa": "RGBA", "La": "LA", "P": "RGBA", "PA": "RGBA"}

WHITE = (255, 255, 255)
SIXTEEN_BITS = 65_535
COLORS = 256  # of a palette, at most
DIM = 1 / 16  # of full scale; what stays below is of fewer bits than it has room for
WIDE = ("I", "F")  # modes of more than 8 bits, beside those that begin with:
SIXTEEN = "I;16"
PART = 1 << 20  # numbers that are spread at once
# TIFF tags.
BITS, LOWEST, HIGHEST = 258, (280, 340), (281, 341)

Box = tuple[int, int, int, int]
Span = tuple[float, float]


def to_rgb(image: Image.Image, box: Box | None = None) -> Image.Image:
    """Convert a picture, or a part of it, to 8-bit RGB.

    Parameters
    ----------
    image
        As `opened` gives it, not loaded yet: some of what its format says is forgotten then.
    box
        The part: left, upper, right, lower.
    """
    made, stream = _Made.of(image), getattr(image, "fp", None)
    part = image if box is None else image.crop(box)
    if part.mode in PLAIN and made.transparent:
        _within_palette(part)
        part = part.convert(PLAIN[part.mode])
    colors = _gray(part, made) if made.wide else _colors(part, made, stream, box)
    if not made.transparent:
        return colors
    found = Image.new("RGB", colors.size, WHITE)
    found.paste(colors, mask=_alpha(part, made.key))
    return found


def changed_since(content: bytes, rule: int) -> bool:
    """Whether an image file has other pixels under `RULE` than under an earlier rule.

    It is told by the header, in microseconds for JPEG. In doubt it is True; False if the file
    cannot be opened, for then it has no pixels under either. Never raises.
    """
    if rule >= RULE or content.startswith(b"\xff\xd8\xff"):
        return False
    try:
        with identified(content) as image:
            made = _Made.of(image)
            return made.wide or made.transparent or made.twin != ""
    except Exception:  # PIL's many readers raise whatever their parsing runs into
        return False


def middle(size: tuple[int, int]) -> Box | None:
    """Return the middle of a strip, the box of it that counts; None of any other picture.

    >>> middle((100, 1)), middle((3, 4))
    ((46, 0, 54, 1), None)
    """
    longest = MAX_ASPECT * min(size)
    if max(size) <= longest:
        return None
    # Rounded as torchvision's center crop does it.
    left, upper = (round((side - min(side, longest)) / 2) for side in size)
    return (left, upper, left + min(size[0], longest), upper + min(size[1], longest))


class _Made(NamedTuple):
    """What the header says of how a picture was made.

    Attributes
    ----------
    wide
        Whether it is gray of more than 8 bits.
    transparent
        Whether a part of it may be.
    key
        The level or color that is transparent; None where pixels say so by themselves.
    scale
        What is black and what is white, if the picture is not dim; None if nobody knows.
    firm
        Whether that holds of dim pictures, too.
    twin
        How PIL would read the lower bytes of colors of 16 bits; "" for other pictures.
    """

    wide: bool
    transparent: bool
    key: int | tuple[int, ...] | None
    scale: Span | None
    firm: bool
    twin: str

    @classmethod
    def of(cls, image: Image.Image) -> _Made:
        """Look at a picture that is opened, and not loaded."""
        raw = _raw_mode(image)
        wide, key = _is_wide(image), _key(image, raw)
        # Of itself such a picture has no transparency; nor has a palette that is opaque.
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
    """How the pixels of a file are packed, by PIL's name for it; "" if it does not say."""
    for tile in getattr(image, "tile", ())[:1]:
        packed = tile[3][0] if isinstance(tile[3], tuple) and tile[3] else tile[3]
        if isinstance(packed, str):
            return packed
    return ""


def _key(image: Image.Image, raw: str) -> int | tuple[int, ...] | None:
    """Return what is transparent, in the numbers that PIL gives pixels."""
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple) and len(key) == 3:
        # Of 16 bits the upper byte is left.
        return tuple(level >> 8 for level in key) if ";16" in raw else key
    if not isinstance(key, int):
        return None
    if image.mode == "1":
        return min(key, 1)
    if image.mode == "L":  # PIL spreads gray of 2 and 4 bits over 8, and forgets to spread this
        return key * {"L;2": 85, "L;4": 17}.get(raw, 1)
    return key if _is_wide(image) else None


def _within_palette(image: Image.Image) -> None:
    """Forget the alpha of colors that no palette has room for, which PIL takes for an error."""
    alpha = image.info.get("transparency")
    if isinstance(alpha, bytes):
        image.info["transparency"] = alpha[:COLORS]
    elif isinstance(alpha, int) and alpha >= COLORS:
        del image.info["transparency"]


def _is_opaque(image: Image.Image) -> bool:
    levels = image.info.get("transparency")
    return image.mode == "P" and isinstance(levels, bytes) and min(levels, default=255) == 255


def _is_wide(image: Image.Image) -> bool:
    return image.mode in WIDE or image.mode.startswith(SIXTEEN)


def _scale(image: Image.Image) -> tuple[Span | None, bool]:
    """Return what is black and what is white by the format, and whether it is sure of it."""
    if image.format in ("PPM", "JPEG2000") and image.mode != "F":
        return (0, SIXTEEN_BITS), True  # PIL has spread them
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
    """Read a TIFF tag, which a damaged or hostile file may make anything."""
    try:
        value = tags[tag]
        return float(value[0] if isinstance(value, tuple) and len(value) == 1 else value)
    except (TypeError, ValueError, LookupError, ArithmeticError, struct.error):
        return math.nan


def _twin(raw: str) -> str:
    """Name the packing of the other byte order: read so, the lower byte takes the upper's place.

    >>> _twin("RGB;16B"), _twin("RGB"), _twin("I;16B")
    ('RGB;16L', '', '')
    """
    mode, _, order = raw.partition(";16")
    own = "L" if sys.byteorder == "little" else "B"
    other = {"B": "L", "L": "B", "N": "B" if own == "L" else "L"}.get(order)
    return f"{mode};16{other}" if other and mode in ("RGB", "RGBA") else ""


def _colors(part: Image.Image, made: _Made, stream: Any, box: Box | None) -> Image.Image:
    """Convert colors to 8-bit RGB; dim ones of 16 bits are spread over their own range."""
    # Converting what is RGB would copy it, 100 MB of a large photo.
    found = part if part.mode == "RGB" else part.convert("RGB")
    if not made.twin or not isinstance(stream, io.BytesIO):
        return found
    upper = np.asarray(found)
    if upper.max(initial=0) >= DIM * 256:
        return found
    stream.seek(0)
    with Image.open(stream) as image:
        image.tile = [tile._replace(args=_packed(tile.args, made.twin)) for tile in image.tile]
        lower = np.asarray((image if box is None else image.crop(box)).convert("RGB"))
    values = upper.astype(np.uint16) * 256 + lower
    return Image.fromarray(_spread(values, _span(values, (0, SIXTEEN_BITS))))


def _packed(args: Any, twin: str) -> Any:
    return (twin, *args[1:]) if isinstance(args, tuple) else twin


def _gray(part: Image.Image, made: _Made) -> Image.Image:
    """Convert gray of more than 8 bits to 8-bit RGB."""
    values = np.asarray(part)
    levels = _spread(values, _span(values, made.scale, firm=made.firm))
    return Image.fromarray(levels).convert("RGB")


def _span(values: npt.NDArray[Any], scale: Span | None, *, firm: bool = False) -> Span:
    """Return what is black and what is white: the scale, or a picture's own range."""
    if scale is not None and firm:
        return scale
    ends = [_ends(part) for part in _parts(values)]
    lowest, highest = min(end[0] for end in ends), max(end[1] for end in ends)
    black, white = scale or (0, 255)
    fits = black <= lowest <= highest <= white
    dim = scale is None or highest - black <= DIM * (white - black)
    if lowest < highest and (dim or not fits):
        return (lowest, highest)
    return (black, white) if fits else (0, 255)


def _ends(part: npt.NDArray[Any]) -> Span:
    counted = part[np.isfinite(part)] if part.dtype.kind == "f" else part
    return (float(counted.min()), float(counted.max())) if counted.size else (math.inf, -math.inf)


def _spread(values: npt.NDArray[Any], span: Span) -> npt.NDArray[np.uint8]:
    """Spread what lies between black and white over 0 to 255."""
    black, white = span
    levels = np.empty(values.shape, dtype=np.uint8)
    for part, found in zip(_parts(values), _parts(levels), strict=True):
        exact = np.nan_to_num((part.astype(np.float64) - black) * 255 / (white - black), nan=0)
        found[:] = np.floor(exact.clip(0, 255) + 0.5)
    return levels


def _parts(values: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Rows, so many at once that their doubles take little memory."""
    step = max(1, PART // max(1, values[0].size))
    return (values[start : start + step] for start in range(0, len(values), step))


def _alpha(part: Image.Image, key: int | tuple[int, ...] | None) -> Image.Image:
    """Return how opaque each pixel is."""
    if key is not None:
        other = np.asarray(part) != np.array(key, dtype=np.int64)
        opaque = other.any(axis=2) if other.ndim == 3 else other
        return Image.fromarray(opaque.astype(np.uint8) * 255)
    return part.getchannel("A")
