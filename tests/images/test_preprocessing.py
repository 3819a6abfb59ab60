import io
import os
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from torchvision import transforms

from moderate_cli.images import decoding
from moderate_cli.images import preprocessing as images
from moderate_cli.images.decoding import decode
from moderate_cli.images.opening import UnreadableImage
from moderate_cli.images.preprocessing import read_image, resize_and_crop
from moderate_cli.networks.table import Preprocessing

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
    yield "opaque RGBA PNG", encode(photo.convert("RGBA"), "PNG")
    yield "opaque LA PNG", encode(photo.convert("LA"), "PNG")
    yield "palette PNG", encode(photo.convert("P"), "PNG")
    yield "1-bit PNG", encode(photo.convert("1"), "PNG")
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


def test_decoding_is_reduced_only_if_the_preprocessing_says_so(tmp_path, monkeypatch):
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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_picture_of_too_many_pixels_is_refused_and_the_way_out_named(kind):
    content = encode(Image.new("L", (20, 30)), kind)
    with pytest.raises(UnreadableImage) as caught:
        decode(content, max_pixels=599)
    assert str(caught.value) == "has 600 pixels; --max-pixels 600 reads it"
    assert decode(content, max_pixels=600).shape == (3, 30, 20)


def test_a_bomb_is_refused_before_it_is_decoded():
    with pytest.raises(UnreadableImage) as caught:
        decode(png(100_000, 100_000, 8, b"0"))
    assert str(caught.value) == "has 10000 megapixels; --max-pixels 10000000000 reads it"


def test_what_is_more_than_pillow_allows_is_read_if_it_is_asked_for(tmp_path, monkeypatch):
    content = one_bit(20_000, 9_000)  # 180 megapixels in 22 KB
    (tmp_path / "x.png").write_bytes(content)
    found = read_image(str(tmp_path / "x.png"), PLAIN)
    assert found.reason == "has 180 megapixels; --max-pixels 180000000 reads it"
    assert any(found.digest)  # it is known, and need not be looked at again
    corner = (0, 0, 1, 1)  # of a picture that is decoded whole, which converting would make large
    monkeypatch.setattr(decoding, "to_rgb", lambda image, _: image.crop(corner).convert("RGB"))
    allowed = read_image(str(tmp_path / "x.png"), PLAIN, max_pixels=180_000_000)
    assert (allowed.reason, allowed.pixels.shape) == ("", (3, 24, 24))
    assert Image.MAX_IMAGE_PIXELS == 89_478_485  # as the process had it


def one_bit(width, height):
    """A PNG whose pixels are all white, of one bit each."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    line = b"\0" + b"\xff" * (-(-width // 8))
    packer = zlib.compressobj(1)
    packed = b"".join([*(packer.compress(line) for _ in range(height)), packer.flush()])
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed)
        + chunk(b"IEND", b"")
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_strip_of_100_million_pixels_is_read(tmp_path):
    (tmp_path / "x.png").write_bytes(one_bit(100_000_000, 1))
    found = read_image(str(tmp_path / "x.png"), PLAIN)
    assert found.reason == ""
    assert found.pixels.unique().tolist() == [255]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_line_that_pillow_cannot_read_is_named():
    header = struct.pack(">IIBBBBB", 100_000_000, 1, 8, 2, 0, 0, 0)
    content = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0"))
        + chunk(b"IEND", b"")
    )  # fmt: skip
    with pytest.raises(UnreadableImage) as caught:
        decode(content)
    assert str(caught.value) == "has lines of 100000000 pixels, more than Pillow reads"


TORCHS = "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError(TORCHS)])
@pytest.mark.parametrize("step", ["pil_to_tensor", "resize"])
def test_lack_of_memory_is_not_the_fault_of_an_image_that_can_be_read_alone(
    step, error, tmp_path, monkeypatch
):
    Image.new("L", (9, 9), 7).save(tmp_path / "x.png")
    original, failures = getattr(images.transforms, step), [error]

    def fail_once(*args, **options):
        if failures:
            raise failures.pop()
        return original(*args, **options)

    monkeypatch.setattr(images.transforms, step, fail_once)
    found = read_image(str(tmp_path / "x.png"), PLAIN)
    assert (found.reason, found.pixels.unique().tolist()) == ("", [7])
    assert not failures


def test_an_image_for_which_there_is_no_memory_is_named_and_tried_again_next_time(
    tmp_path, monkeypatch
):
    def fail(*_):
        raise MemoryError

    Image.new("L", (9, 9)).save(tmp_path / "x.png")
    monkeypatch.setattr(Image.Image, "convert", fail)
    found = read_image(str(tmp_path / "x.png"), PLAIN)
    assert (found.pixels, found.reason) == (None, "needs more memory than there is")
    assert found.digest == bytes(16)  # as of one that cannot be read now


def test_reading_never_raises(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    (tmp_path / "text.jpg").write_text("text")
    os.mkfifo(tmp_path / "fifo.jpg")
    reasons = {
        name: read_image(str(tmp_path / name), PLAIN).reason for name in os.listdir(tmp_path)
    }
    assert reasons == {
        "folder.jpg": "is not a regular file",
        "dangling.jpg": "No such file or directory",
        "text.jpg": "is not an image in a known format",
        "fifo.jpg": "is not a regular file",
    }
