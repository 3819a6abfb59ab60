"""EXIF orientation: the tag of an image, and a picture turned as the tag says.

A TIFF is turned by PIL itself, and HEIC by its reader, so that ImageFolder gets them turned; their
tags count as 1.
"""

from __future__ import annotations

from PIL import ExifTags, Image

from moderate_cli.arrays import UPRIGHT
from moderate_cli.images.jpeg_segments import SCAN, segments

APP1 = 0xE1
EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
# Tag -> how to make a picture upright, as PIL does it (EXIF 2.3, section 4.6.4).
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation_of(image: Image.Image) -> int:
    """Return the tag of a picture, 1 to 8; 1 without one, or if its metadata is damaged.

    Read as `PIL.ImageOps.exif_transpose` reads it, also from XMP. The picture should be loaded: a
    PNG may have its metadata at the end, and a TIFF is turned then.
    """
    try:
        tag = image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
        return int(tag) if tag in TURNS else UPRIGHT
    except Exception:  # PIL's readers may raise any exception
        return UPRIGHT


def orientation_of_jpeg(content: bytes) -> int:
    """Return the tag of a JPEG by its header, as `orientation_of` does."""
    found: dict[str, bytes] = {}
    for marker, body, end in segments(content):
        if marker == SCAN:
            break
        if marker == APP1 and content.startswith(EXIF, body):
            more = content[body + len(EXIF) : end]
            found["exif"] = found.get("exif", EXIF) + more
        elif marker == APP1 and content.startswith(XMP, body):
            found["xmp"] = content[body + len(XMP) : end]
    if not found:
        return UPRIGHT
    picture = Image.new("1", (1, 1))
    picture.info.update(found)
    return orientation_of(picture)


def tagged(tag: int) -> Image.Exif:
    """Return metadata that has this tag, and nothing else."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = tag
    return exif


def upright(picture: Image.Image, tag: int) -> Image.Image:
    """Turn a picture with this tag, so that it is upright."""
    return picture.transpose(TURNS[tag]) if tag in TURNS else picture
