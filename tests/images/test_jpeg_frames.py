import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from moderate_cli.images.jpeg_frames import Frame, ordinary_frame

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))


def saved(picture=PICTURE, **options):
    file = io.BytesIO()
    picture.save(file, "JPEG", **options)
    return file.getvalue()


def rotated(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(exif=exif)


@pytest.mark.parametrize("subsampling", [0, 1, 2])  # 4:4:4, 4:2:2, 4:2:0
def test_ordinary_colors_have_a_frame(subsampling):
    assert ordinary_frame(saved(subsampling=subsampling)) == Frame(40, 60, 3)


def test_gray_has_a_frame_whatever_adobe_says_of_colors():
    gray = saved(PICTURE.convert("L"))
    assert ordinary_frame(gray) == Frame(40, 60, 1)
    assert ordinary_frame(gray[:2] + adobe(0) + gray[2:]) == Frame(40, 60, 1)


def test_orientation_is_ignored_as_everywhere():
    assert {ordinary_frame(rotated(number)) for number in range(1, 9)} == {Frame(40, 60, 3)}


def adobe(transform):
    return b"\xff\xee\x00\x0eAdobe" + bytes(6) + bytes([transform])


def test_what_a_gpu_decodes_otherwise_has_none():
    plain = saved()
    frame = plain.index(b"\xff\xc0")
    scan = plain.index(b"\xff\xda")
    others = {
        "progressive": saved(progressive=True),
        "cmyk": saved(PICTURE.convert("CMYK")),
        "rgb by Adobe's marker": plain[:2] + adobe(0) + plain[2:],
        "rgb by its letters": saved(keep_rgb=True, subsampling=0),
        "ycck": plain[:2] + adobe(2) + plain[2:],
        "arithmetic": plain[: frame + 1] + b"\xc9" + plain[frame + 2 :],
        "twelve bits": plain[: frame + 4] + b"\x0c" + plain[frame + 5 :],
        "4:1:1": plain[: frame + 11] + b"\x41" + plain[frame + 12 :],
        "no height": plain[: frame + 5] + b"\0\0" + plain[frame + 7 :],
        "two frames": plain[:scan] + plain[frame : frame + 19] + plain[scan:],
        "a scan of one component": plain[: scan + 4] + b"\1" + plain[scan + 5 :],
        "no scan": plain[:scan],
        "png": b"\x89PNG\r\n\x1a\n",
        "empty": b"",
    }
    assert ordinary_frame(plain[:2] + adobe(1) + plain[2:]) == Frame(40, 60, 3)
    assert {name for name, content in others.items() if ordinary_frame(content)} == set()


def test_a_truncated_file_has_none_even_with_a_whole_thumbnail():
    whole = saved()
    thumbnail = b"Exif\0\0" + saved(PICTURE.resize((8, 8)))
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2) + thumbnail
    whole = whole[:2] + segment + whole[2:]
    assert ordinary_frame(whole) == Frame(40, 60, 3)
    assert {ordinary_frame(whole[:end]) for end in range(len(whole) - 1)} == {None}


@given(st.data())
def test_damage_is_no_error(data):
    content = bytearray(saved())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 700))] = data.draw(st.integers(0, 255))
    ordinary_frame(bytes(content))


@given(st.binary(max_size=80))
def test_any_bytes_are_no_error(content):
    ordinary_frame(b"\xff\xd8\xff" + content)
