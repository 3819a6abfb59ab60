import os

import pytest
from conftest import paint

from moderate_cli.dataset import scan
from moderate_cli.errors import ArgumentError, OutputError
from moderate_cli.files import places
from moderate_cli.guard import Guard


@pytest.fixture
def guard(data):
    """A guard of the dataset."""
    found = Guard()
    found.add_dataset(scan(data))
    return found


def refusal(check, path, **options):
    with pytest.raises((ArgumentError, OutputError)) as caught:
        check(path, **options)
    return str(caught.value).removeprefix(f"{path}: ")


INSIDE = "is inside the dataset; choose a folder outside it"


@pytest.mark.parametrize("name", ["k.txt", "cat/000.png", "cat/new.png", "link/k.txt", "owl/k.txt"])
def test_no_file_is_put_into_the_dataset(data, guard, name):
    (data.parent / "link").symlink_to("train/dog")
    folder = data.parent if name.startswith("link") else data
    assert refusal(guard.check_file, folder / name) == INSIDE


def test_a_link_to_an_image_is_that_image(data, guard, tmp_path):
    (tmp_path / "k.txt").symlink_to(data / "cat" / "0.png")
    assert refusal(guard.check_file, tmp_path / "k.txt") == INSIDE


def test_what_an_image_is_a_link_to_is_an_image(data, tmp_path):
    paint(tmp_path / "pool" / "a.png", 5)
    paint(tmp_path / "pool" / "b.png", 5)
    (data / "cat" / "a.png").symlink_to(tmp_path / "pool" / "a.png")
    guard = Guard()
    guard.add_dataset(scan(data))
    assert refusal(guard.check_file, tmp_path / "pool" / "a.png") == (
        "is an image of the dataset, 'cat/a.png'; choose another file"
    )
    guard.check_file(tmp_path / "pool" / "b.png")
    guard.check_file(tmp_path / "pool" / "new.png")
    guard.check_folder(tmp_path / "pool" / "new")
    assert refusal(guard.check_folder, tmp_path / "pool", replace=True) == (
        "images of the dataset, such as 'cat/a.png', are links to it; choose another folder"
    )


def test_a_folder_of_no_image_between_class_and_images_is_the_dataset(data, tmp_path):
    paint(tmp_path / "deep" / "er" / "a.png", 5)
    (data / "cat" / "more").symlink_to(tmp_path / "deep")
    guard = Guard()
    guard.add_dataset(scan(data))
    assert refusal(guard.check_folder, tmp_path / "deep" / "new") == INSIDE


def test_an_input_is_no_output(tmp_path):
    (tmp_path / "y.npy").touch()
    os.link(tmp_path / "y.npy", tmp_path / "again.npy")
    guard = Guard()
    guard.add_file(tmp_path / "y.npy", "an input")
    for name in ("y.npy", "again.npy"):
        assert refusal(guard.check_file, tmp_path / name) == (
            "is also an input; choose another file"
        )
    assert refusal(guard.check_folder, tmp_path, replace=True) == (
        "contains an input; choose a separate folder"
    )
    guard.check_folder(tmp_path / "new")


def test_a_store_is_no_place_for_outputs(tmp_path):
    guard = Guard()
    guard.add_store(tmp_path / "s" / "store")
    assert refusal(guard.check_folder, tmp_path / "s") == (
        "contains the feature store; choose a separate folder"
    )
    (tmp_path / "s" / "store").mkdir(parents=True)
    guard.add_store(tmp_path / "s" / "store")
    assert refusal(guard.check_file, tmp_path / "s" / "store" / "k.txt") == (
        "is inside the feature store; choose a folder outside it"
    )
    guard.check_file(tmp_path / "s" / "k.txt")


def test_files_are_added_to_no_folder_that_leads_into_the_dataset(data, guard, tmp_path):
    assert refusal(guard.check_addition, data / "cat") == INSIDE
    assert refusal(guard.check_addition, data / "plots") == INSIDE
    guard.check_addition(tmp_path / "plots")
    (tmp_path / "plots").mkdir()
    guard.check_addition(tmp_path / "plots")
    (tmp_path / "plots" / "map.png").symlink_to(data / "cat" / "0.png")
    with pytest.raises(OutputError) as caught:
        guard.check_addition(tmp_path / "plots")
    assert str(caught.value) == f"{tmp_path}/plots/map.png: {INSIDE}"


def test_tar_files_are_kept_and_their_folder_is_free(tmp_path, monkeypatch):
    import tarfile

    paint(tmp_path / "a.png", 5)
    (tmp_path / "shards").mkdir()
    with tarfile.open(tmp_path / "shards" / "a.tar", "w") as tar:
        tar.add(tmp_path / "a.png", "a.png")
    guard = Guard()
    guard.add_dataset(scan(tmp_path / "shards" / "a.tar"))
    guard.check_file(tmp_path / "shards" / "k.txt")
    guard.check_folder(tmp_path / "shards" / "new")
    assert refusal(guard.check_folder, tmp_path / "shards", replace=True) == (
        "contains the tar file a.tar of the dataset; choose a separate folder"
    )
    os.link(tmp_path / "shards" / "a.tar", tmp_path / "b.tar")
    assert refusal(guard.check_file, tmp_path / "b.tar") == (
        "is also the tar file a.tar of the dataset; choose another file"
    )


@pytest.mark.parametrize("kind", ["moderate-tmp", "moderate-old"])
def test_a_dataset_named_like_what_a_killed_command_left_is_not_cleaned_up(data, tmp_path, kind):
    left = data.rename(tmp_path / f".out.0123abcd.{kind}")
    guard = Guard.of(scan(left))
    for check in (guard.check_folder, guard.check_file):
        if check == guard.check_folder:
            assert refusal(check, tmp_path / "out") == (
                f".out.0123abcd.{kind} has the name of its temporary, but contains the dataset;"
                " rename that first"
            )
        else:
            check(tmp_path / "out")  # a folder is never the temporary of a file
    inner = left.rename(tmp_path / "inner")
    (tmp_path / f".out.0123abcd.{kind}").mkdir()
    inner = inner.rename(tmp_path / f".out.0123abcd.{kind}" / "train")
    assert "contains the dataset" in refusal(Guard.of(scan(inner)).check_folder, tmp_path / "out")


def test_a_store_that_is_not_there_yet_is_no_place_for_outputs(data):
    guard = Guard.of(scan(data))
    store = data.with_name("train.moderate")
    inside = "is inside the feature store; choose a folder outside it"
    assert refusal(guard.check_folder, store / "out") == inside
    assert refusal(guard.check_file, store / "k.txt") == inside
    assert refusal(guard.check_addition, store / "plots") == inside
    assert refusal(guard.check_folder, store) == (
        "contains the feature store; choose a separate folder"
    )


def test_an_image_that_is_mounted_is_known_by_its_inode(data, tmp_path, monkeypatch):
    (tmp_path / "k.txt").hardlink_to(data / "cat" / "0.png")  # as a mount, one file of two names
    guard = Guard.of(scan(data))
    guard.check_file(tmp_path / "k.txt")  # without a mount, the other name keeps the bytes
    monkeypatch.setattr(places, "MOUNTS", os.fspath(tmp_path / "mountinfo"))
    (tmp_path / "mountinfo").write_text(f"36 35 98:0 / {data}/cat/0.png rw - ext4 /dev/a rw\n")
    assert refusal(guard.check_file, tmp_path / "k.txt") == (
        "is an image of the dataset, 'cat/0.png'; choose another file"
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "k.txt").rename(tmp_path / "out" / "0.png")
    assert refusal(guard.check_folder, tmp_path / "out", replace=True) == (
        "contains an image of the dataset, 'cat/0.png'; choose another folder"
    )
