"""Coresets that others can check and make again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import paint
from shown import without_closing

from moderate_cli import select, verify, write_index
from moderate_cli.dataset.fingerprints import content_digest


@pytest.fixture
def kept(data, moderate, monkeypatch):
    """A `kept.json` of four images."""
    monkeypatch.chdir(data.parent)
    options = ("--count", "4", "--strategy", "hard", "--balance", "uniform", "--seed", "3")
    assert moderate("select", "train", *options, "-o", "kept.json").status == 0
    return json.loads(Path("kept.json").read_text())


def test_a_list_says_how_it_was_made(kept, data):
    (digest,) = {one.pop("blake2b") for one in kept["images"][:1]}
    assert kept["images"][0] == {
        "row": 0,
        "path": "cat/0.png",
        "class": "cat",
        "score": kept["images"][0]["score"],
    }
    assert digest == content_digest((data / "cat" / "0.png").read_bytes()).hex()
    recipe = kept["recipe"]
    assert set(recipe) == {"moderate", "options", "weights", "dataset"}
    assert recipe["options"] == {
        "count": "4", "strategy": "hard", "scope": "class", "balance": "uniform", "seed": "3",
        "backbone": ["pixels"], "precision": "float32", "dtype": "float32", "decode": "full",
            "orientation": "ignore",
    }  # fmt: skip
    assert recipe["dataset"]["name"] == "train"
    assert recipe["dataset"]["images"] == 8
    assert recipe["dataset"]["classes"] == {"cat": [5, 2], "dog": [2, 1], "owl": [1, 1]}
    assert list(kept) == ["kept", "of", "recipe", "images"]


def test_the_same_selection_gives_the_same_bytes(kept, moderate):
    before = Path("kept.json").read_bytes()
    done = moderate("select", "train", "--recipe", "kept.json", "-o", "again.json")
    assert without_closing(done.stderr) == (
        "moderate: selected the same 4 images as in kept.json\n"
    )
    assert Path("again.json").read_bytes() == before
    done = moderate("select", "train", "--recipe", "kept.json", "--seed", "4", "--strategy", "easy")
    assert (done.status, without_closing(done.stderr)) == (0, "")  # another selection, as asked for


def test_a_selection_that_cannot_be_made_again_says_why(kept, data, moderate):
    (data / "cat" / "2.png").unlink()
    paint(data / "cat" / "0.png", 100)
    done = moderate("verify", "kept.json", "train")
    assert done.stdout == "changed\tcat/0.png\tcat\tcat\n"
    done = moderate("select", "train", "--recipe", "kept.json", "-o", "again.json")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr == (
        "moderate: embedding 1 new or changed image; 6 are as before\n"
        "moderate: error: kept.json: cannot be made again: 1 of its 4 images would not be kept,"
        " because the dataset has 7 images, not 8; leave out --recipe to select anew\n"
    )
    assert not Path("again.json").exists()


def test_other_images_beside_those_that_are_kept_are_told(kept, data, moderate):
    (data / "cat" / "2.png").unlink()
    done = moderate("verify", "kept.json", "train")
    assert done.status == 0
    assert done.stderr.endswith(
        "moderate: train has 7 images, not 8, so `moderate select --recipe` may keep others\n"
    )


def test_a_variable_that_would_change_the_selection_is_refused(kept, moderate, monkeypatch):
    monkeypatch.setenv("MODERATE_STRATEGY", "hard")  # as in the recipe
    assert moderate("select", "train", "--recipe", "kept.json").status == 0
    monkeypatch.setenv("MODERATE_CRITERION", "neighbors")
    done = moderate("select", "train", "--recipe", "kept.json")
    assert (done.status, done.stdout) == (2, "")
    assert "kept.json: MODERATE_CRITERION=neighbors would change it; unset it" in done.stderr


def test_a_recipe_sets_only_what_a_selection_depends_on(kept, moderate):
    kept["recipe"]["options"]["store"] = "elsewhere"
    Path("kept.json").write_text(json.dumps(kept))
    done = moderate("select", "train", "--recipe", "kept.json")
    assert done.status == 2
    assert "kept.json: a recipe cannot set --store" in done.stderr
    assert not Path("elsewhere").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: kept["images"].append(kept["images"][0]),
        lambda kept: kept["images"].pop(),
        lambda kept: kept.update(images={}),
        lambda kept: kept["images"][0].update(path="\ud800"),
        lambda kept: kept.update(recipe={"options": {}}),
    ],
)
def test_a_damaged_list_is_refused(kept, moderate, damage):
    damage(kept)
    Path("kept.json").write_text(json.dumps(kept))
    done = moderate("verify", "kept.json", "train")
    assert (done.status, done.stdout) == (2, "")
    assert "kept.json: is not a list of kept images that -o kept.json wrote" in done.stderr


def test_a_copy_of_the_dataset_is_verified(kept, data, moderate):
    shutil.copytree(data, "copy")
    done = moderate("verify", "kept.json", "copy")
    assert (done.status, done.stdout) == (0, "")
    assert done.stderr == "moderate: Verified 4 images of kept.json in copy\n"
    paths = [one["path"] for one in kept["images"]]
    assert paths == ["cat/0.png", "cat/4.png", "dog/1.png", "owl/0.png"]
    Path("copy/cat/0.png").unlink()
    paint(Path("copy/cat/4.png"), 7)
    Path("copy/wolf").mkdir()
    Path("copy/dog/1.png").rename("copy/wolf/1.png")
    done = moderate("verify", "kept.json", "copy")
    assert done.status == 1
    assert (
        done.stdout
        == "missing\tcat/0.png\tcat\t\nchanged\tcat/4.png\tcat\tcat\nmissing\tdog/1.png\tdog\t\n"
    )
    assert done.stderr.endswith("moderate: error: copy: 3 of 4 images of kept.json differ\n")
    lines = ["path,label", *(f"{path},dog" for path in paths if Path("copy", path).exists())]
    Path("copy/list.csv").write_text("\n".join(lines))
    found = verify("kept.json", "copy/list.csv").differences
    assert ("other class", "owl/0.png", "owl", "dog") in found


def test_a_list_without_digests_is_compared_by_path(kept, data):
    chosen = select(data, count=4, backbone="pixels")
    write_index("plain.json", chosen.scores, chosen.mask)
    found = verify("plain.json", data)
    assert (found.images, found.undigested, found.differences) == (4, 4, ())


def test_clusters_are_part_of_the_recipe(kept, data, moderate):
    options = ("--count", "4", "--labels", "kmeans:2", "--seed", "5")
    moderate("select", "train", *options, "-o", "clusters.json")
    assert (
        json.loads(Path("clusters.json").read_text())["recipe"]["options"]["labels"] == "kmeans:2"
    )
    assert verify("clusters.json", data).differences == ()
    done = moderate("select", "train", "--recipe", "clusters.json")
    assert without_closing(done.stderr).endswith("selected the same 4 images as in clusters.json\n")


def test_inverted_and_array_selections_have_no_recipe(kept, data, moderate):
    assert select(data, count=4, backbone="pixels").inverted().recipe is None
    chosen = select(features=np.eye(4), labels=np.zeros(4, dtype=int), count=2)
    assert chosen.recipe is None
    write_index("arrays.json", chosen.scores, chosen.mask, recipe=chosen.recipe)
    done = moderate("select", "train", "--recipe", "arrays.json")
    assert done.status == 2
    assert "arrays.json: has no recipe; only selections from DATA" in done.stderr


@pytest.mark.parametrize("content", ["", "{", "[]", '{"images": [1]}', '{"images": {"a": 1}}'])
def test_another_file_is_refused_in_a_line(kept, moderate, content):
    Path("other.json").write_text(content)
    for how in (("verify", "other.json", "train"), ("select", "train", "--recipe", "other.json")):
        done = moderate(*how)
        assert done.status == 2
        assert "other.json: is not a list of kept images that -o kept.json wrote" in done.stderr
    assert "No such file" in moderate("verify", "none.json", "train").stderr
