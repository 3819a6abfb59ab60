"""Datasets in tar files, as WebDataset makes them."""

import io
import json
import os
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from conftest import LEVELS
from PIL import Image

from moderate_cli.dataset import scan
from moderate_cli.embedding import embed
from moderate_cli.errors import DatasetError

PATTERN = "shards/train-{000..002}.tar"
READ = """
import sys, webdataset
for sample in webdataset.WebDataset(sys.argv[1:], shardshuffle=False).decode("pil"):
    print(sample["__key__"], sample["cls"], sample["png"].getpixel((0, 0))[0])
"""


def png(level, kind="png"):
    file = io.BytesIO()
    Image.new("RGB", (9, 9), (level, level, level)).save(file, kind)
    return file.getvalue()


def write(path, files):
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


@pytest.fixture
def shards(tmp_path, monkeypatch):
    """The images of `LEVELS` in three tar files, of classes 10, 9 and 8."""
    monkeypatch.chdir(tmp_path)
    samples = [
        (f"{label}{number}", 10 - label, level)
        for label, levels in enumerate(LEVELS.values())
        for number, level in enumerate(levels)
    ]
    for shard in range(3):
        files = {}
        for key, label, level in samples[3 * shard : 3 * shard + 3]:
            own = {"png": png(level), "cls": str(label).encode(), "seg.txt": b"more"}
            files |= {f"{key}.{extension}": content for extension, content in own.items()}
        write(tmp_path / f"shards/train-00{shard}.tar", files)
    return tmp_path / "shards"


def pixels(pattern, **options):
    return embed(scan(pattern), "pixels", dtype="float32", runtime="torch", **options)


def grays(store):
    return [round(255 * float(value), 3) for value in store.features[:, 0]]


def names(path):
    with tarfile.open(path) as tar:
        return tar.getnames()


def test_samples_are_listed_by_key_in_the_order_of_the_tars(shards):
    dataset = scan(PATTERN)
    assert dataset.classes == ("8", "9", "10")
    assert list(dataset.paths) == ["00", "01", "02", "03", "04", "10", "11", "20"]
    assert dataset.labels.tolist() == [2, 2, 2, 2, 2, 1, 1, 0]


def test_features_lie_beside_the_tars(shards, moderate):
    done = moderate("embed", PATTERN)
    folder = shards / "train-000..002.moderate" / "pixels-float32-float32"
    assert done == (0, "", f"moderate: 8 images, 192 features each, in {folder}\n")
    assert grays(pixels(PATTERN)) == [0, 51, 102, 153, 255, 0, 255, 51]
    assert moderate("info", PATTERN).stdout.startswith(f"feature set     {folder}\n")


def test_the_index_lists_keys(shards, moderate):
    done = moderate("select", "-r", "0.5", "--scope", "class", PATTERN)
    assert done.stdout.split() == ["01", "03", "10", "20"]
    moderate("select", "-r", "0.5", "--scope", "class", PATTERN, "-o", "kept.npy")
    assert np.load("kept.npy").tolist() == [1, 3, 5, 7]


def test_kept_samples_go_to_tars_that_webdataset_reads(shards, moderate, tmp_path):
    kept = moderate("select", "-r", "0.5", "--scope", "class", PATTERN).stdout.split()
    done = moderate("select", "-r", "0.5", "--scope", "class", PATTERN, "--copy-to", "out")
    assert done == (0, "", "moderate: 4 of 8 images in out\n")
    assert sorted(os.listdir("out")) == [
        ".moderate-export", "train-000.tar", "train-001.tar", "train-002.tar"
    ]  # fmt: skip
    assert names("out/train-002.tar") == ["20.png", "20.cls", "20.seg.txt"]
    # In a process of its own, for it leaves its files open.
    done = subprocess.run(
        [sys.executable, "-c", READ, *sorted(map(str, (tmp_path / "out").glob("*.tar")))],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    read = [line.split() for line in done.stdout.splitlines()]
    assert [key for key, _, _ in read] == kept
    assert [label for _, label, _ in read] == ["10", "10", "9", "8"]
    assert [level for _, _, level in read] == ["51", "153", "0", "51"]


def test_a_copy_of_everything_is_the_same_and_replaces_an_earlier_one(shards, moderate):
    moderate("select", "-r", "0.3", "--scope", "class", PATTERN, "--copy-to", "out")
    assert moderate("select", "-r", "1", PATTERN, "--copy-to", "out").status == 1
    assert moderate("select", "-r", "1", PATTERN, "--copy-to", "out", "--force").status == 0
    for name in ("train-000.tar", "train-001.tar", "train-002.tar"):
        with open(f"out/{name}", "rb") as copy, open(f"shards/{name}", "rb") as source:
            assert copy.read() == source.read()


def test_an_export_neither_replaces_the_tars_nor_links(shards, moderate):
    done = moderate("select", "-r", "1", PATTERN, "--copy-to", "shards", "--force")
    assert (done.status, done.stderr) == (
        1,
        "moderate: shards: contains the tar file train-000.tar of the dataset; choose a separate"
        " folder\n",
    )
    assert moderate("select", "-r", "1", PATTERN, "--copy-to", "o", "--link", "hard").status == 2
    assert len(scan(PATTERN)) == 8


def test_an_export_does_not_replace_what_links_lead_to(shards, moderate, tmp_path):
    before = {path.name: path.read_bytes() for path in shards.glob("*.tar")}
    (tmp_path / "folder").symlink_to(shards)
    (tmp_path / "files").mkdir()
    for path in shards.glob("*.tar"):
        (tmp_path / "files" / path.name).symlink_to(path)
    for folder in ("folder", "files"):
        pattern = PATTERN.replace("shards", folder)
        for target in ("shards", folder):
            done = moderate("select", "-r", "0.5", pattern, "--copy-to", target, "--force")
            assert (done.status, done.stderr) == (
                1,
                f"moderate: {target}: contains the tar file train-000.tar of the dataset; choose a"
                " separate folder\n",
            )
    assert {path.name: path.read_bytes() for path in shards.glob("*.tar")} == before


def test_only_new_contents_of_a_tar_are_embedded_again(shards):
    pixels(PATTERN)
    files = {"11.png": png(255), "11.cls": b"9", "20.png": png(7), "20.cls": b"8"}
    write(shards / "train-002.tar", files)
    counts = []
    store = pixels(PATTERN, on_progress=lambda *count: counts.append(count))
    assert grays(store) == [0, 51, 102, 153, 255, 0, 255, 7]
    assert counts == [(7, 8), (8, 8)]


@pytest.mark.parametrize("part", [False, True])
def test_a_tar_replaced_since_it_was_listed_is_told_of_and_embedded_next_time(tmp_path, part):
    files = {f"{level}.bmp": png(level, "bmp") for level in (0, 51, 102, 153)}
    write(tmp_path / "a.tar", files)
    listed = scan(tmp_path / "a.tar")
    listed = listed.part(np.arange(4)) if part else listed
    # All are of one size, so that only the modification time tells.
    write(tmp_path / "a.tar", dict(reversed(files.items())))
    os.utime(tmp_path / "a.tar", (1, 1))
    with pytest.raises(DatasetError) as caught:
        embed(listed, "pixels", dtype="float32", runtime="torch")
    assert str(caught.value) == (
        f"{tmp_path}/a: 4 of its images changed while they were embedded, 0 for one;"
        " run again to embed those"
    )
    assert grays(pixels(tmp_path / "a.tar")) == [153, 102, 51, 0]


def test_classes_may_stand_in_json_or_nowhere(tmp_path):
    write(
        tmp_path / "a.tar",
        {
            "x/1.JPG": png(1),
            "x/1.json": json.dumps({"label": "cat"}).encode(),
            "x/2.png": png(2),
            "x/2.json": json.dumps({"cls": 3}).encode(),
            "README.txt": b"",
        },
    )
    assert scan(tmp_path / "a.tar").classes == ("3", "cat")
    assert list(scan(tmp_path / "a.tar").paths) == ["x/1", "x/2"]
    assert scan(tmp_path / "a.tar").labels.tolist() == [1, 0]
    write(tmp_path / "b.tar", {"1.png": png(1), "2.png": png(2), "2.json": b"[]"})
    assert scan(tmp_path / "b.tar").flat


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"1.txt": b""}, "holds no images (.jpg .jpeg .png .ppm .bmp .pgm .tif .tiff .webp)"),
        (
            {"1.png": b"", "1.cls": b"0", "2.png": b""},
            "2 has no class, in .cls or .json, as others have",
        ),
    ],
)
def test_tars_that_are_no_dataset_are_named(tmp_path, files, message):
    write(tmp_path / "a.tar", files)
    with pytest.raises(DatasetError) as caught:
        scan(tmp_path / "a.tar")
    assert str(caught.value) == f"{tmp_path}/a.tar: {message}"


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("nowhere.tar", "{}/nowhere.tar: No such file or directory; name tar files"),
        ("{{folder,odd}}.tar", "{}/folder.tar: Is a directory; name tar files"),
        ("odd.tar", "{}/odd.tar: is no tar file that can be read in parts (invalid header)"),
        ("shards/train-{{000.tar", "shards/train-{{000.tar: its braces do not match"),
        (
            "shards/train-{{000,000}}.tar",
            "shards/train-{{000,000}}.tar: 00 is the key of two samples, in train-000.tar and"
            " train-000.tar; keys must tell samples apart",
        ),
    ],
)
def test_what_cannot_be_read_as_tars_is_named(tmp_path, shards, pattern, message):
    (tmp_path / "odd.tar").write_bytes(b"?" * 2000)
    (tmp_path / "folder.tar").mkdir()
    with pytest.raises(DatasetError) as caught:
        scan(pattern.format())
    assert str(caught.value) == message.format(tmp_path)


def test_a_name_that_a_tar_holds_twice_is_an_error(tmp_path):
    write(tmp_path / "a.tar", {"x/1.png": png(1)})
    with tarfile.open(tmp_path / "a.tar", "a") as tar:
        tar.addfile(tarfile.TarInfo("x/1.PNG"))
    with pytest.raises(DatasetError) as caught:
        scan(tmp_path / "a.tar")
    message = "holds x/1.PNG twice; keys must tell samples apart"
    assert str(caught.value) == f"{tmp_path}/a.tar: {message}"


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_a_tar_that_is_damaged_in_the_middle_is_an_error(tmp_path, damage):
    write(tmp_path / "a.tar", {f"{image}.png": png(image) for image in range(9)})
    with tarfile.open(tmp_path / "a.tar") as tar:
        at = tar.getmember("5.png").offset
    content = bytearray((tmp_path / "a.tar").read_bytes())
    content[at + 1] ^= 1
    (tmp_path / "a.tar").write_bytes(content if damage == "flip" else content[: at + 100])
    with pytest.raises(DatasetError) as caught:
        scan(tmp_path / "a.tar")
    message = f"is no tar file that can be read in parts (damaged at byte {at})"
    assert str(caught.value) == f"{tmp_path}/a.tar: {message}"


def test_hard_links_in_a_tar_are_files(tmp_path, monkeypatch, moderate):
    monkeypatch.chdir(tmp_path)
    with tarfile.open("a.tar", "w") as tar:
        for name, link in (("a.png", ""), ("b.png", "a.png"), ("c.png", "b.png")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = (tarfile.LNKTYPE, link) if link else (b"0", "")
            member.size = 0 if link else len(png(51))
            tar.addfile(member, None if link else io.BytesIO(png(51)))
    assert grays(pixels("a.tar")) == [51, 51, 51]
    moderate("select", "--count", "1", "--quantile", "1", "a.tar", "--copy-to", "out")
    (kept,) = scan("out/a.tar").paths
    assert grays(pixels("out/a.tar")) == [51]
    assert names("out/a.tar") == [f"{kept}.png"]


def test_what_macos_adds_is_no_image(tmp_path):
    write(tmp_path / "a.tar", {"x/1.png": png(1), "x/._1.png": b"?", ".x.png": b"?"})
    assert list(scan(tmp_path / "a.tar").paths) == ["x/1"]


def test_bad_images_are_named_by_key(shards, moderate):
    write(shards / "train-002.tar", {"20.png": b"", "20.cls": b"8"})
    done = moderate("embed", PATTERN)
    assert (done.status, done.stderr.splitlines()[0]) == (1, f"moderate: {PATTERN}/20: is empty")


def test_perturb_wants_files(shards, moderate):
    done = moderate("perturb", PATTERN, "-o", "out", "--label-noise", "0.2")
    assert (done.status, done.stderr.endswith("which perturb wants\n")) == (1, True)
