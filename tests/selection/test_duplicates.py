import csv
import json
import math

import numpy as np
import pytest
from conftest import paint
from PIL import Image
from shown import without_closing

from moderate_cli.errors import ArgumentError
from moderate_cli.selection import duplicates
from moderate_cli.selection.duplicates import find_duplicates


def plain(features, rows, threshold):
    """Go through images in order; join each to the first survivor that is similar enough."""
    survivors, found = [], []
    for row in rows:
        z = features[row]
        for other in survivors:
            y = features[other]
            if z @ y >= threshold * math.sqrt((z @ z) * (y @ y)):
                found.append((row, other))
                break
        else:
            survivors.append(row)
    return found


@pytest.mark.parametrize("blocks", [(3, 2), (7, 50), (2048, 8192)])
@pytest.mark.parametrize("seed", range(5))
def test_duplicates_are_those_of_the_plain_statement(seed, blocks, monkeypatch):
    monkeypatch.setattr(duplicates, "BLOCK_ROWS", blocks[0])
    monkeypatch.setattr(duplicates, "REFERENCE_ROWS", blocks[1])
    rng = np.random.default_rng(seed)
    features = rng.random((60, 3))
    rows = np.flatnonzero(rng.random(60) < 0.8)
    for threshold in (0.5, 0.9, 0.97, 0.999):
        found = find_duplicates(features, rows, threshold)
        pairs = list(zip(found.rows.tolist(), found.survivors.tolist(), strict=True))
        assert pairs == plain(features, rows.tolist(), threshold)


def test_equal_images_have_a_similarity_of_one(rng):
    features = rng.random((40, 1280)).astype(np.float16)
    features[20:] = features[:20]
    found = find_duplicates(features, np.arange(40), 1)
    assert found.survivors.tolist() == list(range(20))
    np.testing.assert_allclose(found.similarity, 1, atol=1e-6)
    assert found.similarity.max() <= 1


def test_no_chain_joins_images_that_differ():
    angles = np.radians([0, 10, 20, 30])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = find_duplicates(features, np.arange(4), math.cos(math.radians(12)))
    assert found.rows.tolist() == [1, 3]
    assert found.survivors.tolist() == [0, 2]


def test_progress_reaches_the_last_image(monkeypatch):
    monkeypatch.setattr(duplicates, "BLOCK_ROWS", 3)
    told = []
    find_duplicates(np.eye(7), np.arange(7), 1, lambda done, total: told.append((done, total)))
    assert told == [(3, 7), (6, 7), (7, 7)]


@pytest.mark.parametrize("threshold", [0, -1, 1.01, math.nan])
def test_a_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(ArgumentError) as caught:
        find_duplicates(np.ones((2, 2)), np.arange(2), threshold)
    assert str(caught.value) == f"threshold: {threshold} is not in (0, 1]"


@pytest.fixture
def twins(data):
    """Gray images all point in one direction; two that are split do not."""
    for path in data.rglob("*.png"):
        path.unlink()
    for name, top, bottom in (
        ("cat/0", 255, 0), ("cat/1", 0, 255), ("cat/2", 0, 255), ("dog/0", 255, 0), ("owl/0", 9, 9)
    ):  # fmt: skip
        path = data / f"{name}.png"
        paint(path, top)
        image = Image.open(path)
        image.paste((bottom,) * 3, (0, 4, 9, 9))
        image.save(path)
    return data


def test_duplicates_are_listed_and_torn_pairs_named(twins, moderate, tmp_path):
    done = moderate("duplicates", twins)
    assert done == (
        0,
        "1.000000\tcat/2.png\tcat/1.png\n1.000000\tdog/0.png\tcat/0.png\n",
        "moderate: 2 near duplicates of 2 images\n"
        "moderate: warning: 1 pair of near duplicates has different labels, so one label is wrong:"
        " dog/0.png and cat/0.png\n",
    )
    header = ["similarity", "path", "duplicate_of"]
    rows = [["1.000000", "cat/2.png", "cat/1.png"], ["1.000000", "dog/0.png", "cat/0.png"]]
    assert moderate("duplicates", twins, "-o", tmp_path / "d.csv").stdout == ""
    with (tmp_path / "d.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [header, *rows]
    moderate("duplicates", twins, "-o", tmp_path / "d.json")
    found = json.loads((tmp_path / "d.json").read_text())
    assert found == [dict(zip(header, (1.0, *row[1:]), strict=True)) for row in rows]


def test_dedup_keeps_the_first_of_each_group_and_one_of_each_class(twins, moderate):
    done = moderate("select", "-r", "1", "--dedup", "0.99", twins)
    assert done.stdout == "cat/0.png\ncat/1.png\ndog/0.png\nowl/0.png\n"
    assert without_closing(done.stderr).splitlines() == [
        "moderate: 2 near duplicates of 2 images",
        "moderate: warning: 1 pair of near duplicates has different labels, so one label is wrong:"
        " dog/0.png and cat/0.png",
        "moderate: did not drop 1 near duplicate, so that each class keeps --min-per-class 1:"
        " dog 1",
    ]
    done = moderate("select", "-r", "1", "--dedup", "0.99", "--min-per-class", "0", twins)
    assert done.stdout == "cat/0.png\ncat/1.png\nowl/0.png\n"
    assert without_closing(done.stderr).splitlines()[2:] == [
        "moderate: warning: 1 class had nothing but near duplicates, so no image is left: dog 1;"
        " --min-per-class 1 keeps one of each"
    ]
    assert moderate("select", "-r", "1", twins).stdout.count("\n") == 5


def test_dedup_needs_features(moderate, tmp_path):
    np.save(tmp_path / "s.npy", np.arange(4.0))
    done = moderate("select", "-r", "1", "--dedup", "1", "--scores", tmp_path / "s.npy")
    assert done.status == 2
    assert "--dedup needs features, not --scores" in done.stderr


def test_own_features_can_be_deduplicated(moderate, tmp_path):
    np.save(tmp_path / "f.npy", np.array([[1.0, 0], [0, 1], [2, 0], [1, 1]]))
    np.save(tmp_path / "y.npy", np.array([0, 0, 1, 1]))
    args = ("--features", tmp_path / "f.npy", "--labels", tmp_path / "y.npy")
    done = moderate("select", "-r", "1", "--dedup", "0.9", *args)
    assert done.stdout == "0\n1\n3\n"
    assert without_closing(done.stderr).endswith(
        "has different labels, so one label is wrong: 2 and 0\n"
    )


def test_a_tab_in_a_name_needs_csv(twins, moderate):
    (twins / "cat" / "2.png").rename(twins / "cat" / "2\t.png")
    done = moderate("duplicates", twins)
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.endswith("cat/2\\t.png: holds a tab; -o FILE.csv quotes it\n")
