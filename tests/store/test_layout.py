"""A file or folder with the name of a feature set that is not one is never replaced."""

import os
import shutil

import pytest
from conftest import paint

SET = "pixels-float32-float32"


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("place", [SET, f"{SET}.partial", f"{SET}/train", f"{SET}.partial/train"])
def test_a_dataset_in_the_place_of_its_set_is_not_touched(data, moderate, tmp_path, place):
    shutil.copytree(data, tmp_path / "S" / place)
    before = listing(tmp_path)
    done = moderate("embed", "--store", tmp_path / "S", tmp_path / "S" / place)
    assert done == (
        2,
        "",
        f"moderate: error: --store {tmp_path}/S: overlaps the dataset; choose a separate folder\n",
    )
    assert listing(tmp_path) == before


@pytest.mark.parametrize("name", [SET, f"{SET}.partial"])
@pytest.mark.parametrize("part", [(), ("--part", "1/1")])
def test_a_folder_of_another_program_is_not_replaced(data, moderate, tmp_path, name, part):
    folder = tmp_path / "feats" / name
    for foreign, shown in (("mine.txt", "mine.txt"), ("features.npy", "features.npy")):
        folder.mkdir(parents=True)
        (folder / foreign).write_text("mine")
        done = moderate("embed", "--store", tmp_path / "feats", data, *part)
        assert done == (
            1,
            "",
            f"moderate: error: {folder}: has the name of a feature set, but contains {shown!r};"
            " move it away, or pass another --store DIR\n",
        )
        assert (folder / foreign).read_text() == "mine"
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", [SET, f"{SET}.partial"])
def test_a_file_or_a_link_is_not_replaced(data, moderate, tmp_path, name):
    (tmp_path / "feats" / "disk").mkdir(parents=True)
    place = tmp_path / "feats" / name
    for make in (lambda: place.write_text("mine"), lambda: place.symlink_to("disk")):
        make()
        done = moderate("embed", "--store", tmp_path / "feats", data)
        assert done == (
            1,
            "",
            f"moderate: error: {place}: has the name of a feature set, but is not a folder; move"
            " it away, or pass another --store DIR\n",
        )
        assert os.path.lexists(place)
        place.unlink()


@pytest.mark.parametrize("what", ["mine.txt", "mine/", "my-scores.npy"])
def test_a_file_that_a_user_added_to_a_set_is_not_lost_when_the_set_changes(
    embedded, moderate, what
):
    own = embedded.parent / "train.moderate" / SET / what
    own.mkdir() if what.endswith("/") else own.write_text("mine")
    assert moderate("score", embedded).status == 0
    paint(embedded / "cat" / "new.png", 77)
    done = moderate("score", embedded)
    assert (done.status, done.stdout) == (1, "")
    assert f"but contains {what.rstrip('/')!r}; move it away" in done.stderr
    assert own.exists()


def test_results_and_files_of_the_system_are_removed_with_a_set(embedded, moderate):
    folder = embedded.parent / "train.moderate" / SET
    clustered = ["score", "--labels", "kmeans:2"]
    evaluated = ["evaluate", "-r", "0.5", "--seeds", "1"]
    for args in (["score"], ["score", "--criterion", "el2n"], ["suspects"], evaluated, clustered):
        assert moderate(*args, embedded).status == 0
    for name in (".DS_Store", ".nfs0000000000ab12cd00000001", ".x.npy.0123abcd.moderate-tmp"):
        (folder / name).touch()
    paint(embedded / "cat" / "new.png", 77)
    assert moderate("score", embedded).status == 0
    assert ".DS_Store" not in os.listdir(folder)


def test_a_claim_of_somebody_else_is_kept(data, moderate, tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / f"{SET}.claim").write_text("mine")
    assert moderate("embed", "--store", tmp_path / "s", data).status == 0
    assert (tmp_path / "s" / f"{SET}.claim").read_text() == "mine"
