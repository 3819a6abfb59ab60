import base64
import io
import os
import struct
import zlib

import numpy as np
import pytest
from conftest import paint
from PIL import Image

from moderate_cli.dataset import Dataset
from moderate_cli.images.thumbnails import Thumbnail, thumbnail, thumbnails


def test_thumbnails_take_no_more_room_than_they_may(tmp_path):
    for number in range(4):
        paint(tmp_path / f"{number}.png", 60 * number)
    (tmp_path / "bad.png").write_bytes(b"%!PS-Adobe")
    os.mkfifo(tmp_path / "fifo.png")
    names = ["0.png", "bad.png", "fifo.png", "missing.png", "1.png", "2.png", "3.png"]
    dataset = Dataset(tmp_path, (".",), names, np.zeros(7, np.int64))
    every = thumbnails(dataset, names, 16, 1_000_000)
    assert [one.reason for one in every] == [
        "",
        "is PostScript, a program that Ghostscript would run",
        "is not a regular file",
        "No such file or directory",
        "",
        "",
        "",
    ]
    assert [one.uri[:23] for one in every if not one.reason] == ["data:image/webp;base64,"] * 4
    room = sum(len(one.uri) + len(one.reason) for one in every[:5])
    none = Thumbnail("", "no room for its picture on this page")
    assert thumbnails(dataset, names, 16, room) == [*every[:5], none, none]
    assert thumbnails(dataset, names, 16, room + 50, 7 * [10]) == [*every[:5], none, none]
    told = []
    thumbnails(dataset, names, 16, room, on_progress=lambda *one: told.append(one))
    assert ([done for done, _ in told], told[-1]) == ([1, 2, 3, 4, 5], (5, 5))
    assert thumbnails(dataset, names, 16, room + 49, 7 * [10]) == [*every[:4], none, none, none]


def size_of(uri):
    head, _, content = uri.partition(",")
    assert head == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as found:
        return found.size


@pytest.mark.parametrize(
    ("size", "drawn"), [((300, 100), (30, 10)), ((40, 80), (15, 30)), ((9, 7), (9, 7))]
)
def test_a_thumbnail_is_the_whole_image_and_never_larger(tmp_path, size, drawn):
    for suffix in ("png", "jpg"):
        Image.new("RGB", size, "black").save(tmp_path / f"x.{suffix}")
        assert size_of(thumbnail(f"{tmp_path}/x.{suffix}", 30).uri) == drawn


def test_a_transparent_thumbnail_is_composited_on_white(tmp_path):
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    content = thumbnail(f"{tmp_path}/clear.png", 10).uri.partition(",")[2]
    with Image.open(io.BytesIO(base64.b64decode(content))) as found:
        assert np.asarray(found).min() == 255


def test_a_strip_is_drawn_and_a_picture_that_is_too_large_says_so(tmp_path):
    Image.new("1", (70_000, 1), 1).save(tmp_path / "strip.png")
    assert thumbnail(f"{tmp_path}/strip.png", 10).reason == ""
    header = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 9_000, 1, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header
    (tmp_path / "x.png").write_bytes(
        content + struct.pack(">I", zlib.crc32(header)) + struct.pack(">I4sI", 0, b"IDAT", 0)
    )
    found = thumbnail(f"{tmp_path}/x.png", 10)
    assert found == Thumbnail("", "has 180 megapixels, too many for a thumbnail")
