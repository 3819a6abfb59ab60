import errno
import os
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import IMG_EXTENSIONS

from moderate_cli.dataset import IMAGE_EXTENSIONS, Dataset, Notice, notices, scan
from moderate_cli.dataset.image_formats import MORE_EXTENSIONS
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
    touch(tmp_path, "a/1.JPG", "a/2.JpEg", "a/3.jpg.txt", "a/4.svg")
    touch(tmp_path, "a/5.tif", "a/6.tiff", "a/7.pgm", "a/8.ppm", "a/9jpg", "0.jpg")
    assert len(assert_like_image_folder(tmp_path)) == 6


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
    touch(tmp_path, "cat/1.jpg")  # then files beside the class folder are not images of it
    assert not scan(tmp_path).flat
    assert listed(assert_like_image_folder(tmp_path)) == [("cat/1.jpg", 0)]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "{}: No such file or directory; name a dataset folder"),
        (
            ("1.txt",),
            "{}: contains neither class folders nor images (.jpg .jpeg .png .ppm .bmp .pgm .tif"
            " .tiff .webp); put images in one folder per class",
        ),
        (
            ("a/1.txt",),
            "{}: there are no images (.jpg .jpeg .png .ppm .bmp .pgm .tif .tiff .webp) in its class"
            " folders; pass the folder that contains the class folders",
        ),
        (
            ("plots/notes.txt", "1.jpg"),
            "{}: its folders (plots) contain no images, but there are images beside them;"
            " move the images into one folder per class, or remove those folders",
        ),
        (
            ("a/1.txt", "a/1.svg", "a/2.SVG", "a/.3.jpg"),
            "{}: there are no images (.jpg .jpeg .png .ppm .bmp .pgm .tif .tiff .webp) in its class"
            " folders, but 2 .svg, 1 hidden file; pass the folder that contains the class folders",
        ),
        (
            ("a.tar", "b.tar", ".git/HEAD"),
            "{0}: contains tar files in place of images; pass them, e.g. {0}/a.tar, or several with"
            " braces",
        ),
        (
            ("d/1.txt", "c/1.txt", "b/1.txt", "a/1.txt", "1.jpg"),
            "{}: its folders (a, b, c, ...) contain no images, but there are images beside them;"
            " move the images into one folder per class, or remove those folders",
        ),
    ],
)
def test_a_folder_that_is_not_a_dataset_is_refused(tmp_path, names, message):
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


def test_hidden_files_and_folders_are_neither_images_nor_classes(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/._1.jpg", "a/.jpg", "a/.x/2.jpg", "a/.y/notes.txt", ".b/1.jpg")
    touch(tmp_path, "a/__MACOSX/._1.jpg", "lost+found/1.jpg", "$RECYCLE.BIN/1.jpg", "c/Thumbs.db")
    touch(tmp_path, "c/1.jpg:Zone.Identifier", "c/Icon\r", "c/.moderate-export", ".hidden.jpg")
    dataset = scan(tmp_path)
    assert (dataset.classes, listed(dataset)) == (("a", "c"), [("a/1.jpg", 0)])
    assert dataset.notices == (
        Notice("hidden", 4),  # three in c, and one beside the classes
        Notice("hidden", 2, (), "rows"),
        Notice("folder", 1, ("$RECYCLE.BIN",), "classes"),
        Notice("folder", 1, (".b",), "classes"),
        Notice("folder", 1, (".x",), "rows"),
        Notice("folder", 1, (".y",)),
        Notice("folder", 1, ("__MACOSX",), "rows"),
        Notice("folder", 1, ("lost+found",), "classes"),
    )
    theirs = ImageFolder(tmp_path, allow_empty=True)
    assert theirs.classes == ["$RECYCLE.BIN", ".b", "a", "c", "lost+found"]
    assert len(theirs) == 8


def test_hidden_folders_beside_images_make_no_classes_of_them(tmp_path):
    touch(tmp_path, "1.jpg", ".ipynb_checkpoints/1-checkpoint.jpg", "._1.jpg")
    dataset = scan(tmp_path)
    assert listed(dataset) == [("1.jpg", 0)]
    assert dataset.notices == (
        Notice("hidden", 1, (), "rows"),
        Notice("folder", 1, (".ipynb_checkpoints",), "classes"),
    )


def test_hidden_folders_that_cannot_be_listed_do_no_harm(tmp_path, monkeypatch):
    touch(tmp_path, "a/1.jpg", ".Trashes/1.jpg", "a/.Trashes/1.jpg")
    fail_to_list(monkeypatch, tmp_path / ".Trashes", errno.EACCES)
    fail_to_list(monkeypatch, tmp_path / "a" / ".Trashes", errno.EACCES)
    assert listed(scan(tmp_path)) == [("a/1.jpg", 0)]


MORE = "1.jfif 2.JPE 3.gif 4.avif 5.jp2 6.tga 7.pbm 8.apng 9.mpo".split()


def test_images_with_other_suffixes_of_pillow_are_read_and_counted(tmp_path):
    touch(tmp_path, "a/0.jpg", *(f"a/{name}" for name in MORE), "b/1.gif")
    dataset = scan(tmp_path)
    assert list(dataset.paths) == ["a/0.jpg", *(f"a/{name}" for name in MORE), "b/1.gif"]
    assert dataset.notices[0] == Notice("more", 2, (".gif",), "rows")
    assert sum(notice.count for notice in dataset.notices) == 10
    assert len(ImageFolder(tmp_path, allow_empty=True)) == 1


def test_all_names_that_are_read_are_those_of_formats_that_pillow_reads():
    from PIL import Image

    known = {name for name, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    # A .jif and an .mpo are JPEG files, which Pillow knows by their content.
    assert set(MORE_EXTENSIONS) - known == {".jif", ".mpo"}


def test_files_of_other_suffixes_are_counted_but_for_texts(tmp_path):
    touch(
        tmp_path, "a/1.jpg", "a/2.jxl", "a/3.JXL", "a/4.mp4", "a/5.jpg_large", "a/6.xml", "a/x.md"
    )
    touch(tmp_path, "b/1.jpg")
    assert scan(tmp_path).notices == (
        Notice("suffix", 2, (".jxl",)),
        Notice("suffix", 1, (".jpg_large",)),
        Notice("suffix", 1, (".mp4",)),
    )


def test_images_without_a_suffix_are_recognized_by_their_first_bytes(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/README", "a/Picture 2021-05-06 10.20.30")
    for number, head in enumerate((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0")):
        (tmp_path / "a" / str(number)).write_bytes(head)
    (tmp_path / "a" / "webp").write_bytes(b"RIFF\0\0\0\0WEBPVP8 ")
    (tmp_path / "a" / "4.5").write_bytes(b"\0\0\0\x18ftypheic")  # no suffix, but a number
    os.mkfifo(tmp_path / "a" / "fifo")
    assert scan(tmp_path).notices == (Notice("no suffix", 6),)


def test_so_many_files_without_a_suffix_are_not_all_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(notices, "SNIFFED", 3)
    touch(tmp_path, "a/1.jpg")
    for number in range(5):
        (tmp_path / "a" / str(number)).write_bytes(b"\xff\xd8\xff")
    assert scan(tmp_path).notices == (Notice("no suffix", 3),)


def test_images_beside_class_folders_are_counted(tmp_path):
    touch(tmp_path, "a/1.jpg", "2.jpg", "3.GIF", "notes.txt", "all.zip", ".DS_Store")
    assert scan(tmp_path).notices == (Notice("beside", 2), Notice("hidden", 1))


def test_names_that_another_disk_would_merge_are_listed(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/x/1.jpg", "a/X/1.jpg", "a/1.JPG", "b/1.jpg", "B/2.jpg")
    touch(tmp_path, "caf\u00e9/1.jpg", "cafe\u0301/1.jpg", "c/stra\u00dfe.jpg", "c/STRASSE.jpg")
    dataset = scan(tmp_path)
    assert len(dataset) == 10
    assert dataset.notices == (
        Notice("alike files", 3, ("a/1.JPG", "a/1.jpg")),
        Notice("alike classes", 1, ("B", "b")),
        Notice("alike classes", 1, ("cafe\u0301", "caf\u00e9")),
    )


def test_capitals_and_other_scripts_alone_are_nothing_odd(tmp_path):
    touch(tmp_path, "Cat/IMG_1.JPG", "Cat/IMG_2.JPG", "\u732b/\u00e9.jpg", "\u732b/e.jpg")
    assert scan(tmp_path).notices == ()


def test_a_part_of_a_dataset_says_nothing_of_the_whole(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/2.gif", "a/._1.jpg")
    dataset = scan(tmp_path)
    assert dataset.notices
    assert dataset.part(np.array([0])).notices == ()


def test_folders_of_splits_and_hidden_ones_do_not_make_a_class_of_their_neighbors(tmp_path):
    touch(tmp_path, "train_images/1.jpg", "test_images/1.jpg", "photos/1.jpg", "o/.cache/1.jpg")
    assert not scan(tmp_path / "train_images").looks_like_class
    assert scan(tmp_path / "photos").looks_like_class
    touch(tmp_path, "o/mine/1.jpg")
    assert not scan(tmp_path / "o" / "mine").looks_like_class
