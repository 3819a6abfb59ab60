import errno
import os
from pathlib import Path

import pytest
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import IMG_EXTENSIONS

from moderate_cli.dataset import IMAGE_EXTENSIONS, Dataset, scan
from moderate_cli.errors import DatasetError


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = os.path.join(os.fsencode(root), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(os.fsdecode(path)).touch()


def listed(dataset: Dataset) -> list[tuple[str, int]]:
    return list(zip(dataset.paths, dataset.labels.tolist(), strict=True))


def assert_like_image_folder(root: Path) -> Dataset:
    dataset, reference = scan(root), ImageFolder(root, allow_empty=True)
    assert list(dataset.classes) == reference.classes
    assert [(f"{root}/{path}", label) for path, label in listed(dataset)] == reference.samples
    return dataset


def test_extensions_are_those_of_torchvision():
    assert IMAGE_EXTENSIONS == IMG_EXTENSIONS


def test_order_is_that_of_image_folder_on_nested_folders(tmp_path):
    names = ("a/2.jpg", "a/10.jpg", "a/b/1.png", "a/b-c/1.png", "a/b/c/d.webp", "a/b c/1.bmp")
    touch(tmp_path, *names, "a-b/1.jpg", "a/z.jpg", "B/1.jpg", "a/B.jpg")
    assert len(assert_like_image_folder(tmp_path)) == 10


def test_files_count_by_their_ending_as_in_image_folder(tmp_path):
    touch(tmp_path, "a/1.JPG", "a/2.JpEg", "a/.jpg", "a/.hidden.png", "a/3.jpg.txt", "a/4.gif")
    touch(tmp_path, "a/5.tif", "a/6.tiff", "a/7.pgm", "a/8.ppm", "a/9jpg", "0.jpg", ".b/1.png")
    assert len(assert_like_image_folder(tmp_path)) == 9


def test_odd_names_are_listed_as_in_image_folder(tmp_path):
    touch(tmp_path, "a/new\nline.jpg", "a/tab\t.jpg", "a/ space.jpg", "a/-dash.jpg", "a/\u2603.jpg")
    touch(tmp_path, "a/" + "x" * 251 + ".jpg", "A/1.jpg", "'quote'/\".jpg")
    touch(tmp_path, os.fsdecode(b"\xff\xfe/\xe9.jpg"))
    assert len(assert_like_image_folder(tmp_path)) == 9


def test_links_are_followed_as_in_image_folder(tmp_path):
    touch(tmp_path, "data/a/1.jpg", "elsewhere/2.jpg", "elsewhere/sub/3.jpg")
    root = tmp_path / "data"
    (root / "b").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "dangling.jpg").symlink_to("nowhere")
    (root / "a" / "file.jpg").symlink_to(tmp_path / "elsewhere" / "2.jpg")
    (root / "dangling").symlink_to("nowhere")
    (root / "a" / "self.jpg").symlink_to("self.jpg")
    assert len(assert_like_image_folder(root)) == 8


def test_a_loop_of_folders_ends_as_in_image_folder(tmp_path):
    touch(tmp_path, "a/1.jpg")
    (tmp_path / "a" / "again").symlink_to("..")
    assert len(assert_like_image_folder(tmp_path)) > 1


def test_a_folder_named_like_an_image_is_a_folder(tmp_path):
    touch(tmp_path, "a/1.jpg/2.jpg", "b.jpg/3.jpg")
    assert len(assert_like_image_folder(tmp_path)) == 2


def test_a_class_without_images_keeps_its_index(tmp_path):
    touch(tmp_path, "a/1.jpg", "b/notes.txt", "c/1.jpg")
    dataset = assert_like_image_folder(tmp_path)
    assert listed(dataset) == [("a/1.jpg", 0), ("c/1.jpg", 2)]
    assert dataset.empty_classes == ("b",)


def test_images_without_class_folders_are_of_one_class(tmp_path):
    touch(tmp_path, "b.PNG", "a.jpg", "notes.txt")
    dataset = scan(tmp_path)
    assert dataset.flat
    assert listed(dataset) == [("a.jpg", 0), ("b.PNG", 0)]
    touch(tmp_path, "cat/1.jpg")  # with one, all others are none of its images
    assert not scan(tmp_path).flat
    assert listed(assert_like_image_folder(tmp_path)) == [("cat/1.jpg", 0)]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "{}: No such file or directory; name a dataset folder"),
        (
            ("1.txt",),
            "{}: holds no class folders and no images (.jpg .jpeg .png .ppm .bmp .pgm .tif .tiff"
            " .webp); put images in one folder per class",
        ),
        (
            ("a/1.txt",),
            "{}: its class folders hold no images"
            " (.jpg .jpeg .png .ppm .bmp .pgm .tif .tiff .webp);"
            " name the folder that the class folders are in",
        ),
        (
            (".ipynb_checkpoints/notes.txt", "1.jpg"),
            "{}: its folders (.ipynb_checkpoints) hold no images, and images lie beside them;"
            " move the images into one folder per class, or remove those folders",
        ),
        (
            ("d/1.txt", "c/1.txt", "b/1.txt", "a/1.txt", "1.jpg"),
            "{}: its folders (a, b, c, ...) hold no images, and images lie beside them;"
            " move the images into one folder per class, or remove those folders",
        ),
    ],
)
def test_a_folder_that_is_no_dataset_is_refused(tmp_path, names, message):
    root = tmp_path / "data"
    touch(root, *names)
    with pytest.raises(DatasetError) as caught:
        scan(root)
    assert str(caught.value) == message.format(root)


def fail_to_list(monkeypatch, folder: Path, number: int) -> None:
    def scandir(path, original=os.scandir):
        if path == os.fspath(folder):
            raise OSError(number, os.strerror(number), path)
        return original(path)

    monkeypatch.setattr(os, "scandir", scandir)


UNLISTED = "{}: cannot be listed ({}); make it readable, or move it out of the dataset"


@pytest.mark.parametrize("folder", ["cat", "cat/deep"])
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_a_folder_that_cannot_be_listed_does_not_count_as_empty(
    tmp_path, monkeypatch, folder, number
):
    touch(tmp_path, "cat/deep/1.jpg", "dog/1.jpg")
    fail_to_list(monkeypatch, tmp_path / folder, number)
    with pytest.raises(DatasetError) as caught:
        scan(tmp_path)
    assert str(caught.value) == UNLISTED.format(tmp_path / folder, os.strerror(number))


def test_a_folder_that_vanishes_meanwhile_counts_as_empty(tmp_path, monkeypatch):
    touch(tmp_path, "cat/1.jpg", "cat/deep/2.jpg")
    fail_to_list(monkeypatch, tmp_path / "cat" / "deep", errno.ENOENT)
    assert listed(scan(tmp_path)) == [("cat/1.jpg", 0)]


@pytest.mark.parametrize("name", ["linked", "cat/linked"])
def test_a_link_that_may_lead_to_a_folder_is_not_passed_over(tmp_path, name):
    touch(tmp_path, "cat/1.jpg")
    (tmp_path / "cat" / "2.jpg").symlink_to("x" * 300)  # an image, which embedding will tell of
    assert listed(scan(tmp_path)) == [("cat/1.jpg", 0), ("cat/2.jpg", 0)]
    (tmp_path / name).symlink_to("x" * 300)
    with pytest.raises(DatasetError) as caught:
        scan(tmp_path)
    assert str(caught.value) == UNLISTED.format(tmp_path / name, "File name too long")


def test_folders_named_like_splits_are_noticed(tmp_path):
    touch(tmp_path, "train/cat/1.jpg", "Val/cat/1.jpg")
    assert scan(tmp_path).looks_like_splits
    assert not scan(tmp_path / "train").looks_like_splits
    touch(tmp_path, "train-0.3/cat/1.jpg")
    (tmp_path / "train.moderate").mkdir()
    assert scan(tmp_path).looks_like_splits
    touch(tmp_path, "train-station/1.jpg")
    assert not scan(tmp_path).looks_like_splits


def test_a_class_folder_is_noticed(tmp_path):
    touch(tmp_path, "data/cat/1.jpg", "data/dog/notes.txt")
    assert not scan(tmp_path / "data" / "cat").looks_like_class
    touch(tmp_path, "data/dog/1.JPG")
    assert scan(tmp_path / "data" / "cat").looks_like_class
    assert not scan(tmp_path / "data").looks_like_class
