import io
import os
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import chunk, decode, encode, odd_files, photo, png, variants
from PIL import Image
from torchvision import transforms
from torchvision.transforms.v2 import functional

from moderate_cli.images import decoding
from moderate_cli.images import preprocessing as images
from moderate_cli.images.opening import UnreadableImage
from moderate_cli.images.preprocessing import read_image, resize_and_crop
from moderate_cli.networks.table import Preprocessing


@pytest.fixture(name="photo")
def _photo(rng):
    return photo(rng)


PLAIN = Preprocessing(32, 24, "bilinear", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


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


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 90), st.integers(1, 90), st.sampled_from(["bilinear", "bicubic"]),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_resize_and_crop_has_the_bits_of_torchvision(height, width, interpolation, planes, squash):
    shape = (3, height, width) if planes else (height, width, 3)
    pixels = torch.randint(0, 256, shape, generator=torch.manual_seed(0), dtype=torch.uint8)
    pixels = pixels if planes else pixels.permute(2, 0, 1)
    expected = pixels
    if max(height, width) > 8 * min(height, width):
        sides = [min(side, 8 * min(height, width)) for side in (height, width)]
        expected = functional.center_crop(expected, sides)
    size = [32, 32] if squash else [32]
    expected = functional.resize(expected, size, transforms.InterpolationMode(interpolation))
    expected = functional.center_crop(expected, [24, 24])
    preprocessing = Preprocessing(32, 24, interpolation, PLAIN.mean, PLAIN.std, squash=squash)
    assert torch.equal(resize_and_crop(pixels, preprocessing), expected)


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
@pytest.mark.parametrize(
    ("module", "step", "kind"),
    [
        (torch, "from_numpy", "png"),
        (torch, "frombuffer", "jpg"),
        (torch.nn.functional, "interpolate", "png"),
    ],
)
def test_lack_of_memory_is_not_the_fault_of_an_image_that_can_be_read_alone(
    module, step, kind, error, tmp_path, monkeypatch
):
    path = tmp_path / f"x.{kind}"
    Image.new("L", (9, 9), 7).save(path)
    original, failures = getattr(module, step), [error]

    def fail_once(*args, **options):
        if failures:
            raise failures.pop()
        return original(*args, **options)

    monkeypatch.setattr(module, step, fail_once)
    found = read_image(str(path), PLAIN)
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
