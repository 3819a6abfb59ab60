"""All values of the EXIF orientation, in each reader, against PIL's own turning."""

import contextlib
import io
import warnings

import numpy as np
import pytest
import torch
from decoders import OnProcessor, batch_of
from picture_files import chunk, encode, photo
from PIL import Image, ImageOps

from moderate_cli.images.decoding import opened_pixels
from moderate_cli.images.gpu_decoding import BatchDecoder
from moderate_cli.images.jpeg_header import plain_jpeg_size
from moderate_cli.images.orientation import orientation_of, orientation_of_jpeg, upright
from moderate_cli.images.preprocessing import read_image
from moderate_cli.images.quiet import without_warnings
from moderate_cli.images.thumbnails import thumbnail
from moderate_cli.images.turning import turned
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS, Preprocessing

TAGS = range(1, 9)
KINDS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
LOSSLESS = {"WEBP": {"lossless": True}, "AVIF": {"quality": 90}}
XMP = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="%d"/>'


@pytest.fixture(autouse=True)
def _quiet():
    with without_warnings():
        yield


@pytest.fixture
def picture(rng):
    """More wide than high, and without symmetry."""
    return photo(rng).resize((62, 40))


def with_tag(picture, kind, tag):
    exif = Image.Exif()
    exif[0x0112] = tag
    return encode(picture, kind, exif=exif, **LOSSLESS.get(kind, {}))


def segment(content, body):
    """Add a segment APP1 to a JPEG, after its start."""
    return content[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body + content[2:]


def expected(content):
    """Return what PIL makes of an image and its tag."""
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB"))


def decoded(content, orientation, **options):
    with opened_pixels(
        content, None, DEFAULT_MAX_PIXELS, 0, orientation=orientation, **options
    ) as pixels:
        return pixels.whole.permute(1, 2, 0).numpy(), pixels.orientation


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tag", TAGS)
def test_pixels_are_turned_as_pil_turns_them(picture, kind, tag):
    content = with_tag(picture, kind, tag)
    found, seen = decoded(content, "exif")
    np.testing.assert_array_equal(found, expected(content))
    assert found.shape[:2] == ((62, 40) if tag >= 5 else (40, 62))
    # PIL turns a TIFF while it reads it, also for ImageFolder.
    assert seen == (1 if kind == "TIFF" else tag)
    ignored, again = decoded(content, "ignore")
    np.testing.assert_array_equal(
        ignored, np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    )
    assert again == seen


@pytest.mark.parametrize("tag", TAGS)
def test_xmp_has_a_tag_where_exif_has_none(picture, tag):
    content = segment(encode(picture, "JPEG"), XMP % tag)
    assert plain_jpeg_size(content) is None
    found, seen = decoded(content, "exif")
    np.testing.assert_array_equal(found, expected(content))
    assert seen == orientation_of_jpeg(content) == tag


def test_a_png_may_have_its_tag_at_the_end(picture):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encode(picture, "PNG")
    content = content[:-12] + chunk(b"eXIf", exif.tobytes()[6:]) + content[-12:]
    found, seen = decoded(content, "exif", strips_cut=True)
    np.testing.assert_array_equal(found, expected(content))
    assert seen == 6


@pytest.mark.parametrize("tag", [0, 9, 255, 65535])
def test_other_numbers_turn_nothing(picture, tag):
    content = with_tag(picture, "JPEG", tag)
    found, seen = decoded(content, "exif")
    np.testing.assert_array_equal(found, expected(content))
    assert seen == orientation_of_jpeg(content) == 1


def test_damaged_exif_turns_as_pil_does(picture, rng):
    """Whatever bytes a camera wrote, the picture is read; and turned only if PIL would do it."""
    whole = with_tag(picture, "JPEG", 6)
    start = whole.index(b"Exif\0\0")
    end = start + int.from_bytes(whole[start - 2 : start]) - 2
    contents = [segment(encode(picture, "JPEG"), b"Exif\0\0" + rest) for rest in (b"", b"x", b"MM")]
    for at in range(start + 6, end):
        changed = bytearray(whole)
        changed[at] ^= int(rng.integers(1, 256))
        contents.append(bytes(changed))
    turns = set()
    for content in contents:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found, seen = decoded(content, "exif")
            with Image.open(io.BytesIO(content)) as image:
                assert seen == orientation_of(image) == orientation_of_jpeg(content)
            try:
                wanted = expected(content)
            except Exception:  # of PIL's reader of EXIF
                wanted = decoded(content, "ignore")[0]
        np.testing.assert_array_equal(found, wanted)
        turns.add(seen)
    assert turns >= {1, 6}


@pytest.mark.parametrize("tag", TAGS)
def test_images_are_turned_before_they_are_resized(tmp_path, picture, tag):
    (tmp_path / "a.jpg").write_bytes(with_tag(picture, "JPEG", tag))
    Image.fromarray(expected((tmp_path / "a.jpg").read_bytes())).save(tmp_path / "upright.png")
    how = Preprocessing(20, 16, "bicubic", (0.0,) * 3, (1.0,) * 3, orientation="exif")
    found, wanted = (read_image(f"{tmp_path}/{name}", how) for name in ("a.jpg", "upright.png"))
    assert torch.equal(found.pixels, wanted.pixels)
    assert (found.orientation, wanted.orientation) == (tag, 1)


@pytest.mark.parametrize("orientation", ["exif", "ignore"])
def test_a_gpu_turns_as_the_processor_does(tmp_path, picture, orientation):
    how = Preprocessing(
        20, 16, "bicubic", (0.0,) * 3, (1.0,) * 3, "gpu (a stand-in)", orientation=orientation
    )
    for tag in TAGS:
        (tmp_path / f"{tag}.jpg").write_bytes(with_tag(picture, "JPEG", tag))
    (tmp_path / "9.jpg").write_bytes(with_tag(picture.convert("CMYK"), "JPEG", 6))  # not for a GPU
    names = sorted(map(str, tmp_path.iterdir()))
    batch, facts = batch_of(names, how)
    with contextlib.closing(BatchDecoder(OnProcessor(), how, DEFAULT_MAX_PIXELS)) as batches:
        found = batches.begin(lambda: batch)()
    here = [read_image(name, how) for name in names]
    assert torch.equal(found.pixels, torch.stack([image.pixels for image in here]))
    assert facts.orientations.tolist() == [*TAGS, 6]
    assert [image.orientation for image in here] == [*TAGS, 6]


def test_strips_are_turned_whole(rng):
    strip = photo(rng).resize((301, 5))
    content = with_tag(strip, "PNG", 6)
    found, _ = decoded(content, "exif", strips_cut=True)
    np.testing.assert_array_equal(found, expected(content))


@pytest.mark.parametrize("tag", TAGS)
def test_thumbnails_follow(tmp_path, tag):
    # One quarter of it is bright: upright, the one at the left above.
    corner = Image.new("L", (40, 40))
    corner.paste(255, (0, 0, 20, 20))
    back = {6: 8, 8: 6}.get(tag, tag)  # all others are their own inverse
    (tmp_path / "a.png").write_bytes(with_tag(upright(corner, back), "PNG", tag))
    for orientation in ("exif", "ignore"):
        uri = thumbnail(f"{tmp_path}/a.png", 8, orientation=orientation).uri
        with Image.open(io.BytesIO(__import__("base64").b64decode(uri.partition(",")[2]))) as image:
            bright = np.asarray(image.convert("L")) > 128
        assert bright[:4, :4].all() == (orientation == "exif" or tag in (1, 5))
        assert bright.sum() == 16


def test_turning_a_tensor_is_turning_a_picture(rng):
    pixels = rng.integers(0, 256, (3, 5, 3), dtype=np.uint8)
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    for tag in TAGS:
        wanted = np.asarray(upright(Image.fromarray(pixels), tag))
        np.testing.assert_array_equal(turned(tensor, tag).permute(1, 2, 0).numpy(), wanted)
