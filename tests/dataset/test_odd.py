"""A dataset with all oddities at once: one screen of notes, and a right selection."""

import csv
import html
import json
import os
import shutil

import numpy as np
import pytest
from shown import without_closing
from torchvision.datasets import ImageFolder

from moderate_cli.dataset import Notice, scan

NOTES = """\
train: 1 class has no images: empty
train: ignored 2 .heic, 1 .jxl, 1 .mp4, 1 image without a suffix, 1 image beside the class \
folders, 9 hidden files, 1 folder .git, 2 folders .ipynb_checkpoints, 1 folder @eaDir, 1 folder \
__MACOSX; pip install 'moderate-cli[heif]' to read .heic; rename images without a suffix to \
.jpg, whatever their format
train: 1 .gif is read here, but ImageFolder ignores it, even in an export; rename to .jpg, under \
which ImageFolder reads any format
train: rows of -o FILE.npy differ from those of ImageFolder, which treats .git, \
.ipynb_checkpoints, __MACOSX, again as classes, lists 5 hidden files, enters folders that are \
ignored here, ignores 1 image and enters folders twice; use paths (-o FILE.txt), or remove the cause
train: folders are entered only once: again leads back to the dataset itself, cat/loop leads back \
to cat, cat/up leads back to the dataset itself
train: dog and puppy are the same folder, so 2 images count twice; remove one of the names
train: names that differ only by case or Unicode form: Dog and dog, Dog/0.PNG and Dog/0.png; a \
disk of macOS or Windows would merge them; rename one
"""
# Images by the distance of their level to the mean of their class: Dog/0.PNG, Dog/0.png, owl/0.png,
# owl/1.gif (0), cat/2 (10), cat/3 (41), cat/1 (61), cat/0 (112), dog/0, dog/1, puppy/0, puppy/1
# (127.5), cat/4 (143). The window of 7 of 13 begins at the fourth; its ends, cat/2 and dog/1, make
# room for an image of each class that has none.
KEPT = "Dog/0.png cat/0.png cat/1.png cat/3.png dog/0.png owl/1.gif puppy/0.png".split()


def noted(stderr):
    """Return the lines that tell of the listing, as they are in `NOTES`."""
    lines = [line.removeprefix("moderate: warning: ") + "\n" for line in stderr.splitlines()]
    return "".join(line for line in lines if line.startswith("train: "))


@pytest.fixture
def here(odd, monkeypatch):
    monkeypatch.chdir(odd.parent)
    return odd


def test_an_odd_dataset_gives_one_screen_of_notes_and_a_right_selection(here, moderate):
    done = moderate("select", "-r", "0.5", "--scope", "global", "train")
    assert (done.status, done.stdout.splitlines()) == (0, KEPT)
    assert noted(done.stderr) == NOTES
    rows = sum(-(-len(line) // 80) for line in done.stderr.splitlines())
    assert rows <= 24


@pytest.mark.parametrize(
    "args",
    [
        "embed train",
        "embed --dry-run train",
        "score train",
        "suspects train",
        "duplicates train",
        "perturb train -o out --label-noise 0.3",
        "report train -o page.html",
    ],
)
def test_each_command_says_it_once(here, moderate, args):
    done = moderate(*args.split())
    assert (done.status, noted(done.stderr)) == (0, NOTES)


def test_a_test_set_has_the_same_warnings_as_the_data(data, moderate, monkeypatch):
    monkeypatch.chdir(data.parent)
    (data / "cat" / ".DS_Store").touch()
    shutil.copytree(data, data.parent / "test")
    args = "evaluate train --test test --strategy random --seeds 3 -r 0.5"
    done = moderate(*args.split())
    assert done.status == 0
    assert done.stderr.splitlines()[:2] == [
        "moderate: warning: train: ignored 1 hidden file",
        "moderate: warning: test: ignored 1 hidden file",
    ]


def test_a_clean_dataset_is_not_spoken_of(data, moderate):
    for name in ("README.md", "LICENSE", "labels.csv", "cat/0.txt", ".moderate-export"):
        (data / name).touch()
    assert scan(data).notices == ()
    done = moderate("select", "-r", "1", data)
    assert (done.status, without_closing(done.stderr)) == (0, "")


def test_an_export_has_the_classes_of_the_odd_dataset_and_nothing_odd(here, moderate):
    done = moderate("select", "-r", "1", "train", "--copy-to", "out")
    assert done.status == 0
    classes = ["Dog", "cat", "dog", "empty", "owl", "puppy"]
    exported = ImageFolder("out", allow_empty=True)
    assert exported.classes == classes == list(scan("train").classes)
    ours = [path for path in scan("train").paths if path != "owl/1.gif"]  # as the note says
    assert [os.path.relpath(path, "out") for path, _ in exported.samples] == ours
    assert scan("out").notices == (
        Notice("more", 1, (".gif",), "rows"),
        Notice("alike files", 1, ("Dog/0.PNG", "Dog/0.png")),
        Notice("alike classes", 1, ("Dog", "dog")),
    )


def test_rows_map_to_those_of_image_folder_by_path(here, moderate):
    moderate("select", "-r", "0.5", "--scope", "global", "train", "-o", "kept.npy")
    rows = np.load("kept.npy")
    assert [scan("train").paths[row] for row in rows] == KEPT
    for loop in ("again", "cat/loop", "cat/up"):  # of which ImageFolder would list 2 ** 40 folders
        os.unlink(f"train/{loop}")
    folder = ImageFolder("train", allow_empty=True)
    samples = [os.path.relpath(path, "train") for path, _ in folder.samples]
    assert [samples[row] for row in rows] != KEPT
    # As in the README; a .gif is not one of its samples.
    row_of = {path: row for row, path in enumerate(samples)}
    theirs = [row_of[path] for path in KEPT if path in row_of]
    assert [samples[row] for row in theirs] == [path for path in KEPT if path != "owl/1.gif"]


def test_info_describes_a_dataset_as_it_is_now(here, moderate):
    moderate("embed", "train")
    told = moderate("info", "train").stdout
    notes = [line.removeprefix("train: ") for line in NOTES.splitlines()[1:]]
    assert [line for line in told.splitlines() if line.startswith("note ")] == [
        f"{f'note {number}':9}{note}" for number, note in enumerate(notes, 1)
    ]
    facts = json.loads(moderate("info", "train", "--json").stdout)["dataset"]
    assert facts["notices"][0] == {
        "kind": "suffix", "count": 2, "names": [".heic"], "shifts": ""
    }  # fmt: skip
    assert len(facts["notices"]) == len(scan("train").notices) == 19
    assert facts["oddities"] == notes


def test_info_shows_the_features_of_a_dataset_that_is_gone(embedded, moderate):
    embedded.rename(embedded.with_name("moved"))
    told = moderate("info", embedded)
    assert told.status == 0
    assert told.stdout.splitlines()[0] == (
        f"dataset  {embedded}: No such file or directory; name a dataset folder"
    )
    assert told.stdout.splitlines()[-1].endswith("complete")


def test_the_report_warns_of_it(here, moderate):
    assert moderate("report", "train", "-o", "page.html").status == 0
    page = (here.parent / "page.html").read_text()
    for line in NOTES.splitlines()[1:]:
        fact, _, advice = line.removeprefix("train: ").partition("; ")
        # A capital would change the name of a class, or a command.
        if not fact.startswith("dog"):
            fact = f"{fact[0].upper()}{fact[1:]}"
        if not advice.startswith("pip"):
            advice = f"{advice[:1].upper()}{advice[1:]}"
        assert f"<strong>{fact}.</strong>" in page
        assert f"<bdi>{advice}{'.' if advice else ''}</bdi>" in html.unescape(page)


def test_a_perturbed_copy_has_nothing_that_was_left_behind(here, moderate):
    assert moderate(*"perturb train -o out --label-noise 0.3".split()).status == 0
    assert {notice.kind for notice in scan("out").notices} == {
        "more", "alike classes", "alike files"
    }  # fmt: skip
    with open("out/perturbed.csv", newline="") as file:
        assert all(".gif" in one["path"] or one["path"].lower().endswith(".png")
                   for one in csv.DictReader(file))  # fmt: skip
