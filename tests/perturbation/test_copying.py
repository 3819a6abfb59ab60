import csv
import os
import re

import numpy as np
import pytest
from conftest import paint
from PIL import ExifTags, Image
from torchvision.datasets import ImageFolder

from moderate_cli import embed, perturb, scan
from moderate_cli.errors import DatasetError, DeviceError
from moderate_cli.perturbation import RECORD
from moderate_cli.perturbation.corruptions import CORRUPTIONS


def record(folder):
    with (folder / RECORD).open(newline="", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def test_exactly_as_many_labels_are_wrong_as_asked_for(many, tmp_path):
    made = perturb(scan(many), tmp_path / "p", label_noise="0.25", pair_noise="0.1").images
    rows = record(tmp_path / "p")
    assert len(rows) == 14
    order = "abcda"
    assert sum(order[order.index(r["original_class"]) + 1] == r["class"] for r in rows) >= 4
    for row in rows:
        assert row["class"] != row["original_class"]
        assert row["corruption"] == ""
        same = tmp_path / "p" / row["path"], many / row["original_path"]
        assert os.path.samefile(*same)
    found = ImageFolder(tmp_path / "p")
    assert len(found.samples) == 40
    assert found.class_to_idx == ImageFolder(many).class_to_idx
    assert sorted(image.path for image in made) == sorted(
        os.path.relpath(path, tmp_path / "p") for path, _ in found.samples
    )


def test_ruined_pictures_are_shared_among_the_corruptions(many, tmp_path):
    before = {path: path.read_bytes() for path in many.rglob("*.png")}
    perturb(scan(many), tmp_path / "p", corrupt=0.5, link="none")
    rows = record(tmp_path / "p")
    kinds = [row["corruption"] for row in rows]
    assert {kind: kinds.count(kind) for kind in kinds} == dict.fromkeys(CORRUPTIONS, 4)
    for row in rows:
        assert row["class"] == row["original_class"]
        with Image.open(tmp_path / "p" / row["path"]) as ruined:
            assert ruined.size == (9, 9)
    assert {path: path.read_bytes() for path in many.rglob("*.png")} == before


@pytest.mark.parametrize("link", ["none", "hard", "symbolic"])
def test_what_is_not_ruined_is_linked_or_copied(many, tmp_path, link):
    made = perturb(scan(many), tmp_path / "p", corrupt=0.1, link=link).images
    for image in made:
        path, source = tmp_path / "p" / image.path, many / image.source
        if image.corruption:
            assert not path.is_symlink()
            assert path.stat().st_nlink == 1
        else:
            assert path.is_symlink() == (link == "symbolic")
            assert os.path.samefile(path, source) == (link != "none")


def test_the_seed_decides(many, tmp_path):
    contents = []
    for number, seed in enumerate((1, 1, 2)):
        perturb(scan(many), tmp_path / f"{number}", label_noise=0.2, corrupt=0.2, seed=seed)
        files = sorted((tmp_path / f"{number}").rglob("*.*"))
        contents.append(
            [(path.relative_to(tmp_path / f"{number}"), path.read_bytes()) for path in files]
        )
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_a_ruined_photo_is_turned_as_before(tmp_path):
    """Of its metadata, only the orientation is copied."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "a camera"
    for name in ("a", "b"):
        (tmp_path / "phone" / name).mkdir(parents=True)
        picture = Image.new("RGB", (20, 10), "white")
        picture.save(tmp_path / "phone" / name / "0.jpg", exif=exif if name == "a" else b"")
    perturb(scan(tmp_path / "phone"), tmp_path / "p", corrupt=1)
    with Image.open(tmp_path / "p/a/0.png") as ruined:
        assert (ruined.size, dict(ruined.getexif())) == ((20, 10), {ExifTags.Base.Orientation: 6})
    with Image.open(tmp_path / "p/b/0.png") as ruined:
        assert "exif" not in ruined.info
    store = embed(tmp_path / "p", backbone="pixels", orientation="exif")
    assert store.orientations.tolist() == [6, 1]


def test_an_image_that_cannot_be_read_leaves_nothing(many, moderate, tmp_path):
    (many / "b" / "3.png").write_text("<html>")
    done = moderate("perturb", many, "-o", tmp_path / "p", "--corrupt", "1")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr == (
        f"moderate: error: {many}/b/3.png: is not an image in a known format; remove it first\n"
    )
    assert os.listdir(tmp_path) == ["many"]
    assert moderate("perturb", many, "-o", tmp_path / "p", "--label-noise", "0.5").status == 0


def test_a_picture_that_is_too_large_is_named_with_the_way_out(many, moderate, tmp_path):
    args = ("perturb", many, "-o", tmp_path / "p", "--corrupt", "1", "--max-pixels")
    done = moderate(*args, "80")
    assert (done.status, done.stdout) == (1, "")
    assert re.fullmatch(
        rf"moderate: error: {many}/./\d+\.png: has 81 pixels; --max-pixels 81 reads it; remove it"
        r" first\n",
        done.stderr,
    )
    assert moderate(*args, "81").status == 0


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (MemoryError(), DatasetError, "there is not enough memory to ruin it; remove it"),
        (DeviceError("the GPU failed (x)"), DeviceError, "the GPU failed (x)"),
    ],
)
def test_a_picture_that_cannot_be_ruined_is_named(error, kind, said, many, tmp_path, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setitem(CORRUPTIONS, "fog", fail)
    with pytest.raises(kind, match=rf"{many}/./\d+\.png: {re.escape(said)}"):
        perturb(scan(many), tmp_path / "p", corrupt=1)
    assert os.listdir(tmp_path) == ["many"]


def test_what_is_transparent_is_ruined_as_it_is_seen(tmp_path):
    (tmp_path / "one" / "a").mkdir(parents=True)
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(tmp_path / "one" / "a" / "1.png")
    (made,) = perturb(scan(tmp_path / "one"), tmp_path / "p", corrupt=1).images
    with Image.open(tmp_path / "p" / made.path) as found:
        assert np.median(np.asarray(found)) > 200


def test_a_palette_with_transparency_is_ruined_without_a_warning(tmp_path):
    (tmp_path / "one" / "a").mkdir(parents=True)
    picture = Image.new("L", (9, 9)).convert("P")
    picture.save(tmp_path / "one" / "a" / "1.png", transparency=b"\0\x80")
    perturb(scan(tmp_path / "one"), tmp_path / "p", corrupt=1)
    assert len(record(tmp_path / "p")) == 1


def test_it_never_writes_into_the_dataset(many, moderate):
    before = sorted(many.rglob("*"))
    done = moderate("perturb", many, "-o", many / "p", "--corrupt", "1")
    assert done.status == 1
    assert sorted(many.rglob("*")) == before
    assert "p: is inside the dataset; choose a folder outside it" in done.stderr


def test_odd_names_stay_whole(tmp_path):
    names = ["-rf.png", "new\nline.png", os.fsdecode(b"\xff.png"), "deep/er/x.png", "\x1b[2J.png"]
    for label in ("a", os.fsdecode(b"b\xfe")):
        for name in names:
            paint(tmp_path / "odd" / label / name, 9)
    made = perturb(scan(tmp_path / "odd"), tmp_path / "p", label_noise=0.5, corrupt=0.5).images
    for image in made:
        assert (tmp_path / "p" / image.path).is_file()
    changed = {image.path for image in made if image.path != image.source or image.corruption}
    assert {row["path"] for row in record(tmp_path / "p")} == changed


def test_names_that_are_as_long_as_they_can_be_are_cut_where_they_collide(tmp_path):
    data = tmp_path / "data"
    long = "\u00e9" * 125 + "x"  # with its suffix, 255 bytes
    for name in ("a", "b"):
        paint(data / name / "deep" / f"{long}.png", 9)
    made = perturb(scan(data), tmp_path / "out", label_noise=0.5).images
    moved = [image for image in made if image.path != image.source]
    (one,) = moved
    assert one.path == "ab"[one.label] + "/deep/" + "\u00e9" * 124 + "-1.png"
    assert sorted(image.path for image in made) == sorted(scan(tmp_path / "out").paths)


@pytest.mark.parametrize("corrupt", [0.5, 1])
def test_short_names_stay_as_they_are_where_a_long_one_is_cut(tmp_path, corrupt):
    data = tmp_path / "data"
    for name in ("x" * 251 + ".jpg", "x" * 251 + ".bmp", "y.jpg", "y.bmp"):
        paint(data / "a" / name, 9)
    made = perturb(scan(data), tmp_path / "out", corrupt=corrupt).images
    assert max(len(os.path.basename(image.path)) for image in made) == 255
    assert sorted(image.path for image in made) == sorted(scan(tmp_path / "out").paths)
    if corrupt == 1:
        assert sorted(os.path.basename(image.path) for image in made) == [
            "x" * 249 + "-1.png", "x" * 251 + ".png", "y-1.png", "y.png"
        ]  # fmt: skip
