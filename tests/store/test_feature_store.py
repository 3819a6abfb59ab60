import errno
import hashlib
import os
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from conftest import paint
from listeners import Told

import moderate_cli
from moderate_cli.dataset.sources import Files
from moderate_cli.embedding.engines import batches
from moderate_cli.errors import ArgumentError, DamagedError, StoreError
from moderate_cli.store import blocks, sums
from moderate_cli.store import feature_store as store
from moderate_cli.store.feature_store import (
    damaged,
    encode_unreadable,
    identity_of,
    open_store,
)
from moderate_cli.store.layout import place_of, store_folder


def test_the_store_is_beside_the_dataset_never_inside(tmp_path):
    root = tmp_path / "train"
    assert store_folder(root) == tmp_path / "train.moderate"
    assert store_folder(root, tmp_path / "elsewhere") == tmp_path / "elsewhere"


def test_files_on_disk_are_those_of_the_format(embedded):
    folder = embedded.parent / "train.moderate" / "pixels-float32-float32"
    assert sorted(path.name for path in folder.iterdir()) == [
        "dataset.txt",
        "digests.npy",
        "features.npy",
        "labels.npy",
        "manifest.json",
        "orientations.npy",
        "paths.txt",
        "stats.npy",
        "sums.npy",
        "unreadable.txt",
    ]
    assert (folder / "dataset.txt").read_text() == "../train"
    assert (folder / "paths.txt").read_text() == (
        "cat/0.png\ncat/1.png\ncat/2.png\ncat/3.png\ncat/4.png\ndog/0.png\ndog/1.png\nowl/0.png\n"
    )
    assert np.load(folder / "labels.npy").tolist() == [0, 0, 0, 0, 0, 1, 1, 2]
    features = np.load(folder / "features.npy")
    assert features.shape == (8, 192)
    np.testing.assert_allclose(features[:, 0] * 255, [0, 51, 102, 153, 255, 0, 255, 51], rtol=1e-6)
    assert (folder / "unreadable.txt").read_text() == ""
    stats = [os.stat(path) for path in sorted(embedded.rglob("*.png"))]
    assert np.load(folder / "stats.npy").tolist() == [
        [one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino] for one in stats
    ]
    block = hashlib.blake2b(features.tobytes(), digest_size=16).digest()
    assert np.load(folder / "sums.npy").tolist() == [list(block)]


def test_there_may_be_no_set(tmp_path):
    assert open_store(tmp_path) is None
    assert open_store(tmp_path / "nowhere") is None
    assert identity_of(tmp_path) == identity_of(tmp_path / "nowhere") == (0, 0)


def test_a_folder_without_a_parent_needs_a_store():
    with pytest.raises(ArgumentError) as caught:
        store_folder(Path("/"))
    assert str(caught.value) == "/: has no parent folder for the store; pass --store DIR"


@dataclass(frozen=True)
class Far(Files):
    has_neighbors = False


def test_a_store_knows_its_dataset_by_the_way_from_one_to_the_other(data):
    folder = moderate_cli.scan(data)
    assert place_of(folder, data.parent / "train.moderate") == b"../train"
    assert place_of(folder, data.parent.parent / "all" / "train") == b"../../data/train"
    odd = data.with_name("odd\udcff")
    data.rename(odd)
    assert place_of(moderate_cli.scan(odd), data.parent) == b"odd\xff"
    # `train` and `train.tar` have the same root.
    with tarfile.open(f"{data}.tar", "w") as file:
        file.add(odd, ".")
    tar = moderate_cli.scan(f"{data}.tar")
    assert place_of(tar, data.parent / "train.moderate") == b"../train.tar"
    # A remote dataset has its address, wherever the store is.
    far = replace(folder, root=PurePosixPath("s3://bucket/train"), source=Far())
    assert place_of(far, data.parent) == b"s3:/bucket/train"


def test_unreadable_images_are_listed_by_row_path_and_reason(embedded):
    (embedded / "cat" / "1.png").write_bytes(b"")
    (embedded / "owl" / "0.png").unlink()
    (embedded / "owl" / "0.png").symlink_to("nowhere")
    store = embed(embedded, on_error="skip")
    assert len(store) == 8
    assert store.unreadable == {1: "is empty", 7: "No such file or directory"}
    assert store.readable.dtype == bool
    assert np.flatnonzero(~store.readable).tolist() == [1, 7]
    assert store.unread == [7]  # the other one was read, but is not an image


def test_the_list_of_unreadable_images_is_in_order_and_safe_to_show():
    paths = ["cat/a\tb.png", "cat/caf\u00e9.png", "dog/\udcff.png"]
    reasons = {2: "is empty", 0: "torn\nin two"}
    assert encode_unreadable(reasons, paths) == (
        b"0\tcat/a\\tb.png\ttorn\\nin two\n2\tdog/\\udcff.png\tis empty\n"
    )
    assert encode_unreadable({}, paths) == b""


@pytest.mark.parametrize("name", ["features", "labels", "paths", "unreadable", "digests"])
def test_a_set_is_not_mixed_with_one_that_took_its_place(embedded, name):
    older = open_store(embedded.parent / "train.moderate" / "pixels-float32-float32")
    paint(embedded / "cat" / "0.png", 7)
    moderate_cli.embed(
        moderate_cli.scan(embedded), backbone="pixels", dtype="float32", runtime="torch"
    )
    with pytest.raises(StoreError) as caught:
        getattr(older, name)
    assert str(caught.value) == f"{older.folder}: another process has replaced it; run again"


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.zeros((8, 192)), "float64 (8, 192)"),
        (np.zeros((8, 3), dtype=np.float32), "float32 (8, 3)"),
    ],
)
def test_features_of_another_kind_are_damage_that_is_named(embedded, array, found):
    store = open_store(embedded.parent / "train.moderate" / "pixels-float32-float32")
    np.save(store.folder / "features.npy", array)
    with pytest.raises(StoreError) as caught:
        store.features.any()
    assert str(caught.value) == (
        f"{store.folder}/features.npy: damaged (contains {found}, not float32 (8, 192)); remove"
        f" {store.folder} to embed again"
    )


@pytest.mark.parametrize(
    "name", ["labels.npy", "paths.txt", "digests.npy", "orientations.npy", "unreadable.txt"]
)
def test_a_single_bit_that_differs_is_damage(embedded, name):
    store = open_store(embedded.parent / "train.moderate" / "pixels-float32-float32")
    content = (store.folder / name).read_bytes() or b"\0"
    (store.folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(StoreError) as caught:
        getattr(store, name.partition(".")[0])
    assert str(caught.value) == (
        f"{store.folder}/{name}: damaged (was changed since it was written); remove {store.folder}"
        " to embed again"
    )


def test_damage_is_reported_in_one_line():
    error = damaged(Path("some/set"), "labels.npy", "torn\n  in two")
    assert (
        str(error) == "some/set/labels.npy: damaged (torn in two); remove some/set to embed again"
    )


@pytest.mark.parametrize("name", ["features.npy", "labels.npy", "sums.npy", "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "other"])
def test_a_damaged_set_is_named_and_never_used(embedded, name, damage):
    folder = embedded.parent / "train.moderate" / "pixels-float32-float32"
    if damage == "cut":
        (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    elif damage == "gone":
        (folder / name).unlink()
    else:
        np.save(folder / name, np.zeros((8, 3)))
        if name == "manifest.json":
            (folder / "manifest.json.npy").rename(folder / name)
    dataset = moderate_cli.scan(embedded)
    if name == "manifest.json" and damage == "gone":
        assert open_store(folder) is None
        return
    with pytest.raises(StoreError) as caught:
        moderate_cli.score(moderate_cli.embed(dataset, backbone="pixels", dtype="float32"))
    message = str(caught.value)
    assert message.startswith(f"{folder}/{name}: damaged (")
    assert message.endswith(f"); remove {folder} to embed again")
    assert "\n" not in message


SETS = "train.moderate/pixels-float32-float32"


@pytest.mark.parametrize("damage", ["flipped", "zeroed tail"])
def test_features_that_changed_since_they_were_written_are_not_scored(embedded, damage):
    folder = embedded.parent / SETS
    content = bytearray((folder / "features.npy").read_bytes())
    if damage == "flipped":
        content[-5] ^= 1
    else:
        content[-800:] = bytes(800)
    (folder / "features.npy").write_bytes(content)
    with pytest.raises(DamagedError) as caught:
        moderate_cli.score(embed(embedded))
    assert str(caught.value) == (
        f"{folder}/features.npy: damaged (rows 0 to 7 changed since they were written); run"
        " `moderate embed --check content` to embed them again"
    )


def test_only_the_block_that_is_damaged_is_embedded_again(data, monkeypatch, read):
    monkeypatch.setattr(sums, "SUM_ROWS", 3)
    monkeypatch.setattr(store, "SUM_ROWS", 3)
    embed(data)
    features = data.parent / SETS / "features.npy"
    whole = features.read_bytes()
    content = bytearray(whole)
    content[-192 * 4 * 3] ^= 1  # of row 5, which is in the block of rows 3 to 5
    features.write_bytes(content)
    del read[:]
    with pytest.raises(DamagedError, match=r"rows 3 to 5 changed"):
        moderate_cli.score(embed(data))
    assert read == []
    embed(data, check="content")
    assert read == ["cat/3.png"]  # cat/4 and dog/0 hold the bytes of images in other blocks
    assert features.read_bytes() == whole


def test_damage_is_not_carried_over_into_a_newer_set(data, monkeypatch, read):
    embed(data)
    features = data.parent / SETS / "features.npy"
    content = bytearray(features.read_bytes())
    content[-1] ^= 1
    features.write_bytes(content)
    (data / "cat" / "0.png").unlink()
    del read[:]
    newer = embed(data)
    assert len(read) == 7
    assert [round(255 * float(value)) for value in newer.features[:, -1]] == [
        51, 102, 153, 255, 0, 255, 51
    ]  # fmt: skip


READING = {
    "too many files": (errno.EMFILE, "allow more open files, as ulimit -n does"),
    "a failing disk": (errno.EIO, "run again; the file may be intact"),
    "a server that went": (errno.ESTALE, "run again; the file may be intact"),
    "no memory": (errno.ENOMEM, "run again when more memory is free"),
    "a foreign file": (errno.EACCES, "make it readable"),
}


@pytest.mark.parametrize("name", ["manifest.json", "paths.txt", "stats.npy", "features.npy"])
@pytest.mark.parametrize("cause", READING)
def test_a_file_that_cannot_be_read_now_is_not_called_damaged(embedded, monkeypatch, name, cause):
    number, advice = READING[cause]
    path = embedded.parent / SETS / name
    failing(monkeypatch, path, number)
    with pytest.raises(StoreError) as caught:
        moderate_cli.score(embed(embedded))
    assert not isinstance(caught.value, DamagedError)
    assert str(caught.value) == f"{path}: cannot be read ({os.strerror(number)}); {advice}"


def failing(monkeypatch, path, number):
    """Let the system refuse to open a file."""

    def open_(file, *args, original=open, **options):
        if isinstance(file, (str, os.PathLike)) and Path(file) == path:
            raise OSError(number, os.strerror(number), os.fspath(file))
        return original(file, *args, **options)

    def os_open(file, *args, original=os.open, **options):
        return open_(file, *args, original=original, **options)

    monkeypatch.setattr("builtins.open", open_)
    monkeypatch.setattr("io.open", open_)
    monkeypatch.setattr("os.open", os_open)


def test_the_work_of_an_interrupted_run_is_not_lost_to_a_read_that_fails(data, monkeypatch, read):
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 3)
    for name in ("plan.json", "journal.jsonl", "pending.npy", "stats.npy", "paths.txt"):
        partial = data.parent / f"{SETS}.partial"
        if not partial.exists():
            with pytest.raises(ZeroDivisionError):
                embed(data, batch_size=1, listener=Told(embed=lambda done, total: 1 // (done - 7)))
        before = {path.name: path.read_bytes() for path in partial.iterdir()}
        with monkeypatch.context() as patch:
            failing(patch, partial / name, errno.EMFILE)
            with pytest.raises(StoreError) as caught:
                embed(data)
        assert str(caught.value) == (
            f"{partial / name}: cannot be read (Too many open files); allow more open files, as"
            " ulimit -n does"
        )
        assert {path.name: path.read_bytes() for path in partial.iterdir()} == before
    del read[:]
    embed(data)
    assert read == ["dog/1.png", "owl/0.png"]


def test_too_few_open_files_are_not_called_damage(embedded, shell):
    shell("moderate score data/train")
    done = shell("for n in 6 5 4; do (ulimit -n $n; exec moderate score data/train); done")
    assert "damaged" not in done.stderr
    assert (
        f"moderate: error: {embedded.parent / SETS}/features.npy: cannot be read (Too many open"
        " files); allow more open files, as ulimit -n does\n"
    ) in done.stderr


def embed(root, **options):
    return moderate_cli.embed(
        moderate_cli.scan(root), backbone="pixels", dtype="float32", runtime="torch", **options
    )


@pytest.fixture
def read(monkeypatch):
    """Names of the images that were decoded."""
    names = []

    def spy(path, *how, original=batches.read_image):
        names.append(f"{Path(path).parent.name}/{Path(path).name}")
        return original(path, *how)

    monkeypatch.setattr(batches, "read_image", spy)
    return names
