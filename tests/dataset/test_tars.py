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
from listeners import Told
from PIL import Image

from moderate_cli import embed
from moderate_cli.dataset import scan
from moderate_cli.errors import DatasetError
from moderate_cli.exporting.folders import export

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
    return embed(scan(pattern), backbone="pixels", dtype="float32", runtime="torch", **options)


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
    assert done == (0, "", f"moderate: Embedded 8 images, 192 features each -> {folder}\n")
    assert grays(pixels(PATTERN)) == [0, 51, 102, 153, 255, 0, 255, 51]
    (own,) = json.loads(moderate("info", PATTERN, "--json").stdout)["feature_sets"]
    assert (own["feature_set"], own["up_to_date"]) == (str(folder), True)


def test_the_index_lists_keys(shards, moderate):
    done = moderate("select", "-r", "0.5", "--scope", "class", PATTERN)
    assert done.stdout.split() == ["01", "03", "10", "20"]
    moderate("select", "-r", "0.5", "--scope", "class", PATTERN, "-o", "kept.npy")
    assert np.load("kept.npy").tolist() == [1, 3, 5, 7]


def test_kept_samples_go_to_tars_that_webdataset_reads(shards, moderate, tmp_path):
    kept = moderate("select", "-r", "0.5", "--scope", "class", PATTERN).stdout.split()
    done = moderate("select", "-r", "0.5", "--scope", "class", PATTERN, "--copy-to", "out")
    assert (done.status, done.stdout) == (0, "")
    assert done.stderr.splitlines()[0] == (
        "moderate: Kept 4 of 8 images in 3 classes (50 % of the 8; 0 dropped first) with moderate"
        " -> out"
    )
    assert sorted(os.listdir("out")) == [
        ".moderate-export", "train-000.tar", "train-001.tar", "train-002.tar"
    ]  # fmt: skip
    assert names("out/train-002.tar") == ["20.png", "20.cls", "20.seg.txt"]
    # In its own process, because it leaves its files open.
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
        "moderate: error: shards: contains the tar file train-000.tar of the dataset; choose a"
        " separate folder\n",
    )
    assert moderate("select", "-r", "1", PATTERN, "--copy-to", "o", "--link", "hard").status == 2
    assert len(scan(PATTERN)) == 8


def test_an_export_does_not_replace_the_targets_of_links(shards, moderate, tmp_path):
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
                f"moderate: error: {target}: contains the tar file train-000.tar of the dataset;"
                " choose a separate folder\n",
            )
    assert {path.name: path.read_bytes() for path in shards.glob("*.tar")} == before


def test_only_new_contents_of_a_tar_are_embedded_again(shards):
    pixels(PATTERN)
    files = {"11.png": png(255), "11.cls": b"9", "20.png": png(7), "20.cls": b"8"}
    write(shards / "train-002.tar", files)
    counts = []
    store = pixels(PATTERN, listener=Told(embed=counts))
    assert grays(store) == [0, 51, 102, 153, 255, 0, 255, 7]
    assert counts == [(7, 8), (8, 8)]


def test_a_part_of_tars_knows_only_the_tars_of_its_images(shards):
    part = scan(PATTERN).part(np.array([0, 7]))
    kept = [str(shards / "train-000.tar"), str(shards / "train-002.tar")]
    assert list(part.source.containers) == kept
    assert part.source.read(f"{part.root}/20")[0] == png(51)


@pytest.mark.parametrize("part", [False, True])
def test_a_tar_replaced_since_it_was_listed_is_named_and_embedded_next_time(tmp_path, part):
    files = {f"{level}.bmp": png(level, "bmp") for level in (0, 51, 102, 153)}
    write(tmp_path / "a.tar", files)
    listed = scan(tmp_path / "a.tar")
    listed = listed.part(np.arange(4)) if part else listed
    # All are of one size, so that only the modification time tells.
    write(tmp_path / "a.tar", dict(reversed(files.items())))
    os.utime(tmp_path / "a.tar", (1, 1))
    with pytest.raises(DatasetError) as caught:
        embed(listed, backbone="pixels", dtype="float32", runtime="torch")
    assert str(caught.value) == (
        f"{tmp_path}/a: 4 images changed during the embedding, e.g. 0;"
        " run again to embed the new contents"
    )
    assert grays(pixels(tmp_path / "a.tar")) == [153, 102, 51, 0]


def test_classes_may_be_in_json_or_missing(tmp_path):
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
        ({"1.txt": b""}, "contains no images (.jpg .jpeg .png .ppm .bmp .pgm .tif .tiff .webp)"),
        (
            {"1.png": b"", "1.cls": b"0", "2.png": b""},
            "2 has no class in .cls or .json, but others do; add it",
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
        ("odd.tar", "{}/odd.tar: is not an uncompressed tar file, or is damaged (invalid header)"),
        ("shards/train-{{000.tar", "shards/train-{{000.tar: its braces do not match"),
        (
            "shards/train-{{000,000}}.tar",
            "shards/train-{{000,000}}.tar: 00 is the key of two samples, in train-000.tar and"
            " train-000.tar; rename one (a key ends at the first dot)",
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
    message = "contains x/1.PNG twice; rename one, so that each sample has its own key"
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
    message = f"is not an uncompressed tar file, or is damaged (damaged at byte {at})"
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


def test_a_file_that_macos_adds_is_not_an_image(tmp_path):
    write(tmp_path / "a.tar", {"x/1.png": png(1), "x/._1.png": b"?", ".x.png": b"?"})
    assert list(scan(tmp_path / "a.tar").paths) == ["x/1"]


def test_bad_images_are_named_by_key(shards, moderate):
    write(shards / "train-002.tar", {"20.png": b"", "20.cls": b"8"})
    done = moderate("embed", PATTERN)
    assert (done.status, done.stderr.splitlines()[0]) == (
        1,
        f"moderate: error: {PATTERN}/20: is empty",
    )


def test_perturb_needs_files(shards, moderate):
    done = moderate("perturb", PATTERN, "-o", "out", "--label-noise", "0.2")
    assert (done.status, "perturb needs a dataset of plain files" in done.stderr) == (1, True)


LONG, FOREIGN = "k" * 120, "\u00e9-\u732b"
MTIME = 1_700_000_000_123_456_789  # nanoseconds


def gnu_tar(*args, **options):
    return subprocess.run(["tar", *map(str, args)], capture_output=True, check=True, **options)


def unpacked(tar, folder):
    """Name, content, mode and modification time of each file that GNU tar takes out."""
    folder.mkdir()
    gnu_tar("-xf", tar, "-C", folder)
    return {
        os.fsdecode(path.relative_to(folder)): (
            path.read_bytes(), path.stat().st_mode & 0o777, path.stat().st_mtime_ns
        )
        for path in folder.rglob("*")
        if path.is_file()
    }  # fmt: skip


def exported(tar, keep, folder):
    """Copy samples to a tar file of its own, as `select --copy-to` does."""
    dataset = scan(tar)
    kept = np.array([path in keep for path in dataset.paths])
    export(dataset, kept, folder)
    return folder / os.path.basename(tar)


@pytest.mark.parametrize(
    ("style", "first"),
    [
        ("gnu", LONG),
        ("gnu", FOREIGN),
        ("pax", LONG),
        ("pax", FOREIGN),
        ("ustar", "deep/" * 4 + "k" * 76),  # a hundred bytes, all that it can link to
    ],
)
@pytest.mark.program("tar")
def test_a_hard_link_is_exported_under_its_own_name_whatever_it_leads_to(tmp_path, style, first):
    image = tmp_path / f"s/{first}.png"
    image.parent.mkdir(parents=True)
    image.write_bytes(png(51))
    image.chmod(0o640)
    os.utime(image, ns=(MTIME, MTIME))
    (tmp_path / "s/b.png").hardlink_to(image)
    gnu_tar(f"--format={style}", "-cf", tmp_path / "a.tar", "-C", tmp_path / "s",
            f"{first}.png", "b.png")  # fmt: skip
    copy = exported(tmp_path / "a.tar", {"b"}, tmp_path / "out")
    ((name, (content, mode, _)),) = unpacked(copy, tmp_path / "x").items()
    assert (name, content, mode) == ("b.png", png(51), 0o640)


SPARSE = [
    ("--format=gnu",),
    ("--format=pax", "--sparse-version=0.0"),
    ("--format=pax", "--sparse-version=0.1"),
    ("--format=pax", "--sparse-version=1.0"),
]


def with_hole(path, head):
    """Write a file that begins with `head`, has 2 MB of nothing, `middle`, and ends in nothing."""
    with path.open("wb") as file:
        file.write(head)
        file.seek(2_000_000)
        file.write(b"middle")
        file.truncate(3_000_000)
    os.utime(path, ns=(MTIME, MTIME))


@pytest.mark.parametrize("style", SPARSE, ids=" ".join)
@pytest.mark.parametrize("key", ["s0", LONG, FOREIGN])
@pytest.mark.program("tar")
def test_files_with_holes_are_read_and_exported_as_they_are(tmp_path, style, key):
    (tmp_path / "s").mkdir()
    (tmp_path / f"s/{key}.cls").write_text("3")
    with_hole(tmp_path / f"s/{key}.png", png(51))
    with_hole(tmp_path / f"s/{key}.mask.npy", b"mask")
    (tmp_path / f"s/{key}.png").chmod(0o604)
    (tmp_path / f"s/{key}.zeros.npy").write_bytes(b"")
    os.truncate(tmp_path / f"s/{key}.zeros.npy", 100_000)
    files = sorted(path.name for path in (tmp_path / "s").iterdir())
    gnu_tar(*style, "-S", "-cf", tmp_path / "a.tar", "-C", tmp_path / "s", *files)
    assert (tmp_path / "a.tar").stat().st_size < 100_000
    assert list(scan(tmp_path / "a.tar").paths) == [key]
    assert grays(pixels(tmp_path / "a.tar")) == [51]
    copy = exported(tmp_path / "a.tar", {key}, tmp_path / "out")
    before = unpacked(tmp_path / "a.tar", tmp_path / "x")
    after = unpacked(copy, tmp_path / "y")
    assert sorted(after) == files
    assert {name: found[:2] for name, found in after.items()} == {
        name: found[:2] for name, found in before.items()
    }
    assert len(after[f"{key}.mask.npy"][0]) == 3_000_000
    if "pax" in style[0]:  # GNU's format knows whole seconds only
        assert after[f"{key}.png"][2] == MTIME


@pytest.mark.program("tar")
def test_webdataset_reads_files_that_were_linked_sparse_or_named_oddly(tmp_path):
    (tmp_path / "s").mkdir()
    with_hole(tmp_path / f"s/{LONG}.png", png(51))
    (tmp_path / f"s/{FOREIGN}.png").hardlink_to(tmp_path / f"s/{LONG}.png")
    for number, key in enumerate([LONG, FOREIGN]):
        (tmp_path / f"s/{key}.cls").write_text(str(number))
    files = [f"{key}.{end}" for key in (LONG, FOREIGN) for end in ("png", "cls")]
    gnu_tar("--format=pax", "-S", "-cf", tmp_path / "a.tar", "-C", tmp_path / "s", *files)
    copy = exported(tmp_path / "a.tar", {LONG, FOREIGN}, tmp_path / "out")
    done = subprocess.run(
        [sys.executable, "-c", READ, copy], capture_output=True, text=True, check=True
    )
    assert [line.split() for line in done.stdout.splitlines()] == [
        [LONG, "0", "51"], [FOREIGN, "1", "51"]
    ]  # fmt: skip


@pytest.mark.parametrize("style", ["--format=gnu", "--format=pax"])
@pytest.mark.program("tar")
def test_names_modes_and_times_survive_an_export(tmp_path, style):
    (tmp_path / "s").mkdir()
    for number, key in enumerate([LONG, FOREIGN, os.fsdecode(b"\xff\xfe")]):
        path = tmp_path / f"s/{key}.png"
        path.write_bytes(png(number))
        path.chmod(0o600 + number)
        os.utime(path, ns=(MTIME, MTIME))
    gnu_tar(style, "-cf", tmp_path / "a.tar", "-C", tmp_path / "s", ".")
    copy = exported(tmp_path / "a.tar", set(scan(tmp_path / "a.tar").paths), tmp_path / "out")
    assert unpacked(copy, tmp_path / "x") == unpacked(tmp_path / "a.tar", tmp_path / "y")


@pytest.mark.program("tar")
def test_a_global_header_is_not_carried_over(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w", pax_headers={"comment": "0" * 40}) as tar:
        member = tarfile.TarInfo("1.png")
        member.size = len(png(9))
        tar.addfile(member, io.BytesIO(png(9)))
    copy = exported(tmp_path / "a.tar", {"1"}, tmp_path / "out")
    with tarfile.open(copy) as tar:
        assert (tar.pax_headers, tar.getmember("1.png").pax_headers) == ({}, {})
    assert unpacked(copy, tmp_path / "x")["1.png"][0] == png(9)


def test_a_tar_that_changes_before_it_is_exported_is_named(tmp_path):
    write(tmp_path / "a.tar", {"1.png": png(1), "2.png": png(2)})
    dataset = scan(tmp_path / "a.tar")
    write(tmp_path / "a.tar", {"1.png": png(1), "2.png": png(3), "3.png": png(3)})
    with pytest.raises(DatasetError) as caught:
        export(dataset, np.array([True, False]), tmp_path / "out")
    message = f"{tmp_path}/a.tar: has changed since it was listed; run again"
    assert str(caught.value) == message
    assert not (tmp_path / "out").exists()


DOTS = (
    " of one sample, because a key ends at the first dot; rename the files so that keys contain no"
    " dots"
)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ["img.v2.001.jpg", "img.v2.001.cls", "img.v2.002.jpg", "img.v2.002.cls"],
            "img.v2.001.jpg and img.v2.002.jpg are images" + DOTS,
        ),
        (["img.a.jpg", "img.b.jpg"], "img.a.jpg and img.b.jpg are images" + DOTS),
        # Even without a class, its number shows that it is not an extra.
        (["img.jpg", "img.1.jpg"], "img.jpg and img.1.jpg are images" + DOTS),
        # So does its own class.
        (
            ["img.jpg", "img.cls", "img.new.jpg", "img.new.cls"],
            "img.jpg and img.new.jpg are images" + DOTS,
        ),
        (
            ["img.jpg", "img.json", "img.new.jpg", "img.new.json"],
            "img.jpg and img.new.jpg are images" + DOTS,
        ),
        (
            ["1.jpg", "1.fine.cls", "1.coarse.cls"],
            "1.fine.cls and 1.coarse.cls are classes" + DOTS,
        ),
        (["a.v1.jpg", "a.v1.cls", "a.cls"], "a.cls and a.v1.cls are classes" + DOTS),
        (
            ["1.jpg", "1.png", "1.cls"],
            "1.jpg and 1.png are images of one sample; rename the extra one, e.g. to 1.mask.png",
        ),
    ],
)
def test_two_images_or_classes_in_a_sample_are_refused_by_name(tmp_path, files, message):
    write(tmp_path / "a.tar", dict.fromkeys(files, b"1"))
    with pytest.raises(DatasetError) as caught:
        scan(tmp_path / "a.tar")
    assert str(caught.value) == f"{tmp_path}/a.tar: {message}"


@pytest.mark.parametrize(
    ("files", "image", "classes", "passed_over"),
    [
        (["1.cls", "1.seg.png", "1.jpg", "1.depth.png"], b"1.jpg", ("1.cls",),
         {".depth.png": 1, ".seg.png": 1}),
        (["1.jpg", "1.txt", "1.mask.npy", "1.emb.pth"], b"1.jpg", (".",), {}),
        (["1.jpg", "1.cls", "1.fine.cls"], b"1.jpg", ("1.cls",), {}),
        (["1.jpg", "1.cls", "1.seg.png", "1.seg.json"], b"1.jpg", ("1.cls",), {".seg.png": 1}),
        (["1.jpg", "1.fine.cls"], b"1.jpg", ("1.fine.cls",), {}),
        (["1.image.jpg", "1.cls"], b"1.image.jpg", ("1.cls",), {}),
        (["1.v2.jpg", "1.v2.cls"], b"1.v2.jpg", ("1.v2.cls",), {}),
        (["a.b/1.jpg", "a.b/1.cls"], b"a.b/1.jpg", ("a.b/1.cls",), {}),
    ],
)  # fmt: skip
def test_extras_of_a_sample_are_distinguished_from_its_image(
    tmp_path, files, image, classes, passed_over
):
    write(tmp_path / "a.tar", {name: name.encode() for name in files})
    dataset = scan(tmp_path / "a.tar")
    (path,) = dataset.paths
    assert dataset.source.read(f"{dataset.root}/{path}")[0] == image
    assert dataset.classes == classes
    assert {name: notice.count for notice in dataset.notices for name in notice.names} == (
        passed_over
    )


def test_ignored_files_are_counted_and_named(tmp_path, monkeypatch, moderate):
    monkeypatch.chdir(tmp_path)
    files = {
        "1.png": png(1), "1.seg.png": png(1), "2.png": png(2), "2.seg.png": png(2),
        "3.jxl": b"", "3.txt": b"a caption", "4.cls": b"1", "._1.png": b"?", "README.md": b"",
    }  # fmt: skip
    write(tmp_path / "a.tar", files)
    with tarfile.open("a.tar", "a") as tar:
        for name, kind in (("5.png", tarfile.SYMTYPE), ("6.png", tarfile.FIFOTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "1.png" if kind == tarfile.SYMTYPE else ""
            tar.addfile(member)
    told = (
        "moderate: warning: a.tar: ignored 2 .seg.png, 1 .jxl, 1 hidden file, 1 imageless sample,"
        " 1 special file, 1 symbolic link"
    )
    done = moderate("score", "a.tar", "--labels", "kmeans:1")
    assert (done.status, done.stderr.splitlines()[0]) == (0, told)


def test_a_clean_tar_says_nothing(tmp_path, monkeypatch, moderate):
    monkeypatch.chdir(tmp_path)
    files = {"1.png": png(1), "1.cls": b"1", "1.txt": b"a caption"}
    write(tmp_path / "a.tar", files | {"2.png": png(1), "2.cls": b"2"})
    assert moderate("score", "a.tar") == (0, "0\t1\n0\t2\n", "")


def test_classes_are_read_whatever_bytes_they_are(tmp_path):
    texts = [b"\xef\xbb\xbf7\r\n", b"\xff", b"\xfe", "\u732b".encode(), b"9" * 4000, b"0010", b"9"]
    files = {}
    for number, text in enumerate(texts):
        files |= {f"{number}.png": b"", f"{number}.cls": text}
    write(tmp_path / "a.tar", files)
    assert scan(tmp_path / "a.tar").classes == (
        "7", "9", "0010", "9" * 4000, "\u732b", "\udcfe", "\udcff"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("extension", "content", "message"),
    [
        ("cls", b" \n", "1.cls contains '', which is not a class; write a name or a number"),
        (
            "cls",
            b"1\0",
            "1.cls contains '1\\x00', which is not a class; write a name or a number",
        ),
        ("cls", b"1" * 5000, "1.cls has 5000 bytes; a file with a class may have at most 4096"),
        ("json", b"[" * 100_000, "1.json is nested too deeply; correct or remove it"),
        (
            "json",
            b'{"cls": 1',
            "1.json is not JSON (Expecting ',' delimiter: line 1 column 10 (char 9)); correct or"
            " remove it",
        ),
        (
            "json",
            b'{"cls": "\\ud800"}',
            "1.json contains '\\ud800', which is not a class; write a name or a number",
        ),
        (
            "json",
            b" " * (16 * 2**20 + 1),
            "1.json has 16777217 bytes; a file with a class may have at most 16777216",
        ),
    ],
)
def test_files_without_a_class_are_named(tmp_path, extension, content, message):
    write(tmp_path / "a.tar", {"1.png": b"", f"1.{extension}": content})
    with pytest.raises(DatasetError) as caught:
        scan(tmp_path / "a.tar")
    assert str(caught.value) == f"{tmp_path}/a.tar: {message}"


def test_what_is_in_json_is_not_asked_for_where_a_cls_tells(tmp_path):
    write(tmp_path / "a.tar", {"1.png": b"", "1.json": b"[" * 100_000, "1.cls": b"5"})
    assert scan(tmp_path / "a.tar").classes == ("5",)


def header(name, **fields):
    """Header of a member, whose fields may be impossible."""
    member = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(member, field, value)
    return member.tobuf(tarfile.GNU_FORMAT)


def pax(name, fields):
    member = tarfile.TarInfo(name)
    member.pax_headers = fields
    return member.tobuf(tarfile.PAX_FORMAT)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (header("1.png", size=2**70), "1.png is longer than the file"),
        (header("1.png", size=-(2**40)), "1.png is longer than the file"),
        (header("1.png", size=10_000) + bytes(600), "1.png is longer than the file"),
        (pax("1.png", {"size": str(2**70)}), "1.png is longer than the file"),
        (pax("1.png", {"path": "1\0.png"}), "'1\\x00.png' contains a NUL byte"),
        (
            header("1.png", type=tarfile.LNKTYPE, linkname="2.png"),
            "1.png is a link to a file that is not before it",
        ),
        (
            pax("1.png", {"GNU.sparse.map": "9,9,0,9", "GNU.sparse.size": "20"}),
            "1.png has a damaged list of holes",
        ),
        (
            pax("1.png", {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(2**60)}),
            "1.png is longer than the file",
        ),
        (
            pax("1.png", {"GNU.sparse.map": "zero", "GNU.sparse.size": "1"}),
            "invalid literal for int() with base 10: 'zero'",
        ),
        (
            b"".join(header("x", type=tarfile.GNUTYPE_LONGNAME, size=0) for _ in range(5000)),
            "maximum recursion depth exceeded",
        ),
        (header("1.png") + bytes(10_000) + header("2.png"), "another tar file follows"),
    ],
)
def test_impossible_headers_give_an_error_of_one_line(tmp_path, content, reason):
    (tmp_path / "a.tar").write_bytes(content + bytes(1024))
    with pytest.raises(DatasetError) as caught:
        scan(tmp_path / "a.tar")
    start = f"{tmp_path}/a.tar: is not an uncompressed tar file, or is damaged ({reason}"
    assert str(caught.value).startswith(start)


def test_times_and_owners_that_cannot_be_are_not_handed_on(tmp_path):
    fields = {"mtime": "1e999", "uid": "-7", "gid": str(2**70), "uname": "\0"}
    (tmp_path / "a.tar").write_bytes(pax("1.png", fields) + bytes(1024))
    copy = exported(tmp_path / "a.tar", {"1"}, tmp_path / "out")
    with tarfile.open(copy) as tar:
        assert (tar.getmember("1.png").mtime, tar.getmember("1.png").uid) == (0, 0)


def test_names_that_lead_outside_are_keys_like_others(tmp_path, monkeypatch, moderate):
    monkeypatch.chdir(tmp_path)
    files = {"../up.png": png(1), "/root.png": png(2), "a/../../b.png": png(3)}
    write(tmp_path / "a.tar", files)
    assert list(scan("a.tar").paths) == ["../up", "/root", "a/../../b"]
    done = moderate("select", "-r", "1", "a.tar", "--copy-to", "out")
    assert (done.status, names("out/a.tar")) == (0, list(files))
    assert sorted(os.listdir(tmp_path)) == ["a.moderate", "a.tar", "out"]


def test_a_file_that_is_not_regular_is_not_a_tar(tmp_path):
    os.mkfifo(tmp_path / "a.tar")
    with pytest.raises(DatasetError) as caught:
        scan(tmp_path / "a.tar")
    assert str(caught.value) == f"{tmp_path}/a.tar: is not a regular file; name tar files"


def test_two_numbers_for_the_class_of_a_sample_are_refused(tmp_path):
    names = {"1.png": png(1), "1.cls": b"0"}
    for described in (b'{"label": 0}', b'{"label": 0.0}', b'{"label": "cat"}', b"[]", b"no json"):
        write(tmp_path / "a.tar", {**names, "1.json": described})
        assert scan(tmp_path / "a.tar").classes == ("0",)
    write(tmp_path / "a.tar", {**names, "1.json": b'{"label": 1}'})
    with pytest.raises(DatasetError) as caught:
        scan(tmp_path / "a.tar")
    assert str(caught.value) == (
        f"{tmp_path}/a.tar: 1.cls and 1.json are classes of one sample, 0 and 1; correct one of"
        " them"
    )


def test_a_suffix_may_be_in_upper_case(tmp_path, monkeypatch, moderate):
    monkeypatch.chdir(tmp_path)
    files = {f"{key}.{end}": one for key in ("a", "b") for end, one in
             (("PNG", png(5)), ("CLS", key.encode()))}  # fmt: skip
    write(tmp_path / "ALL.TAR", files)
    done = moderate("select", "-r", "1", "ALL.TAR", "--copy-to", "out")
    assert (done.status, sorted(os.listdir("out"))) == (0, [".moderate-export", "ALL.TAR"])
    assert names("out/ALL.TAR") == list(files)
    assert "up to date" in moderate("info", "ALL.TAR").stdout
    assert os.path.isdir("ALL.moderate")
