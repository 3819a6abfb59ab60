import io
import os
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from torchvision import transforms

from moderate_cli import images
from moderate_cli.backbones import Preprocessing
from moderate_cli.images import UnreadableImage, decode, read_image, resize_and_crop

PLAIN = Preprocessing(32, 24, "bilinear", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.fixture
def photo(rng):
    noise = rng.integers(0, 256, (12, 17, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((311, 217), Image.Resampling.BICUBIC)


def encode(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


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
    yield "RGBA PNG", encode(photo.convert("RGBA"), "PNG")
    yield "LA PNG", encode(photo.convert("LA"), "PNG")
    yield "palette PNG", encode(photo.convert("P"), "PNG", transparency=3)
    yield "1-bit PNG", encode(photo.convert("1"), "PNG")
    yield "16-bit PNG", encode(photo.convert("I;16"), "PNG")
    yield "float TIFF", encode(photo.convert("F"), "TIFF")
    yield "WebP", encode(photo, "WEBP")
    yield "BMP", encode(photo, "BMP")
    yield "PPM", encode(photo, "PPM")


def test_pixels_are_those_of_pil_converted_to_rgb(photo):
    for name, content in variants(photo):
        expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        found = decode(content).permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(found, expected, err_msg=name)


@pytest.mark.parametrize("size", [(311, 217), (217, 311), (33, 40), (5, 9), (1, 1), (32, 200)])
def test_resize_and_crop_is_that_of_torchvision_to_a_level(photo, size):
    image = photo.resize(size)
    pixels = decode(encode(image, "PNG"))
    for interpolation in ("bilinear", "bicubic"):
        reference = transforms.Compose(
            [
                transforms.Resize(32, transforms.InterpolationMode(interpolation)),
                transforms.CenterCrop(24),
                transforms.PILToTensor(),
            ]
        )
        preprocessing = Preprocessing(32, 24, interpolation, PLAIN.mean, PLAIN.std)
        found = resize_and_crop(pixels, preprocessing).int()
        assert (found - reference(image).int()).abs().max() <= 1


def test_a_large_jpeg_can_be_decoded_smaller(photo):
    large = photo.resize((1244, 868), Image.Resampling.BICUBIC)
    assert decode(encode(large, "JPEG"), 250).shape == (3, 434, 622)  # an eighth would be 217
    assert decode(encode(large, "JPEG"), 435).shape == (3, 868, 1244)
    assert decode(encode(large, "PNG"), 100).shape == (3, 868, 1244)
    for image in (large, large.convert("L"), large.convert("CMYK")):
        content = encode(image, "JPEG", quality=95)
        expected = resize_and_crop(decode(content), PLAIN).float()
        found = resize_and_crop(decode(content, 2 * PLAIN.resize), PLAIN).float()
        assert (found - expected).abs().mean() < 5


def test_reduced_decoding_is_what_the_preprocessing_asks_for(tmp_path, monkeypatch):
    Image.new("RGB", (400, 400), (9, 9, 9)).save(tmp_path / "x.jpg")
    sizes = []

    def spy(pixels, preprocessing, original=resize_and_crop):
        sizes.append(pixels.shape[1])
        return original(pixels, preprocessing)

    monkeypatch.setattr(images, "resize_and_crop", spy)
    for preprocessing in (PLAIN, replace(PLAIN, decode="reduced")):
        read_image(str(tmp_path / "x.jpg"), preprocessing)
    assert sizes == [400, 100]  # at least twice the 32 pixels that it is resized to


def test_a_strip_does_not_blow_up_memory():
    strip = decode(encode(Image.new("RGB", (60_000, 1), (7, 8, 9)), "PNG"))
    found = resize_and_crop(strip, PLAIN)
    assert found.shape == (3, 24, 24)
    assert found[:, 0, 0].tolist() == [7, 8, 9]


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
    yield "PNG of 10 gigapixels", png(100_000, 100_000, 8, b"0")
    yield "PNG that lies about 100 megapixels", png(10_000, 10_000, 8, b"0")
    yield "PNG without a width", png(0, 10, 8, b"0")
    yield "32-bit TIFF", encode(photo.convert("I"), "TIFF")
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


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_odd_files_give_the_pixels_of_pil_or_a_reason(photo, rng):
    for name, content in odd_files(photo, rng):
        try:
            expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        except Exception:
            with pytest.raises(UnreadableImage, match=r"cannot decode \(\w|is not an image"):
                decode(content)
        else:
            found = decode(content).permute(1, 2, 0).numpy()
            np.testing.assert_array_equal(found, expected, err_msg=name)


def test_postscript_is_not_run():
    with pytest.raises(UnreadableImage, match="is PostScript"):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF\n")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"<html></html>", "is not an image in a known format"),
        (
            encode(Image.effect_noise((64, 64), 99), "JPEG")[:1500],
            "cannot decode (image file is truncated",
        ),
        (encode(Image.new("RGB", (64, 64)), "PNG")[:60], "cannot decode ("),
    ],
)
def test_a_bad_file_has_a_reason(content, reason):
    with pytest.raises(UnreadableImage) as caught:
        decode(content)
    assert str(caught.value).startswith(reason)


def test_a_bomb_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UnreadableImage) as caught:
        decode(encode(Image.new("RGB", (20, 20)), "JPEG"))
    assert "decompression bomb" in str(caught.value)


def test_want_of_memory_makes_no_image_unreadable(tmp_path, monkeypatch):
    def convert(*_):
        raise MemoryError

    Image.new("L", (9, 9)).save(tmp_path / "x.png")
    monkeypatch.setattr(Image.Image, "convert", convert)
    with pytest.raises(MemoryError):
        read_image(str(tmp_path / "x.png"), PLAIN)


def test_reading_never_raises(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    (tmp_path / "text.jpg").write_text("text")
    os.mkfifo(tmp_path / "fifo.jpg")
    reasons = {
        name: read_image(str(tmp_path / name), PLAIN).reason for name in os.listdir(tmp_path)
    }
    assert reasons == {
        "folder.jpg": "Is a directory",
        "dangling.jpg": "No such file or directory",
        "text.jpg": "is not an image in a known format",
        "fifo.jpg": "is not a regular file",
    }
