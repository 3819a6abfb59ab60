"""Links that lead to folders of a dataset."""

import os

import pytest
from torchvision.datasets import ImageFolder

from moderate_cli.dataset import Notice, scan


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def root(tmp_path):
    """Three images of cat, one of them in a folder, and two of dog."""
    touch(tmp_path / "data", "cat/1.jpg", "cat/2.jpg", "cat/sub/3.jpg", "dog/1.jpg", "dog/2.jpg")
    return tmp_path / "data"


OWN = ["cat/1.jpg", "cat/2.jpg", "cat/sub/3.jpg", "dog/1.jpg", "dog/2.jpg"]


def test_two_classes_that_are_one_folder_are_named_with_the_images_that_count_twice(root):
    (root / "kitty").symlink_to("cat")
    dataset = scan(root)
    assert list(dataset.paths) == [*OWN, "kitty/1.jpg", "kitty/2.jpg", "kitty/sub/3.jpg"]
    assert dataset.notices == (Notice("twin", 3, ("cat", "kitty")),)
    assert [path for path, _ in ImageFolder(root).samples] == [
        f"{root}/{path}" for path in dataset.paths
    ]


def test_folders_without_images_may_have_two_names(root):
    touch(root, "cat/none/notes.txt")
    (root / "dog" / "none").symlink_to("../cat/none")
    assert scan(root).notices == ()


def test_a_folder_of_another_class_is_named_at_any_depth(root):
    touch(root, "owl/deep/1.jpg")
    (root / "owl" / "deep" / "b").symlink_to("../../cat/sub")
    (root / "dog" / "again").symlink_to(root / "cat")
    dataset = scan(root)
    added = ["dog/again/1.jpg", "dog/again/2.jpg", "dog/again/sub/3.jpg"]
    assert list(dataset.paths) == [*OWN, *added, "owl/deep/1.jpg", "owl/deep/b/3.jpg"]
    assert dataset.notices == (
        Notice("twin", 3, ("cat", "dog/again")),
        Notice("twin", 1, ("cat/sub", "owl/deep/b")),
    )
    assert [path for path, _ in ImageFolder(root).samples] == [
        f"{root}/{path}" for path in dataset.paths
    ]


@pytest.mark.parametrize("target", [".", "..", "../..", "../cat"])
def test_a_loop_of_links_is_not_entered(root, target):
    (root / "cat" / "loop").symlink_to(target)
    dataset = scan(root)
    assert list(dataset.paths) == OWN
    above = {"..": ".", "../..": str(root.parent)}.get(target, "cat")
    assert dataset.notices == (Notice("loop", 1, ("cat/loop", above), "rows"),)


def test_a_class_that_leads_back_to_the_dataset_is_no_class(root):
    (root / "all").symlink_to(".")
    (root / "up").symlink_to("..")
    dataset = scan(root)
    assert (dataset.classes, list(dataset.paths)) == (("cat", "dog"), OWN)
    assert dataset.notices == (
        Notice("loop", 1, ("all", "."), "classes"),
        Notice("loop", 1, ("up", str(root.parent)), "classes"),
    )


def test_many_links_to_all_folders_end(root):
    for name in "abcdefgh":
        touch(root, f"{name}/1.jpg")
    names = ["cat", "dog", *"abcdefgh"]
    for name in names:
        for number, other in enumerate([*names, ".", ".."]):
            (root / name / f"link{number}").symlink_to(root / other)
    dataset = scan(root)
    # Each class has the 13 images of all classes, once, apart from its own folders.
    assert len(dataset) == 10 * 13
    assert {notice.kind for notice in dataset.notices} == {"loop", "again", "twin"}


def test_a_second_name_in_a_class_is_not_entered(root):
    (root / "cat" / "a").symlink_to("sub")  # sorts before it
    (root / "dog" / "x").symlink_to("../../else")
    (root / "dog" / "y").symlink_to("../../else")
    touch(root.parent, "else/9.jpg")
    dataset = scan(root)
    assert list(dataset.paths) == [*OWN, "dog/x/9.jpg"]
    assert dataset.notices == (
        Notice("again", 1, ("cat/a", "cat/sub"), "rows"),
        Notice("again", 1, ("dog/y", "dog/x"), "rows"),
    )


def test_a_second_mount_of_a_folder_is_a_second_name(root, monkeypatch):
    def stat(path, original=os.stat, **how):
        return original(str(path).replace("/mounted", "/cat"), **how)

    touch(root, "mounted/1.jpg")
    monkeypatch.setattr(os, "stat", stat)
    assert scan(root).notices == (Notice("twin", 1, ("cat", "mounted")),)


def test_what_two_classes_share_is_passed_over_once(root):
    touch(root, "cat/._1.jpg", "cat/9.mp4", "cat/.x/1.jpg", "cat/1.JPG")
    (root / "kitty").symlink_to("cat")
    assert scan(root).notices == (
        Notice("suffix", 1, (".mp4",)),
        Notice("hidden", 1, (), "rows"),
        Notice("folder", 1, (".x",), "rows"),
        Notice("alike files", 1, ("cat/1.JPG", "cat/1.jpg")),
        Notice("twin", 4, ("cat", "kitty")),
    )


def test_folders_of_a_file_system_without_inodes_are_all_different(root, monkeypatch):
    def stat(path, original=os.stat, **how):
        found = original(path, **how)
        return os.stat_result((found.st_mode, 0, *found[2:]))

    (root / "kitty").symlink_to("cat")
    monkeypatch.setattr(os, "stat", stat)
    assert scan(root).notices == ()
    assert len(scan(root)) == 8
