"""JPEGs that are decoded without PIL are those that PIL opens, and have its pixels."""

import io
import time
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import encode, odd_files, photo, variants
from PIL import Image, ImageCms

from moderate_cli.images import decoding, jpeg
from moderate_cli.images.jpeg import decode_plain_jpeg
from moderate_cli.images.jpeg_header import plain_jpeg_size
from moderate_cli.images.preprocessing import read_image
from moderate_cli.networks.table import Preprocessing

PLAIN = Preprocessing(32, 24, "bilinear", (0.0,) * 3, (1.0,) * 3)
PHOTO = photo(np.random.default_rng(0))
# Smaller files, so that most changes hit the header.
SMALL = PHOTO.resize((9, 7))
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
EXIF = (
    b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x1a\0\x05\0\0\0\x01\0\0\0\x1a\0\0\0\0\0\0\0\x48\0\0\0\x01"
)
SEEDS = [
    encode(SMALL, "JPEG"),
    encode(SMALL, "JPEG", progressive=True, dpi=(72, 72), exif=EXIF),
    encode(SMALL, "JPEG", exif=EXIF, comment=b"a comment"),
    encode(SMALL, "JPEG", icc_profile=PROFILE, restart_marker_blocks=1),
    encode(SMALL, "JPEG", keep_rgb=True, qtables=[[300] * 64]),
    encode(SMALL.convert("L"), "JPEG"),
    encode(SMALL.convert("CMYK"), "JPEG"),
    encode(SMALL, "MPO", save_all=True, append_images=[SMALL]),
]
SEGMENTS = [
    b"\xff\xe0\0\x06JFIF",
    b"\xff\xe2\0\x0eICC_PROFILE\0",
    b"\xff\xe2\0\x06MPF\0",
    b"\xff\xed\0\x16Photoshop 3.0\0008BIM\0\0",
    b"\xff\xee\0\x07Adobe",
    b"\xff\xe1\0\x12" + EXIF[:16],
    b"\xff\xdb\0\x04\x10\0",
    b"\xff\xdd\0\x04\0\1",
    b"\xff\xff",
    b"\xff\0",
    b"x",
]


def opened_by_pil(content):
    """Format, mode and size of a picture; None if PIL refuses it."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.format, image.mode, image.size
    except Exception:
        return None


def check(content):
    size = plain_jpeg_size(content)
    if size is not None:
        assert opened_by_pil(content) in (("JPEG", "RGB", size), ("JPEG", "L", size))


def every_kind():
    yield from variants(PHOTO)
    yield from odd_files(PHOTO, np.random.default_rng(1))


@pytest.mark.filterwarnings("ignore")
def test_kinds_that_are_read_without_pil_are_opened_by_it_alike():
    found = Counter()
    for _, content in every_kind():
        check(content)
        found[plain_jpeg_size(content) is not None] += 1
        if content.startswith(b"\xff\xd8"):
            for end in range(0, len(content), 1 + len(content) // 200):
                check(content[:end])
    assert found[True] >= 10, found
    plain = {name for name, content in variants(PHOTO) if plain_jpeg_size(content)}
    assert plain == {
        "baseline JPEG", "progressive JPEG", "JPEG without subsampling", "RGB JPEG", "gray JPEG",
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=1500, deadline=None)
@given(st.data())
def test_a_changed_header_is_plain_only_if_pil_opens_it_alike(data):
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(2, min(len(content), 700)))
        match data.draw(st.integers(0, 3)):
            case 0:
                content[at : at + 1] = data.draw(st.binary(min_size=1, max_size=2))
            case 1:
                del content[at : at + data.draw(st.integers(1, 80))]
            case 2:
                starts = [n for n in range(2, 700) if content[n : n + 1] == b"\xff"]
                at = data.draw(st.sampled_from(starts)) if starts else at
                content[at:at] = data.draw(st.sampled_from(SEGMENTS))
            case 3:
                del content[at:]
    check(bytes(content))


@pytest.mark.parametrize("segment", SEGMENTS[:6], ids=repr)
def test_a_segment_that_pil_may_refuse_is_left_to_it(segment):
    content = SEEDS[0]
    assert plain_jpeg_size(content) == (9, 7)
    assert plain_jpeg_size(content[:2] + segment + content[2:]) is None


FRAME, SCAN = "ffc0 000b 08 0002 0003 01 011100", "ffda 0008 01 0100 003f00"


def test_the_size_is_that_of_the_frame():
    assert plain_jpeg_size(bytes.fromhex(f"ffd8 {FRAME} {SCAN}")) == (3, 2)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(f"{FRAME} {FRAME} {SCAN}", id="two frames"),
        pytest.param(f"{SCAN} {FRAME}", id="no frame before the scan"),
        pytest.param("ffc0 000c 08 0002 0003 01 011100 00" + SCAN, id="frame of odd length"),
        pytest.param("ffc0 0007 08 0002 0003" + SCAN, id="frame without components"),
        pytest.param("ffc0 000b 08 0000 0003 01 011100" + SCAN, id="no height"),
        pytest.param("ffc0 000b 08 0002 0000 01 011100" + SCAN, id="no width"),
        pytest.param("ffc0 000b 0c 0002 0003 01 011100" + SCAN, id="12 bits"),
        pytest.param("ffc9 000b 08 0002 0003 01 011100" + SCAN, id="arithmetic codes"),
        pytest.param(f"fffe 0001 {FRAME} {SCAN}", id="segment shorter than its length"),
        pytest.param(f"ffd9 {FRAME} {SCAN}", id="end before the frame"),
    ],
)
def test_an_odd_header_is_left_to_pil(header):
    assert plain_jpeg_size(bytes.fromhex("ffd8" + header)) is None


@pytest.mark.filterwarnings("ignore")
def test_every_kind_is_read_as_by_pil_alone(tmp_path, monkeypatch):
    files = dict(every_kind())
    for name, content in files.items():
        (tmp_path / name.replace("/", " ")).write_bytes(content)

    def read_all():
        return {
            name: read_image(str(tmp_path / name.replace("/", " ")), PLAIN)._replace(
                decoding=0, transforming=0
            )
            for name in files
        }

    lean = read_all()
    monkeypatch.setattr(decoding, "decode_plain_jpeg", lambda *_: None)
    with_header_by_pil = read_all()
    monkeypatch.setattr(jpeg, "_decoder", lambda: None)
    for others in (with_header_by_pil, read_all()):
        for name, found in lean.items():
            expected = others[name]
            assert found[1:] == expected[1:], name
            if expected.pixels is None:
                assert found.pixels is None, name
            else:
                assert torch.equal(found.pixels, expected.pixels), name


def test_a_plain_jpeg_is_read_without_pil(monkeypatch, tmp_path):
    (tmp_path / "x.jpg").write_bytes(encode(PHOTO, "JPEG"))
    monkeypatch.setattr(Image, "open", None)
    assert read_image(str(tmp_path / "x.jpg"), PLAIN).pixels.shape == (3, 24, 24)


def test_large_reduced_and_forbidden_pictures_are_left_to_pil(monkeypatch):
    content = encode(PHOTO, "JPEG")  # 311 x 217
    assert decode_plain_jpeg(content, None, 311 * 217).shape == (3, 217, 311)
    assert decode_plain_jpeg(content, None, 311 * 217 - 1) is None
    assert decode_plain_jpeg(content, 109, 10**6).shape == (3, 217, 311)
    assert decode_plain_jpeg(content, 108, 10**6) is None
    monkeypatch.setattr(jpeg, "LARGE", 311 * 217 - 1)
    assert decode_plain_jpeg(content, None, 10**6) is None


def test_a_library_that_cannot_be_loaded_leaves_all_to_pil(monkeypatch):
    def fail(_path):
        raise OSError("undefined symbol")

    monkeypatch.setattr(torch.ops, "load_library", fail)
    assert jpeg._decoder.__wrapped__() is None
    monkeypatch.setattr(jpeg.importlib.util, "find_spec", lambda _: None)
    assert jpeg._decoder.__wrapped__() is None


def test_a_header_takes_less_time_than_pil_takes():
    content = encode(PHOTO, "JPEG")

    def spent(work):
        start = time.process_time()
        for _ in range(1000):
            work()
        return time.process_time() - start

    lean = min(spent(lambda: plain_jpeg_size(content)) for _ in range(5))
    pil = min(spent(lambda: Image.open(io.BytesIO(content))) for _ in range(5))
    assert lean < pil / 2
