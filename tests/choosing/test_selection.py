"""A selection has the kept images, counts per class, and notices."""

import numpy as np
import pytest

import moderate_cli
from moderate_cli.choosing import Chooser, ClassCount
from moderate_cli.inputs import Inputs, open_source
from moderate_cli.notices import Notice
from moderate_cli.scoring import Scores
from moderate_cli.selection import Choice

# Distances to the class centers (3.2 and 101): 3.2, 2.2, 1.2, 0.2, 6.8 and 1, 0, 1.
F = np.array([[0.0], [1], [2], [3], [10], [100], [101], [102]])
Y = np.array([0, 0, 0, 0, 0, 1, 1, 1])


def selected(features=F, labels=Y, **options):
    source = open_source(Inputs(features=(features,), labels=labels))
    return Chooser(source).choose(Choice(**options))


def test_a_selection_of_arrays_names_rows():
    found = selected(ratio=0.25)
    assert found.rows.tolist() == [1, 5]  # at the median of each class
    assert found.paths == ["1", "5"]
    assert found.dataset is None
    assert (
        repr(found) == "Selection(2 of 8 images in 2 classes, strategy moderate, criterion center)"
    )
    assert found.classes == [ClassCount("0", 5, 1), ClassCount("1", 3, 1)]


def test_a_selection_of_a_dataset_names_paths(embedded):
    options = {"backbone": "pixels", "dtype": "float32", "runtime": "torch"}
    found = moderate_cli.select(embedded, count=2, strategy="easy", min_per_class=0, **options)
    assert found.paths == ["cat/2.png", "dog/0.png"]
    assert found.dataset.classes == ("cat", "dog", "owl")
    assert repr(found) == "Selection(2 of 8 images in 3 classes, strategy easy, criterion center)"
    assert found.classes == [
        ClassCount("cat", 5, 1), ClassCount("dog", 2, 1), ClassCount("owl", 1, 0)
    ]  # fmt: skip


def test_scores_of_ones_own_are_not_called_distances():
    found = moderate_cli.select(scores=np.array([0.1, 0.9, 0.5]), count=1)
    assert repr(found) == "Selection(1 of 3 images in 1 class, strategy moderate, given scores)"
    own = Scores(np.array([0.1, 0.9]), np.array([0, 1]), criterion="aum")
    found = moderate_cli.select(scores=own, ratio=1)
    assert repr(found) == "Selection(2 of 2 images in 2 classes, strategy moderate, criterion aum)"


def test_an_array_of_a_selection_is_its_mask():
    found = selected(ratio=0.25)
    mask = np.asarray(found)
    assert mask.dtype == bool
    assert np.flatnonzero(mask).tolist() == [1, 5]
    mask[:] = False
    assert found.mask.sum() == 2  # not the same memory
    assert np.asarray(found, dtype=int).sum() == 2
    assert Y[found.mask].tolist() == Y[np.asarray(found)].tolist()


def test_unreadable_images_are_in_no_count():
    features = F.copy()
    features[3] = np.nan
    found = selected(features, ratio=1)
    assert found.classes == [ClassCount("0", 4, 4), ClassCount("1", 3, 3)]
    assert repr(found).startswith("Selection(7 of 7 images in 2 classes")
    assert found.inverted().rows.tolist() == []


def test_the_inverse_has_all_other_readable_images():
    features = F.copy()
    features[1] = np.nan
    found = selected(features, ratio=0.5, dedup=0.9, strategy="easy", min_per_class=1)
    # Features of one number point the same way, so all but 0 are copies of row 2; row 5 stays for
    # its class.
    assert found.left_out["duplicates"].tolist() == [7, 6, 4, 3]
    other = found.inverted()
    assert sorted([*found.rows, *other.rows]) == [0, 2, 3, 4, 5, 6, 7]
    assert set(found.left_out["duplicates"]) <= set(other.rows)
    assert other.inverted().rows.tolist() == found.rows.tolist()
    assert sum(one.kept for one in other.classes) == len(other.rows)


def test_a_class_is_rescued_by_the_minimum_alone():
    found = selected(count=2, strategy="hard", scope="global")
    assert found.rows.tolist() == [0, 7]
    assert (found.rescued, found.lost) == ([1], [])
    assert list(found.of_classes()) == [
        Notice("rescued classes", 1, names=("1",), share=1.0, least=1)
    ]


def test_a_class_without_a_minimum_is_lost():
    found = selected(count=2, strategy="hard", scope="global", min_per_class=0)
    assert found.rows.tolist() == [0, 4]
    assert (found.rescued, found.lost) == ([], [1])
    assert list(found.of_classes()) == [Notice("lost classes", 1, names=("1",), share=1.0, least=0)]


def test_a_class_is_lost_if_there_are_fewer_images_to_keep_than_classes():
    for scope in ("global", "class"):
        found = selected(count=1, strategy="easy", scope=scope)
        (kept,) = Y[found.rows]
        assert (found.rescued, found.lost) == ([], [1 - kept])
    (notice,) = found.of_classes()
    assert notice.share == 0.0  # shares per class are asked for already


def test_shares_per_class_rescue_no_class():
    found = selected(count=2, strategy="hard", scope="class")
    assert found.rows.tolist() == [4, 7]
    assert (found.rescued, found.lost) == ([], [])
    assert list(found.of_classes()) == []


def test_a_minimum_that_cannot_be_kept_is_told_of():
    found = selected(count=3, scope="class", min_per_class=3)
    assert list(found.of_classes()) == [Notice("floors", 3, 6, least=3)]
    assert list(selected(count=6, scope="class", min_per_class=3).of_classes()) == []
    # Of class 1 there are three, so more cannot be asked of it.
    assert list(selected(count=8, scope="class", min_per_class=5).of_classes()) == []


def test_a_single_class_is_never_lost():
    found = selected(labels=np.zeros(8, dtype=int), ratio=0.25)
    assert (found.rescued, found.lost) == ([], [])


@pytest.mark.parametrize("count", [1, 3, 8])
def test_counts_of_classes_add_up(count):
    found = selected(count=count, strategy="random")
    assert sum(one.kept for one in found.classes) == count == len(found.rows)
    assert sum(one.images for one in found.classes) == 8
