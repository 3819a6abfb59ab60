"""Classes in the names of files."""

import shutil

import pytest
from conftest import paint, write
from shown import without_closing

from moderate_cli import export, scan, select
from moderate_cli.dataset import sentences
from moderate_cli.errors import ArgumentError, DatasetError

PETS = ("Maine_Coon_7", "Maine_Coon_12", "pug_1", "pug_2", "Abyssinian_3")


@pytest.fixture
def pets(tmp_path, monkeypatch):
    """A flat folder as of Oxford-IIIT Pet, with a list beside it."""
    for at, name in enumerate(PETS):
        paint(tmp_path / "pets" / "images" / f"{name}.png", 50 * at)
    lines = ["#Image CLASS-ID SPECIES BREED ID", "#ID: 1:37 Class ids"]
    lines += [f"{name} {at} 1 1" for at, name in enumerate(PETS[1:])]
    write(tmp_path / "pets" / "annotations" / "list.txt", "\n".join(lines).encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "pets"


@pytest.mark.parametrize(
    ("pattern", "classes"),
    [
        (r"^(.+)_\d+", ("Abyssinian", "Maine_Coon", "pug")),
        ("Coon|pug|Abys", ("Abys", "Coon", "pug")),
        ("(Maine)|p(ug)|(A)b", ("A", "Maine", "ug")),
        ("^[A-Z]?", ("A", "M")),  # nothing is no class
    ],
)
def test_the_first_group_or_the_whole_match_is_the_class(pets, pattern, classes):
    assert scan(pets / "images", label_pattern=pattern).classes == classes


def test_images_are_ordered_as_those_of_a_list(pets):
    found = scan(pets / "images", label_pattern=r"^(.+)_\d+")
    assert list(found.paths) == [
        "Abyssinian_3.png", "Maine_Coon_12.png", "Maine_Coon_7.png", "pug_1.png", "pug_2.png",
    ]  # fmt: skip
    assert found.labels.tolist() == [0, 1, 1, 2, 2]
    assert found.notices == ()


def test_names_without_a_class_are_counted(pets):
    found = scan(pets / "images", label_pattern="Maine|pug")
    assert [str(one) for one in sentences(found)] == [
        "ignored 1 image without a class in the name, such as Abyssinian_3.png"
    ]
    with pytest.raises(DatasetError) as error:
        scan(pets / "images", label_pattern="dog")
    assert str(error.value) == (
        f"{pets}/images: no file name, such as Abyssinian_3.png, fits --label-pattern dog; the"
        " pattern finds the class in each name"
    )


@pytest.mark.parametrize("pattern", ["cat(", "*", "[z-a]", "(?P<{}>x)", "a{9999999999}"])
def test_a_wrong_pattern_is_refused_in_a_line(pets, pattern):
    with pytest.raises(ArgumentError, match="is not a regular expression") as error:
        scan(pets / "images", label_pattern=pattern)
    assert len(str(error.value).splitlines()) == 1


def test_an_empty_pattern_is_refused(pets, moderate):
    done = moderate("select", "pets/images", "--ratio", "1", "--label-pattern", "")
    told = "--label-pattern is empty; it finds the class in each file name, such as 'cat|dog'"
    assert (done.status, told in done.stderr) == (2, True)


def test_a_pattern_serves_lists_and_test_sets(pets, moderate):
    listed = moderate(
        "select", "pets/annotations/list.txt", "--images", "pets/images", "--ratio", "1",
        "--label-pattern", r"^(.+)_\d+", "-o", "kept.csv",
    )  # fmt: skip
    assert without_closing(listed.stderr) == (
        "moderate: warning: pets/annotations/list.txt: not listed: 1 image in its folders, such as"
        " Maine_Coon_7.png\n"
    )
    rows = [line.split(",")[:2] for line in (pets.parent / "kept.csv").read_text().split()[1:]]
    assert rows == [[f"{name}.png", name.rpartition("_")[0]] for name in sorted(PETS[1:])]
    shutil.copytree("pets/images", "test")
    tested = moderate(
        "evaluate", "pets/images", "--test", "test", "--label-pattern", "(Maine|pug)",
        "--ratio", "0.5", "--strategy", "random",
    )  # fmt: skip
    assert tested.status == 0


def test_a_wrong_pattern_is_refused_on_the_command_line(pets, moderate):
    refused = moderate("select", "pets/images", "--ratio", "1", "--label-pattern", "cat(")
    assert refused.status == 2
    assert "--label-pattern cat( is not a regular expression (missing )," in refused.stderr


def test_a_copy_has_the_same_names(pets):
    selection = select(
        scan(pets / "images", label_pattern=r"^(.+)_\d+"), count=3, backbone="pixels"
    )
    export(selection.dataset, selection.mask, "small")
    assert list(scan("small", label_pattern=r"^(.+)_\d+").paths) == selection.paths


def test_tiny_imagenet_is_read_as_it_is(tmp_path, monkeypatch, moderate):
    monkeypatch.chdir(tmp_path)
    lines = []
    for at in range(12):
        name = ("n01443537", "n01629819")[at % 2]
        paint(tmp_path / "tiny" / "train" / name / "images" / f"{name}_{at}.JPEG", 20 * at)
        write(tmp_path / "tiny" / "train" / name / f"{name}_boxes.txt", b"x.JPEG\t0\t0\t1\t1\n")
        paint(tmp_path / "tiny" / "val" / "images" / f"val_{at}.JPEG", 20 * at)
        lines.append(f"val_{at}.JPEG\t{name}\t0\t32\t32\t62\n")
    write(tmp_path / "tiny" / "val" / "val_annotations.txt", "".join(lines).encode())
    train = scan("tiny/train")
    assert (train.classes, train.notices) == (("n01443537", "n01629819"), ())
    assert train.paths[0] == "n01443537/images/n01443537_0.JPEG"
    with pytest.raises(DatasetError, match=r"pass --images tiny/val/images"):
        scan("tiny/val/val_annotations.txt")
    val = scan("tiny/val/val_annotations.txt", images="tiny/val/images")
    assert (val.classes, val.labels.tolist()) == (train.classes, [0] * 6 + [1] * 6)
    # The options of a list are those of the list to judge by.
    judged = ("--images", "tiny/val/images")
    done = moderate(
        "evaluate", "tiny/train", "--test", "tiny/val/val_annotations.txt", *judged, "--ratio",
        "0.5", "--seeds", "1", "--strategy", "random",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    assert "--images" not in done.stdout + done.stderr  # nor in the command to run
    done = moderate("evaluate", "tiny/train", "--test", "tiny/val", *judged)
    assert "--images needs a list of images, such as train.csv, not tiny/train" in done.stderr
    # The folder itself says which list to pass.
    (said,) = sentences(scan("tiny/val"), "tiny/val")
    assert "pass tiny/val/val_annotations.txt if it lists the classes" in str(said)
