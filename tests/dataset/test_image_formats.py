"""Formats, by the name of a file and its first bytes."""

import io
import sys

import numpy as np
import pytest
from picture_files import decode
from PIL import Image

from moderate_cli.dataset import scan
from moderate_cli.dataset.image_formats import HEAD, format_of, register_readers, unidentified
from moderate_cli.images.opening import UnreadableImage


def encoded(kind, **how):
    file = io.BytesIO()
    Image.new("RGB", (16, 16), (51, 51, 51)).save(file, kind, **how)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("JPEG", "JPEG"),
        ("PNG", "PNG"),
        ("GIF", "GIF"),
        ("TIFF", "TIFF"),
        ("WEBP", "WebP"),
        ("AVIF", "AVIF"),
        ("JPEG2000", "JPEG 2000"),
        ("BMP", "BMP"),
        ("QOI", "QOI"),
        ("HEIF", "HEIF"),
    ],
)
def test_a_format_is_identified_by_its_first_bytes(kind, name):
    assert format_of(encoded(kind)[:HEAD]) == name


@pytest.mark.parametrize(
    "head", [b"", b"#!/bin/sh", b"BMore", b"RIFF\0\0\0\0WAVE", b"\0\0\0\x18ftypmp42", b"\xff\xd8"]
)
def test_a_file_that_is_not_an_image_is_recognized(head):
    assert format_of(head) == ""


def test_heic_photos_are_read_as_others_are(data, moderate):
    pixels = decode(encoded("HEIF", quality=-1))
    np.testing.assert_allclose(pixels.numpy(), 51, atol=1)
    (data / "dog" / "IMG.HEIC").write_bytes(encoded("HEIF", quality=-1))
    (data / "dog" / "renamed.jpg").write_bytes(encoded("HEIF", quality=-1))
    done = moderate("score", data)
    assert (done.status, done.stderr) == (
        0,
        f"moderate: warning: {data}: 1 .heic is read here, but ImageFolder ignores it, even in an"
        f" export; convert .heic to JPEG\nmoderate: warning: {data}: rows of -o FILE.npy differ"
        " from those of ImageFolder, which ignores 1 image; use paths (-o FILE.txt), or remove the"
        " cause\n",
    )
    assert [line.partition("\t")[2] for line in done.stdout.splitlines()][-3:] == [
        "dog/IMG.HEIC", "dog/renamed.jpg", "owl/0.png"
    ]  # fmt: skip


def test_without_the_package_heic_photos_are_ignored_and_it_is_named(data, moderate, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    register_readers()  # does no harm
    (data / "owl" / "IMG.HEIC").write_bytes(encoded("HEIF"))
    assert len(scan(data)) == 8
    done = moderate("embed", data)
    assert done.status == 0
    assert done.stderr.splitlines()[0] == (
        f"moderate: warning: {data}: ignored 1 .heic; pip install 'moderate-cli[heif]' to read"
        " .heic"
    )


def test_a_dataset_of_heic_photos_alone_names_the_package(tmp_path, moderate, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.heic").touch()
    done = moderate("embed", tmp_path)
    assert (done.status, done.stderr) == (
        1,
        f"moderate: error: {tmp_path}: there are no images (.jpg .jpeg .png .ppm .bmp .pgm .tif"
        " .tiff .webp) in its class folders, but 1 .heic (pip install"
        " 'moderate-cli[heif]' to read .heic); pass the folder that contains the class folders\n",
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\0\0\0\x0cJXL \r\n\x87\n", "is JPEG XL, which cannot be read; convert it to PNG"),
        (b"version https://git-lfs", "is a Git LFS pointer; git lfs pull gets the image"),
        (b"rubbish", "is not an image in a known format"),
    ],
)
def test_a_file_of_an_unknown_format_is_named_by_what_it_is(content, reason):
    with pytest.raises(UnreadableImage) as caught:
        decode(content)
    assert str(caught.value) == reason


def test_what_needs_a_package_names_it():
    told = "is HEIF, which needs a missing package; pip install 'moderate-cli[heif]'"
    assert unidentified(encoded("HEIF")) == told
    told = "is AVIF, which this Pillow cannot read; pip install -U pillow"
    assert unidentified(encoded("AVIF")) == told


@pytest.mark.parametrize(
    ("name", "kind"),
    [("1.gif", "GIF"), ("1.avif", "AVIF"), ("1.JFIF", "JPEG"), ("1.jp2", "JPEG2000"),
     ("1.tga", "TGA"), ("1.qoi", "QOI"), ("1.dds", "DDS"), ("1.pcx", "PCX"), ("1.sgi", "SGI")],
)  # fmt: skip
def test_a_picture_under_a_name_that_image_folder_does_not_list_has_its_pixels(
    data, moderate, name, kind
):
    (data / "owl" / name).write_bytes(encoded(kind))
    done = moderate("score", data)
    scores = {line.split("\t")[1]: float(line.split("\t")[0]) for line in done.stdout.splitlines()}
    assert scores[f"owl/{name}"] == pytest.approx(0, abs=0.05)  # of one level with owl/0.png
    assert len(scores) == 9
