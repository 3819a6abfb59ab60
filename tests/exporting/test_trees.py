"""Copies of a whole tree of splits, of which one is pruned."""

import os
import shutil

import pytest

from moderate_cli import export, select
from moderate_cli.errors import ArgumentError, DatasetError, OutputError


@pytest.fixture
def tree(data):
    """The splits train and val, a file, a feature store and a hidden folder."""
    top = data.parent
    shutil.copytree(data, top / "val")
    (top / "val" / "empty").mkdir()
    (top / "data.yaml").write_text("names: [cat, dog, owl]")
    (top / ".cache").mkdir()
    select(data, ratio=1, backbone="pixels")
    assert (top / "train.moderate").is_dir()
    return top


def files_of(folder):
    return sorted(
        os.path.relpath(os.path.join(parent, name), folder)
        for parent, _, names in os.walk(folder)
        for name in names
    )


def test_one_split_is_pruned_and_all_else_is_copied(tree, moderate, monkeypatch):
    monkeypatch.chdir(tree.parent)
    done = moderate("select", "data", "--split", "train", "--count", "3", "--copy-to", "small")
    assert done.stdout == ""
    assert done.stderr.splitlines()[0] == (
        "moderate: Kept 3 of 8 images in 3 classes (38 % of the 8; 0 dropped first) with moderate,"
        " and all else in data -> small"
    )
    kept = select(tree / "train", count=3, backbone="pixels").paths
    val = [f"val/{name}" for name in files_of(tree / "val")]
    assert files_of("small") == sorted(
        [".moderate-export", "data.yaml", *(f"train/{path}" for path in kept), *val]
    )
    assert os.path.isdir("small/val/empty")
    assert not os.path.exists("small/.cache")
    again = moderate(
        "select", "data", "--split", "train", "--count", "4", "--copy-to", "small", "--force"
    )
    assert again.status == 0
    assert len(files_of("small")) == len(kept) + 1 + len(val) + 2


def test_a_list_alone_copies_nothing_else(tree, moderate, monkeypatch):
    monkeypatch.chdir(tree.parent)
    done = moderate("select", "data", "--split", "train", "--count", "3", "-o", "a.txt")
    assert done.stderr.splitlines()[0].endswith(" with moderate -> a.txt")


def test_the_hint_names_the_split_so_that_its_command_copies_the_tree(tree, moderate, monkeypatch):
    monkeypatch.chdir(tree.parent)
    args = ("--split", "train", "--count", "3", "--link", "hard", "--copy-to", "small")
    hint = moderate("select", "data", *args).stderr.splitlines()[-1]
    assert " use: moderate select --count 3 --strategy adaptive data --" in hint
    assert hint.endswith(" --split train --copy-to small --link hard --force")
    done = moderate(*hint.partition(" use: moderate ")[2].split())
    assert done.status == 0
    assert " with adaptive, and all else in data -> small\n" in done.stderr
    assert os.path.samefile("small/data.yaml", "data/data.yaml")


def test_a_store_of_any_name_is_not_copied(tree, tmp_path, moderate):
    store = tree / "features"
    moderate("embed", tree / "train", "--store", store)
    assert (store / "moderate.lock").is_file()
    shutil.copytree(store, tree / "val", dirs_exist_ok=True)  # where images are, too
    selection = select(tree / "train", count=3, backbone="pixels")
    export(tree / "train", selection, tmp_path / "small", tree=tree)
    assert sorted(os.listdir(tmp_path / "small")) == [
        ".moderate-export", "data.yaml", "train", "val",
    ]  # fmt: skip
    assert files_of(tmp_path / "small" / "val") == files_of(tree / "val")


@pytest.mark.parametrize("link", ["hard", "symbolic"])
def test_the_others_are_linked_as_the_kept_images_are(tree, tmp_path, link):
    (tree / "loop").symlink_to(".")
    (tree / "test").symlink_to("val")
    selection = select(tree / "train", count=3, backbone="pixels")
    export(tree / "train", selection, tmp_path / "small", link=link, tree=tree)
    for name in ("data.yaml", "val/cat/0.png"):
        copy = tmp_path / "small" / name
        assert copy.samefile(tree / name)
        assert copy.is_symlink() == (link == "symbolic")
    assert sorted(os.listdir(tmp_path / "small")) == [
        ".moderate-export", "data.yaml", "test", "train", "val",
    ]  # fmt: skip


def test_a_split_may_have_the_metadata_of_hugging_face(tree, moderate, monkeypatch):
    monkeypatch.chdir(tree.parent)
    flat = tree / "flat"
    shutil.move(tree / "train" / "cat", flat)
    (flat / "metadata.csv").write_text("file_name,label\n0.png,a\n1.png,a\n2.png,b\n3.png,b\n")
    done = moderate("select", "data", "--split", "flat", "--ratio", "0.5", "--copy-to", "small")
    assert done.status == 0, done.stderr
    kept = files_of("small/flat")
    assert len(kept) == 3
    assert kept[-1] == "metadata.csv"
    assert "train/dog/0.png" in files_of("small")


def test_a_copy_inside_the_tree_is_refused_before_any_work(tree, moderate, monkeypatch):
    monkeypatch.chdir(tree)
    shutil.rmtree("train.moderate")
    done = moderate("select", ".", "--split", "train", "--count", "3", "--copy-to", "small")
    assert done.stderr.endswith("small: is inside the tree of splits; choose a folder outside it\n")
    assert not os.path.exists("train.moderate")
    with pytest.raises(OutputError, match="is inside the tree of splits"):
        export(tree / "train", [True] * 8, tree / "small", tree=tree)


def test_an_unknown_split_and_another_tree_are_refused(tree, moderate, tmp_path):
    done = moderate("select", str(tree), "--split", "trian", "--count", "3")
    assert done.status == 2
    assert "--split 'trian' is unknown; did you mean train? Choose one of train, val" in done.stderr
    (tmp_path / "other").mkdir()
    with pytest.raises(ArgumentError, match="other does not contain the folder"):
        export(tree / "train", [True] * 8, tmp_path / "small", tree=tmp_path / "other")


def test_a_folder_without_splits_is_said_to_have_none(tree, moderate):
    """Its classes are not offered as splits."""
    for data, told in (
        ("train", "--split train: train has no splits (its folders: cat, dog, owl); leave it out"),
        ("train/cat", "--split needs a folder of splits, such as data with data/train"),
        ("train/cat/0.png", "--split needs a folder of splits, such as data with data/train"),
    ):
        name = tree / data
        done = moderate("select", str(name), "--split", "train", "-r", "0.5")
        assert (done.status, done.stdout) == (2, "")
        assert told.replace(" train has", f" {name} has") in done.stderr.splitlines()[-1]


def test_a_folder_that_cannot_be_listed_is_an_error(tree, tmp_path, monkeypatch):
    listed = os.scandir

    def failing(folder):
        if folder == tree / "val":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(DatasetError, match="val: cannot be listed"):
        export(tree / "train", [True] * 8, tmp_path / "small", tree=tree)
    assert not (tmp_path / "small").exists()
