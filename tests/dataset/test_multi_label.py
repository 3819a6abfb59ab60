"""Images with several labels each are refused, saying how they can be used."""

import pytest
from conftest import paint

from moderate_cli import scan
from moderate_cli.errors import DatasetError

ADVICE = "an image has one class here, so pass --features with --labels, or --scores"


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        (["cat", "dog", "cat|dog"], "cat|dog"),
        (["cat|owl", "dog|owl", "bird"], "cat|owl"),
        (["cat", "dog", "cat; dog"], "cat; dog"),
        (["cat", "dog", '"cat,dog"'], "cat,dog"),
        (['"[""cat"", ""dog""]"', "cat", "dog"], '["cat", "dog"]'),
        (["\"['cat']\"", "cat", "dog"], "['cat']"),
    ],
)
def test_several_labels_in_a_cell_are_refused(data, cells, shown):
    rows = [f"cat/{at}.png,{cell}" for at, cell in enumerate(cells)]
    (data / "l.csv").write_text("\n".join(["path,label", *rows]))
    with pytest.raises(DatasetError) as error:
        scan(data / "l.csv")
    assert str(error.value) == f"{data}/l.csv: has several labels in a cell ({shown}); {ADVICE}"


@pytest.mark.parametrize(
    "cells", [["black|white", "dog", "cat"], ['"tench, Tinca"', "eel", "cod"], ["[1]x", "a", "b"]]
)
def test_a_name_may_have_a_separator(data, cells):
    rows = [f"cat/{at}.png,{cell}" for at, cell in enumerate(cells)]
    (data / "l.csv").write_text("\n".join(["path,label", *rows]))
    assert len(scan(data / "l.csv").classes) == 3


def test_a_column_for_each_label_is_refused(data):
    (data / "l.csv").write_text("image,rust,scab,width\ncat/0.png,0,1,9\ncat/1.png,1,1,8\n")
    with pytest.raises(DatasetError) as error:
        scan(data / "l.csv")
    assert str(error.value) == (
        f"{data}/l.csv: has 2 columns of 0 and 1 (rust, scab) in place of one column of classes;"
        f" {ADVICE}, or name a column with --label-column"
    )
    assert scan(data / "l.csv", label_column="scab").classes == ("1",)


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ("annotations.json images/1.png", "COCO (annotations.json)"),
        ("train/_annotations.coco.json train/1.png", "COCO (_annotations.coco.json)"),
        (
            "annotations/instances_val2017.json train2017/1.png val2017/1.png",
            "COCO (annotations/instances_val2017.json)",
        ),
        ("data.yaml images/train/1.png labels/train/1.txt", "YOLO (data.yaml)"),
        ("images/1.png images/2.png labels/1.txt", "YOLO (labels/)"),
        ("JPEGImages/1.png Annotations/1.xml ImageSets/x.txt", "Pascal VOC (Annotations/1.xml)"),
        ("1.png 1.xml", "Pascal VOC (1.xml)"),
    ],
)
def test_a_dataset_of_objects_is_refused_where_classes_are_needed(tmp_path, moderate, names, kind):
    root = tmp_path / "objects"
    for name in names.split():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".png"):
            paint(path, 9)
        else:
            path.touch()
    if kind.startswith("COCO (_"):
        root = root / "train"
    refused = moderate("select", root, "--ratio", "1")
    assert refused.stderr == (
        f"moderate: error: {root}: looks like {kind}, where an image has several labels, not one"
        " class; use --labels kmeans:K to cluster the images, or --features with --labels, or"
        " --scores\n"
    )
    assert refused.status == 1
    for command in (["embed"], ["duplicates"], ["select", "--ratio", "1", "--labels", "kmeans:1"]):
        assert moderate(*command, root).status == 0, command
