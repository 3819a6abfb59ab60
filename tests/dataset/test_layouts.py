"""Folders that are laid out in another way than one of class folders."""

import pytest
from shown import without_closing

from moderate_cli.dataset import scan

WAYS = "make one folder per class, or use --labels kmeans:K, or --features with --labels"
CLUSTER = "use --labels kmeans:K to cluster them"
SEVERAL = (
    "where an image has several labels, not one class; use --labels kmeans:K to cluster the images,"
    " or --features with --labels, or --scores"
)
LIST = "pass {}/{} if it lists the classes, or use --labels kmeans:K"


def made(root, names):
    for name in names.split():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("names", "told"),
    [
        # Competitions: a table beside a folder, or two.
        (
            "train.csv train_images/1.jpg train_images/2.jpg",
            f"all images are in one class, train_images; not read: train.csv;"
            f" {LIST.format('DATA', 'train.csv')}",
        ),
        (
            "train.csv train_images/1.jpg test_images/1.jpg sample_submission.csv",
            "its folders are used as classes, but have names of parts of a dataset: test_images,"
            f" train_images; {WAYS}",
        ),
        # COCO.
        (
            "annotations.json images/1.jpg",
            f"looks like COCO (annotations.json), {SEVERAL}",
        ),
        (
            "annotations/instances.json train2017/1.jpg val2017/1.jpg",
            "its folders are used as classes, but have names of parts of a dataset: train2017,"
            f" val2017; {WAYS}",
        ),
        # Pascal VOC, without and with masks.
        (
            "JPEGImages/1.jpg JPEGImages/2.jpg Annotations/1.xml Annotations/2.xml ImageSets/x.txt",
            f"looks like Pascal VOC (Annotations/1.xml), {SEVERAL}",
        ),
        (
            "JPEGImages/1.jpg Annotations/1.xml SegmentationClass/1.png",
            f"looks like Pascal VOC (Annotations/1.xml), {SEVERAL}",
        ),
        # YOLO.
        (
            "data.yaml images/1.jpg images/2.jpg labels/1.txt labels/2.txt",
            f"looks like YOLO (data.yaml), {SEVERAL}",
        ),
        (
            "images/train/1.jpg images/val/1.jpg labels/train/1.txt",
            f"looks like YOLO (labels/), {SEVERAL}",
        ),
        # One class, and folders that may be the classes.
        ("cat/1.jpg empty/notes.txt", "all images are in one class, cat; " + CLUSTER),
        (
            "data/train/1.jpg data/val/1.jpg out/x/1.jpg",
            "no class folder has images itself; those of data are in its folders train, val; if"
            " those are the classes, pass DATA/data",
        ),
        # Labels beside each image, or in a table of theirs, in a flat folder.
        (
            "1.jpg 1.json 2.jpg 2.json",
            f"all images are in one class; not read: 2 .json beside the images; {WAYS}",
        ),
        (
            "1.jpg 2.jpg 3.jpg metadata.csv README.md",
            f"all images are in one class; not read: metadata.csv;"
            f" {LIST.format('DATA', 'metadata.csv')}",
        ),
        (
            "1.jpg 2.jpg labels.txt",
            "all images are in one class; not read: labels.txt;"
            f" {LIST.format('DATA', 'labels.txt')}",
        ),
        # Classes, but one or two levels below.
        (
            "pets/cat/1.jpg pets/dog/1.jpg",
            "all images are in one class, pets, in its folders cat, dog; if those are the classes,"
            " pass DATA/pets",
        ),
        # Splits in classes, as in MVTec.
        (
            "bottle/train/good/1.jpg bottle/test/bad/1.jpg nut/train/1.jpg nut/test/1.jpg",
            "each class has folders named like splits, whose images are mixed: test, train; make"
            " one folder per split, with the classes in it, e.g. train/bottle",
        ),
        ("images/1.jpg", f"all images are in one class, images; {WAYS}"),
    ],
)
def test_another_layout_is_recognized_with_advice(tmp_path, names, told):
    from moderate_cli.dataset import sentences

    made(tmp_path, names)
    dataset = scan(tmp_path)
    assert [str(sentence) for sentence in sentences(dataset)] == [told]
    assert sentences(dataset, clustered=True) == []


@pytest.mark.parametrize(
    "names",
    [
        "cat/1.jpg dog/1.jpg README.md LICENSE LICENSE.txt requirements.txt",
        "cat/1.jpg dog/1.jpg labels.csv annotations.json dataset_info.json cat/1.txt",
        "cat/1.jpg dog/1.jpg empty/notes.txt",
        "images/1.jpg paintings/1.jpg",
        "mask/1.jpg no_mask/1.jpg",
        "cat/1.jpg cat/train/1.jpg cat/test/1.jpg dog/1.jpg",
        "cat/day1/1.jpg cat/day2/1.jpg dog/day1/1.jpg",
        "train/1.jpg bus/1.jpg",
    ],
)
def test_class_folders_are_not_spoken_of(tmp_path, names):
    made(tmp_path, names)
    assert scan(tmp_path).notices == ()


def test_a_command_goes_on_with_one_class_and_says_so(data, moderate):
    for name in ("dog", "owl"):
        (data / name / "0.png").unlink()
    (data / "dog" / "1.png").unlink()
    (data / "dog").rmdir()
    (data / "owl").rmdir()
    (data / "cat").rename(data / "images")
    (data / "labels.csv").touch()
    advice = LIST.format(data, "labels.csv")
    told = f"{data}: all images are in one class, images; not read: labels.csv; {advice}"
    done = moderate("select", "-r", "0.5", data)
    assert (done.status, without_closing(done.stderr)) == (0, f"moderate: warning: {told}\n")
    assert done.stdout == "images/0.png\nimages/1.png\nimages/3.png\n"
    done = moderate("select", "-r", "0.4", data, "--labels", "kmeans:2")
    assert (done.status, "all images" in done.stderr) == (0, False)
