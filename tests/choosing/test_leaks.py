"""Images that are in two datasets."""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from listeners import Told

from moderate_cli import duplicates, evaluate
from moderate_cli.choosing import leaks
from moderate_cli.errors import ArgumentError
from moderate_cli.selection import duplicates as comparing
from moderate_cli.selection.duplicates import find_leaks


@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_each_image_has_its_most_similar_one_of_the_other_set(seed, size):
    rng = np.random.default_rng(seed)
    ours, theirs = rng.normal(size=(9, 3)), rng.normal(size=(8, 3)).astype(np.float32)
    rows, other_rows = np.array([0, 2, 3, 5, 8]), np.array([1, 2, 6, 7])
    cosine = (ours / np.linalg.norm(ours, axis=1, keepdims=True)) @ (
        theirs / np.linalg.norm(theirs, axis=1, keepdims=True)
    ).T
    expected = [
        (row, other_rows[cosine[row, other_rows].argmax()])
        for row in rows
        if cosine[row, other_rows].max() >= 0.8
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparing, "BLOCK_ROWS", size)
        patch.setattr(comparing, "REFERENCE_ROWS", size)
        found = find_leaks(ours, rows, theirs, other_rows, 0.8)
    assert list(zip(found.rows.tolist(), found.survivors.tolist(), strict=True)) == expected
    assert found.similarity == pytest.approx([cosine[pair] for pair in expected], abs=1e-6)


def test_images_of_both_sets_are_listed(pictures, moderate, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    (pictures.parent / "other" / "x").mkdir(parents=True)
    shutil.copy(pictures / "c" / "2.png", "other/x/copy.png")
    done = moderate("duplicates", "train", "--against", "other", "--threshold", "1")
    # The pictures of a class differ by brightness alone.
    assert done.stdout == "".join(f"1.000000\tc/{at}.png\tx/copy.png\n" for at in range(5))
    assert done.stderr.splitlines()[-1] == "moderate: 5 near duplicates of 1 image in other"
    back = moderate("duplicates", "other", "--against", "train", "--threshold", "1")
    assert back.stdout == "1.000000\tx/copy.png\tc/0.png\n"
    none = moderate("duplicates", "other", "--against", "train", "--threshold", "1", "--store", "s")
    assert none.stdout == back.stdout
    assert sorted(path.name for path in pictures.parent.glob("s*")) == ["s", "s-against"]


def test_no_duplicates_are_said(pictures, moderate, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    for name in "bcd":
        shutil.move(pictures / name, pictures.parent / "other" / name)
    done = moderate("duplicates", "train", "--against", "other", "--threshold", "1")
    assert (done.stdout, done.status) == ("", 0)
    assert done.stderr.splitlines()[-1] == "moderate: no near duplicates of images in other"


def test_evaluate_warns_of_test_images_in_the_data(pictures, monkeypatch):
    test = pictures.parent / "test"
    shutil.copytree(pictures, test)
    how = {"ratio": 0.5, "strategy": "random", "seeds": 1, "backbone": "pixels"}
    told = []
    evaluate(pictures, test=test, listener=Told(notice=told), **how)
    (notice,) = (one for one in told if one.kind == "leaked test images")
    assert (notice.count, notice.of, notice.names) == (20, 20, (str(test),))
    monkeypatch.setattr(leaks, "PAIRS", 100)  # of 400: every fourth
    told = []
    evaluate(pictures, test=test, listener=Told(notice=told), **how)
    (notice,) = (one for one in told if one.kind == "leaked test images")
    assert (notice.count, notice.of) == (5, 5)


def test_another_dataset_is_compared_with_a_dataset_only(pictures):
    with pytest.raises(ArgumentError, match="against needs data, a dataset"):
        duplicates(features=np.eye(3), against=pictures)
