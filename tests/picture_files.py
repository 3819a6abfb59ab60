"""Files of pictures, plain and odd."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from moderate_cli.images import decoding


def photo(rng):
    """A smooth picture of 311 x 217 pixels."""
    noise = rng.integers(0, 256, (12, 17, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((311, 217), Image.Resampling.BICUBIC)


def encode(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind, content):
    return (
        struct.pack(">I", len(content)) + kind + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )  # fmt: skip


def png(width, height, depth, rows):
    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )  # fmt: skip


def variants(photo):
    yield "baseline JPEG", encode(photo, "JPEG")
    yield "progressive JPEG", encode(photo, "JPEG", progressive=True)
    yield "JPEG without subsampling", encode(photo, "JPEG", subsampling=0)
    yield "RGB JPEG", encode(photo, "JPEG", keep_rgb=True)
    yield "gray JPEG", encode(photo.convert("L"), "JPEG")
    yield "CMYK JPEG", encode(photo.convert("CMYK"), "JPEG")
    yield (
        "rotated by EXIF",
        encode(
            photo,
            "JPEG",
            exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0",
        ),
    )
    yield "RGB PNG", encode(photo, "PNG")
    yield "opaque RGBA PNG", encode(photo.convert("RGBA"), "PNG")
    yield "opaque LA PNG", encode(photo.convert("LA"), "PNG")
    yield "palette PNG", encode(photo.convert("P"), "PNG")
    yield "1-bit PNG", encode(photo.convert("1"), "PNG")
    yield "WebP", encode(photo, "WEBP")
    yield "BMP", encode(photo, "BMP")
    yield "PPM", encode(photo, "PPM")


def odd_files(photo, rng):
    jpeg, cmyk = encode(photo, "JPEG"), encode(photo.convert("CMYK"), "JPEG")
    adobe, start = cmyk.index(b"Adobe"), jpeg.index(b"\xff\xc0")
    middle = len(jpeg) // 2
    levels = rng.integers(0, 65536, (20, 30, 3), dtype=np.uint16).astype(">u2")
    two = {"save_all": True, "append_images": [photo.rotate(90)]}
    yield "YCCK JPEG", cmyk[: adobe + 11] + b"\x02" + cmyk[adobe + 12 :]
    yield "12-bit JPEG", jpeg[:start] + b"\xff\xc1\0\x11\x0c" + jpeg[start + 5 :]
    yield "arithmetic-coded JPEG", jpeg[:start] + b"\xff\xc9" + jpeg[start + 2 :]
    yield "lossless JPEG", jpeg[:start] + b"\xff\xc3" + jpeg[start + 2 :]
    yield "JPEG with junk behind", jpeg + b"junk" * 1000
    yield "JPEG without end", jpeg[:-2]
    yield "half a JPEG", jpeg[:middle]
    yield "JPEG damaged within", jpeg[:middle] + bytes(50) + jpeg[middle + 50 :]
    yield "half a PNG", encode(photo, "PNG")[:-500]
    yield "16-bit RGB PNG", png(30, 20, 16, b"".join(b"\0" + row.tobytes() for row in levels))
    yield "PNG that lies about 100 megapixels", png(10_000, 10_000, 8, b"0")
    yield "PNG without a width", png(0, 10, 8, b"0")
    yield "LAB TIFF", encode(photo.convert("LAB"), "TIFF")
    yield "LZW TIFF", encode(photo, "TIFF", compression="tiff_lzw")
    yield "animated GIF", encode(photo, "GIF", **two)
    yield "animated WebP", encode(photo, "WEBP", **two)
    yield "MPO of two", encode(photo, "MPO", **two)
    yield "JPEG 2000", encode(photo, "JPEG2000")
    yield "rubbish as ICC profile", encode(photo, "JPEG", icc_profile=b"rubbish" * 100)
    yield "rubbish as EXIF", encode(photo, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff" + bytes(9))
    yield "1x1 JPEG", encode(Image.new("RGB", (1, 1)), "JPEG")
    yield "SVG", b"<svg xmlns='http://www.w3.org/2000/svg'/>"


def decode(content, *args, **options):
    """The pixels of an image, uint8 (3, height, width)."""
    return decoding.decode(content, *args, **options).whole
