"""Pixels of pictures: literal values, which can be worked out by hand."""

import io
import struct
import zlib

import numpy as np
import pytest
from picture_files import chunk, decode, encode
from PIL import Image

from moderate_cli.images.pixels import RULE, changed_since, to_rgb
from moderate_cli.images.preprocessing import read_image, resize_and_crop
from moderate_cli.networks.table import Preprocessing


def png(depth, color, *samples, extra=b"", width=None):
    """A PNG of one row, its samples packed already where they take less than a byte."""
    row = b"\0" + np.array(samples, ">u2" if depth == 16 else "u1").tobytes()
    each = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    width = width or len(samples) // each
    header = struct.pack(">IIBBBBB", width, 1, depth, color, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra
        + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    )  # fmt: skip


def gray(dtype, *values, kind="TIFF", **options):
    return encode(Image.fromarray(np.array([values], dtype)), kind, **options)


def with_palette(image):
    image.putpalette([255, 0, 0, 0, 255, 0])
    return image


def first_row(content):
    """Red, green and blue of each pixel of the first row."""
    return decode(content)[:, 0].T.tolist()


def levels(content):
    """The first row of a picture that has come out gray."""
    pixels = first_row(content)
    assert all(red == green == blue for red, green, blue in pixels)
    return [red for red, *_ in pixels]


PALETTE = chunk(b"PLTE", bytes([255, 0, 0, 0, 255, 0, 0, 0, 255]))
WHITE = [255, 255, 255]
# Half of black, at alpha 128, is (255 * 127 + 0 * 128) / 255 = 127 on white.
RGBA = Image.frombytes("RGBA", (3, 1), bytes([0, 0, 0, 0, 0, 0, 0, 128, 9, 8, 7, 255]))
LAID = [WHITE, [127, 127, 127], [9, 8, 7]]


@pytest.mark.parametrize(
    ("content", "pixels"),
    [
        pytest.param(encode(RGBA, "PNG"), LAID, id="RGBA PNG"),
        pytest.param(encode(RGBA, "TIFF"), LAID, id="RGBA TIFF"),
        pytest.param(encode(RGBA, "WEBP", lossless=True), LAID, id="RGBA WebP"),
        pytest.param(encode(RGBA, "TGA"), LAID, id="RGBA TGA"),
        pytest.param(encode(RGBA, "JPEG2000"), LAID, id="RGBA JPEG 2000"),
        pytest.param(
            encode(RGBA.convert("LA"), "PNG"), [WHITE, [127, 127, 127], [8, 8, 8]], id="LA PNG"
        ),
        pytest.param(
            encode(RGBA.convert("LA"), "TIFF"), [WHITE, [127, 127, 127], [8, 8, 8]], id="LA TIFF"
        ),
        pytest.param(
            png(8, 3, 0, 1, 2, extra=PALETTE + chunk(b"tRNS", bytes([0, 128]))),
            [WHITE, [127, 255, 127], [0, 0, 255]],
            id="palette PNG with levels of alpha",
        ),
        pytest.param(
            png(8, 3, 0, 1, 2, extra=PALETTE + chunk(b"tRNS", bytes([255, 0]))),
            [[255, 0, 0], WHITE, [0, 0, 255]],
            id="palette PNG with one transparent color",
        ),
        pytest.param(
            png(8, 3, 0, 1, extra=PALETTE + chunk(b"tRNS", bytes([0, 255]) + bytes(300))),
            [WHITE, [0, 255, 0]],
            id="palette PNG with alpha of more colors than there can be",
        ),
        pytest.param(
            png(8, 3, 0, 1, extra=PALETTE + chunk(b"tRNS", 300 * b"\xff" + b"\0")),
            [[255, 0, 0], [0, 255, 0]],
            id="palette PNG with a transparent color that there cannot be",
        ),
        pytest.param(
            png(1, 3, 0b01000000, width=2, extra=PALETTE + chunk(b"tRNS", bytes([0]))),
            [WHITE, [0, 255, 0]],
            id="palette PNG of one bit",
        ),
        pytest.param(
            png(8, 0, 0, 1, 2, extra=chunk(b"tRNS", struct.pack(">H", 1))),
            [[0, 0, 0], WHITE, [2, 2, 2]],
            id="gray PNG with a transparent level",
        ),
        pytest.param(
            png(4, 0, 0x01, 0x20, width=4, extra=chunk(b"tRNS", struct.pack(">H", 1))),
            [[0, 0, 0], WHITE, [34, 34, 34], [0, 0, 0]],
            id="gray PNG of 4 bits with a transparent level",
        ),
        pytest.param(
            png(2, 0, 0b00011011, width=4, extra=chunk(b"tRNS", struct.pack(">H", 0))),
            [WHITE, [85, 85, 85], [170, 170, 170], WHITE],
            id="gray PNG of 2 bits with a transparent level",
        ),
        pytest.param(
            png(1, 0, 0b01000000, width=2, extra=chunk(b"tRNS", struct.pack(">H", 0))),
            [WHITE, WHITE],
            id="PNG of one bit whose black is transparent",
        ),
        pytest.param(
            png(8, 2, 1, 2, 3, 1, 2, 4, extra=chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))),
            [WHITE, [1, 2, 4]],
            id="color PNG with a transparent color",
        ),
        pytest.param(
            png(16, 0, 0, 257, 25700, extra=chunk(b"tRNS", struct.pack(">H", 257))),
            [[0, 0, 0], WHITE, [100, 100, 100]],
            id="16-bit gray PNG with a transparent level",
        ),
        pytest.param(
            png(16, 2, 0, 0, 0, 0, 0, 51400, extra=chunk(b"tRNS", struct.pack(">HHH", 0, 0, 0))),
            [WHITE, [0, 0, 200]],
            id="16-bit color PNG with a transparent color",
        ),
        pytest.param(
            png(16, 6, 0, 0, 0, 0, 0, 0, 51400, 65535),
            [WHITE, [0, 0, 200]],
            id="16-bit RGBA PNG",
        ),
        pytest.param(
            png(16, 4, 0, 0, 51400, 65535),
            [WHITE, [200, 200, 200]],
            id="16-bit gray PNG with alpha",
        ),
        pytest.param(
            encode(with_palette(Image.frombytes("PA", (2, 1), bytes([0, 0, 1, 255]))), "TIFF"),
            [WHITE, [0, 255, 0]],
            id="palette with an alpha channel",
        ),
    ],
)
def test_what_is_transparent_is_laid_on_white(content, pixels):
    assert first_row(content) == pixels


def test_colors_that_are_multiplied_by_alpha_already_are_not_multiplied_again():
    for mode in ("RGBa", "La"):
        plain = {"RGBa": "RGBA", "La": "LA"}[mode]
        clear = Image.new(plain, (1, 1), (0,) * (len(plain) - 1) + (128,)).convert(mode)
        assert np.asarray(to_rgb(clear)).tolist() == [[[127, 127, 127]]]


def test_the_first_frame_of_an_animation_is_laid_on_white():
    clear = Image.new("P", (1, 1), 0)
    clear.putpalette([0, 0, 0, 9, 9, 9])
    other = Image.new("RGBA", (1, 1), (255, 0, 0, 255))
    two = {"save_all": True, "append_images": [other], "transparency": 0}
    assert first_row(encode(clear, "GIF", **two)) == [WHITE]
    frames = [Image.new("RGBA", (1, 1), (0, 0, 0, 0)), other]
    webp = encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert first_row(webp) == [WHITE]


def test_line_art_on_a_transparent_ground_can_be_distinguished(tmp_path, moderate):
    for name in ("bar", "dot"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(8):
            drawing = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
            box = (
                (number, 0, number + 9, 32)
                if name == "bar"
                else (3 * number, 8, 3 * number + 9, 17)
            )
            drawing.paste((0, 0, 0, 255), box)
            drawing.save(tmp_path / "data" / name / f"{number}.png")
    done = moderate("duplicates", tmp_path / "data", "--threshold", "0.999999")
    assert (done.status, done.stdout) == (0, "")
    assert done.stderr == "moderate: no near duplicates\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(png(16, 0, 0, 128, 129, 32768, 65535), [0, 0, 1, 128, 255], id="PNG"),
        pytest.param(gray(np.uint16, 0, 257, 32768, 65535), [0, 1, 128, 255], id="TIFF"),
        pytest.param(gray(">u2", 0, 257, 32768, 65535), [0, 1, 128, 255], id="big-endian TIFF"),
        pytest.param(
            b"P5 3 1 65535\n" + np.array([0, 257, 65535], ">u2").tobytes(), [0, 1, 255], id="PGM"
        ),
        pytest.param(
            b"P5 3 1 65535\n" + np.array([0, 257, 514], ">u2").tobytes(), [0, 1, 2], id="dim PGM"
        ),
        pytest.param(b"P2 3 1 4095\n0 2048 4095\n", [0, 128, 255], id="PGM of 12 bits"),
        pytest.param(b"P2 3 1 4095\n0 16 32\n", [0, 1, 2], id="dim PGM of 12 bits"),
        pytest.param(gray(np.uint16, 0, 2048, 4095), [0, 128, 255], id="12 bits in a TIFF"),
        pytest.param(png(16, 0, 1000, 1500, 2000), [0, 128, 255], id="12 bits in a PNG"),
        pytest.param(gray(np.uint16, 0, 0, 4096), [0, 0, 16], id="a sixteenth of full scale"),
        pytest.param(gray(np.uint16, 2570, 2570), [10, 10], id="one level of 16 bits"),
        pytest.param(gray(np.int32, -5, 0, 5), [0, 128, 255], id="32-bit TIFF"),
        pytest.param(gray(np.int32, 77, 77), [77, 77], id="one level of 32 bits"),
        pytest.param(gray(np.int32, -77, -77), [0, 0], id="one negative level of 32 bits"),
        pytest.param(gray(np.float32, 0, 0.5, 0.75), [0, 128, 191], id="floats of 0 to 1"),
        pytest.param(gray(np.float32, 0, 0.01, 0.02), [0, 128, 255], id="small floats"),
        pytest.param(gray(np.float32, -1, 0, 3), [0, 64, 255], id="floats of any range"),
        pytest.param(gray(np.float32, 3e38, -3e38), [255, 0], id="floats of all ranges"),
        pytest.param(gray(np.float32, 0.2, 0.2), [51, 51], id="one float of 0 to 1"),
        pytest.param(gray(np.float32, 100, 100), [100, 100], id="one float"),
        pytest.param(
            gray(np.float32, np.nan, 10, 30, np.inf, -np.inf), [0, 0, 255, 255, 0], id="no numbers"
        ),
        pytest.param(gray(np.float32, np.nan, np.nan), [0, 0], id="nothing but NaN"),
        pytest.param(gray(np.float32, np.inf, np.inf), [255, 255], id="nothing but infinity"),
        pytest.param(
            gray(np.uint16, 0, 512, 1023, tiffinfo={281: 1023}), [0, 128, 255], id="TIFF that says"
        ),
        pytest.param(
            gray(np.uint16, 0, 512, tiffinfo={281: 1023}), [0, 128], id="dim TIFF that says"
        ),
        pytest.param(
            gray(np.float32, 2, 3, tiffinfo={340: 1.0, 341: 5.0}), [64, 128], id="floats that say"
        ),
        pytest.param(
            gray(np.uint16, 0, 2048, 4095, tiffinfo={280: 9, 281: 3}),
            [0, 128, 255],
            id="TIFF that contradicts itself",
        ),
        pytest.param(
            gray(np.int32, 0, 50_000, 100_000, tiffinfo={341: 200_000.0}),
            [0, 64, 128],
            id="32-bit TIFF that says",
        ),
        pytest.param(
            gray(np.int32, 0, 50, 100, tiffinfo={341: 4294967295.0}),
            [0, 128, 255],
            id="32-bit TIFF that says what there could be",
        ),
        pytest.param(
            gray(np.uint16, 0, 2048, 4095, tiffinfo={281: 65535}),
            [0, 128, 255],
            id="TIFF that says nothing",
        ),
    ],
)
def test_what_has_more_than_8_bits_is_scaled(content, expected):
    assert levels(content) == expected


def test_gray_of_16_bits_in_jpeg_2000_is_of_full_scale():
    rows = np.repeat(np.array([[0, 257 * 8, 257 * 15]], np.uint16), 64, axis=0).repeat(64, axis=1)
    found = levels(encode(Image.fromarray(rows), "JPEG2000"))
    assert (found[0], found[100], found[-1]) == (0, 8, 15)


DIM = np.array([[[0, 1000, 2000], [4000, 3000, 500]]], np.uint16)


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_dim_colors_of_16_bits_are_spread_over_their_own_range(order):
    content = tiff(DIM.astype(order))
    assert first_row(content) == [[0, 64, 128], [255, 191, 32]]
    assert first_row(png(16, 2, *DIM.ravel())) == [[0, 64, 128], [255, 191, 32]]
    bright = DIM.astype(order) * 16
    assert first_row(tiff(bright)) == [[0, 62, 125], [250, 187, 31]]  # the upper byte
    clear = png(16, 6, 0, 1000, 2000, 65535, 4000, 3000, 500, 0)
    assert first_row(clear) == [[0, 64, 128], WHITE]


def test_gray_that_is_packed_in_12_bits_is_of_full_scale():
    assert levels(tiff(np.array([0x00, 0x08, 0x00], np.uint8), (2, 12))) == [0, 128]
    assert levels(tiff(np.array([0x00, 0x00, 0x10], np.uint8), (2, 12))) == [0, 1]


def tiff(pixels, packed=None):
    """An uncompressed TIFF of colors, in the byte order of its numbers; or gray of some bits."""
    order = ">" if pixels.dtype.byteorder == ">" else "<"
    content = pixels.tobytes()
    start = 8 + len(content)
    (width, bits), height, each, black = packed or (0, 0), 1, 1, 1
    if packed is None:
        height, width, each = pixels.shape
        bits, black = start + 2 + 9 * 12 + 4, 2
    tags = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, each, bits), (259, 3, 1, 1),
        (262, 3, 1, black), (273, 4, 1, 8), (277, 3, 1, each), (278, 3, 1, height),
        (279, 4, 1, len(content)),
    ]  # fmt: skip
    entries = b"".join(
        struct.pack(f"{order}HHI", tag, kind, count)
        + struct.pack(f"{order}HH" if kind == 3 and count == 1 else f"{order}I", *values)
        for tag, kind, count, value in tags
        for values in [(value, 0) if kind == 3 and count == 1 else (value,)]
    )
    return (
        (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(f"{order}I", start) + content
        + struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", 0)
        + struct.pack(f"{order}HHH", 16, 16, 16)
    )  # fmt: skip


def test_gray_of_16_bits_can_be_distinguished(tmp_path, moderate):
    ramp = np.arange(400, dtype=np.uint16).reshape(20, 20)
    for name, most in (("cat", 65535), ("dog", 4095)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(10):
            turned = np.roll(ramp, 40 * number) * (most // 400)
            Image.fromarray(turned).save(tmp_path / "data" / name / f"{number}.tif")
    done = moderate("score", tmp_path / "data")
    assert done.stderr == ""
    scores = [float(line.split("\t")[0]) for line in done.stdout.splitlines()]
    assert len(set(scores)) > 5
    assert min(scores) > 0.5


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
def test_other_pictures_are_those_of_pil():
    photo = Image.effect_noise((40, 30), 60).convert("RGB").rotate(7)
    plain = {
        "JPEG": encode(photo, "JPEG"),
        "gray JPEG": encode(photo.convert("L"), "JPEG"),
        "CMYK JPEG": encode(photo.convert("CMYK"), "JPEG"),
        "CMYK TIFF": encode(photo.convert("CMYK"), "TIFF"),
        "LAB TIFF": encode(photo.convert("LAB"), "TIFF"),
        "PNG": encode(photo, "PNG"),
        "gray PNG": encode(photo.convert("L"), "PNG"),
        "palette PNG": encode(photo.convert("P"), "PNG"),
        "1-bit PNG": encode(photo.convert("1"), "PNG"),
        "1-bit TIFF": encode(photo.convert("1"), "TIFF", compression="group4"),
        "GIF": encode(photo.convert("P"), "GIF"),
        "WebP": encode(photo, "WEBP"),
        "BMP": encode(photo, "BMP"),
        "PPM": encode(photo, "PPM"),
        "PPM of 16 bits": b"P6 1 1 65535\n" + np.array([0, 257, 51400], ">u2").tobytes(),
        "opaque palette": png(8, 3, 0, 1, extra=PALETTE + chunk(b"tRNS", bytes([255, 255, 255]))),
        "opaque RGBA": encode(photo.convert("RGBA"), "PNG"),
        "opaque LA": encode(photo.convert("LA"), "PNG"),
        "16-bit PNG": png(16, 2, 0, 257, 32768, 65535, 255, 256),
    }
    for name, content in plain.items():
        expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        found = decode(content).permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(found, expected, err_msg=name)


@pytest.mark.parametrize("size", [(4001, 3), (5, 999)])
def test_a_strip_has_the_pixels_of_a_complete_conversion(size, tmp_path, rng):
    noise = rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "x.png")
    Image.fromarray(noise).save(tmp_path / "x.webp", lossless=True)
    wanted = Preprocessing(8, 8, "bilinear", (0.0,) * 3, (1.0,) * 3)
    whole = resize_and_crop(decode((tmp_path / "x.png").read_bytes()), wanted)
    for name in ("x.png", "x.webp"):
        found = read_image(str(tmp_path / name), wanted)
        assert found.reason == ""
        assert found.pixels.tolist() == whole.tolist()


@pytest.mark.parametrize(
    ("content", "changed"),
    [
        pytest.param(encode(RGBA, "PNG"), True, id="RGBA"),
        pytest.param(encode(RGBA, "WEBP"), True, id="WebP"),
        pytest.param(encode(RGBA.convert("LA"), "PNG"), True, id="LA"),
        pytest.param(encode(RGBA.convert("P"), "GIF", transparency=0), True, id="GIF"),
        pytest.param(png(8, 0, 1, extra=chunk(b"tRNS", b"\0\0")), True, id="gray with a level"),
        pytest.param(gray(np.uint16, 1, 2), True, id="16 bits"),
        pytest.param(gray(np.float32, 1, 2), True, id="floats"),
        pytest.param(b"P5 1 1 4095\n\0\0", True, id="PGM"),
        pytest.param(png(16, 2, 1, 2, 3), True, id="colors of 16 bits, which may be dim"),
        pytest.param(png(16, 2, 1, 2, 3)[:-30], True, id="a header is enough"),
        pytest.param(encode(RGBA.convert("RGB"), "PNG"), False, id="RGB"),
        pytest.param(encode(RGBA.convert("RGB"), "JPEG"), False, id="JPEG"),
        pytest.param(encode(RGBA.convert("RGB"), "WEBP"), False, id="opaque WebP"),
        pytest.param(encode(RGBA.convert("RGB").convert("P"), "PNG"), False, id="palette"),
        pytest.param(
            png(8, 3, 0, extra=PALETTE + chunk(b"tRNS", b"\xff\xff")), False, id="opaque palette"
        ),
        pytest.param(encode(RGBA.convert("1"), "PNG"), False, id="1 bit"),
        pytest.param(encode(RGBA.convert("CMYK"), "TIFF"), False, id="CMYK"),
        pytest.param(b"", False, id="empty"),
        pytest.param(b"\xff\xd8\xff", False, id="no more than the start of a JPEG"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n", False, id="PostScript"),
        pytest.param(b"P5\n#" + 100_000 * b"x", False, id="PGM with a long header"),
        pytest.param(b"text", False, id="text"),
    ],
)
def test_a_header_shows_whether_pixels_have_changed(content, changed):
    assert changed_since(content, 1) is changed
    assert changed_since(content, RULE) is False


def test_a_header_shows_it_for_a_picture_that_is_too_large_to_read():
    huge = bytearray(png(16, 0, 1))
    huge[16:24] = struct.pack(">II", 2**31 - 1, 2**31 - 1)
    huge[29:33] = struct.pack(">I", zlib.crc32(huge[12:29]))
    assert changed_since(bytes(huge), 1) is True
