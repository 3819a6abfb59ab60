import tarfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from conftest import paint

import moderate_cli
from moderate_cli.errors import ArgumentError, StoreError
from moderate_cli.sources import Files
from moderate_cli.store import (
    damaged,
    encode_unreadable,
    identity_of,
    open_store,
    place_of,
    store_folder,
)


def test_the_store_lies_beside_the_dataset_never_inside(tmp_path):
    root = tmp_path / "train"
    assert store_folder(root) == tmp_path / "train.moderate"
    assert store_folder(root, tmp_path / "elsewhere") == tmp_path / "elsewhere"
    with pytest.raises(ArgumentError) as caught:
        store_folder(root, root / "features")
    assert str(caught.value) == (f"--store {root}/features: lies in the dataset; name one outside")


def test_files_on_disk_are_those_of_the_format(embedded):
    folder = embedded.parent / "train.moderate" / "pixels-float32-float32"
    assert sorted(path.name for path in folder.iterdir()) == [
        "dataset.txt",
        "digests.npy",
        "features.npy",
        "labels.npy",
        "manifest.json",
        "paths.txt",
        "stats.npy",
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


def test_there_may_be_no_set(tmp_path):
    assert open_store(tmp_path) is None
    assert open_store(tmp_path / "nowhere") is None
    assert identity_of(tmp_path) == identity_of(tmp_path / "nowhere") == (0, 0)


def test_a_folder_that_nothing_lies_beside_wants_a_store():
    with pytest.raises(ArgumentError) as caught:
        store_folder(Path("/"))
    assert str(caught.value) == "/: has no place beside it; name a --store"


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
    # What is elsewhere has its address, wherever the store lies.
    far = replace(folder, root=PurePosixPath("s3://bucket/train"), source=Far())
    assert place_of(far, data.parent) == b"s3:/bucket/train"


def test_unreadable_images_are_told_by_row_path_and_reason(embedded):
    (embedded / "cat" / "1.png").write_bytes(b"")
    (embedded / "owl" / "0.png").unlink()
    (embedded / "owl" / "0.png").symlink_to("nowhere")
    store = moderate_cli.embed(
        moderate_cli.scan(embedded), "pixels", dtype="float32", runtime="torch"
    )
    assert len(store) == 8
    assert store.unreadable == {1: "is empty", 7: "No such file or directory"}
    assert store.readable.dtype == bool
    assert np.flatnonzero(~store.readable).tolist() == [1, 7]
    assert store.unread == [7]  # the other one was read, and is no image


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
    moderate_cli.embed(moderate_cli.scan(embedded), "pixels", dtype="float32", runtime="torch")
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
        f"{store.folder}/features.npy: damaged (holds {found}, not float32 (8, 192)); remove"
        f" {store.folder} to embed again"
    )


@pytest.mark.parametrize("name", ["labels.npy", "paths.txt", "digests.npy", "unreadable.txt"])
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


def test_damage_is_told_of_in_one_line():
    error = damaged(Path("some/set"), "labels.npy", "torn\n  in two")
    assert (
        str(error) == "some/set/labels.npy: damaged (torn in two); remove some/set to embed again"
    )


@pytest.mark.parametrize("name", ["features.npy", "labels.npy", "stats.npy", "manifest.json"])
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
        moderate_cli.score(moderate_cli.embed(dataset, "pixels", dtype="float32"))
    message = str(caught.value)
    assert message.startswith(f"{folder}/{name}: damaged (")
    assert message.endswith(f"); remove {folder} to embed again")
    assert "\n" not in message
