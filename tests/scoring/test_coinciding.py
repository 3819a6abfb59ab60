"""Features that coincide, and the warning about them."""

import warnings

import numpy as np
import pytest
from conftest import paint

import moderate_cli
from moderate_cli.results import LabeledFeatures
from moderate_cli.scoring.coinciding import coinciding


def test_images_of_a_class_that_lie_at_one_point_are_counted():
    features = np.array([[1.0, 2], [1, 2], [1, 2.001], [5, 5], [6, 6], [7, 7], [9, 9]])
    labels = np.array([4, 4, 4, 7, 7, 7, 9])
    assert coinciding(features, labels).tolist() == [3, 0, 0, 0]


@pytest.mark.parametrize(("others", "counted"), [(0, 20), (2, 18), (3, 0)])
def test_nine_tenths_are_nearly_all(others, counted):
    features = np.ones((20, 3), np.float16)
    features[:others] = np.arange(1, others + 1)[:, None] * 7
    assert coinciding(features, np.zeros(20, int)).tolist() == [counted, counted]


def test_vectors_of_zeros_coincide_and_two_images_do_not_count():
    features = np.zeros((5, 2))
    features[3:] = 1
    assert coinciding(features, np.array([0, 0, 0, 1, 1])).tolist() == [3, 0, 0]


def test_unreadable_images_do_not_count():
    features = np.ones((6, 2))
    features[2:4] = np.nan
    readable = ~np.isnan(features[:, 0])
    assert coinciding(features, np.array([0, 0, 0, 0, 1, 1]), readable).tolist() == [0, 0, 4]
    assert coinciding(features, np.array([0, 0, 0, 1, 1, 1]), readable).tolist() == [0, 0, 4]


def test_a_sample_finds_classes_and_all_of_their_images_are_counted(monkeypatch):
    monkeypatch.setattr("moderate_cli.scoring.coinciding.SAMPLE", 40)
    features = np.arange(400.0)[:, None] + np.ones(3)
    features[:100] = 5
    features[7] = 1
    labels = np.arange(400) // 100
    assert coinciding(features, labels).tolist() == [99, 0, 0, 0, 0]


def test_labels_of_any_number_and_no_images_are_fine():
    assert coinciding(np.ones((3, 1)), np.array([-5, 10**15, 10**15])).tolist() == [0, 0, 3]
    assert coinciding(np.ones((0, 1)), np.array([], int)).tolist() == [0]


def test_numbers_beyond_all_bounds_make_no_warnings():
    features = np.array([[1e300, 1e300], [np.inf, 1], [np.nan, 1], [1e-320, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert coinciding(features, np.zeros(4, int)).tolist() == [0, 0]
        assert coinciding(np.full((4, 2), 1e300), np.zeros(4, int)).tolist() == [0, 0]


CAUSES = "are they blank, or copies of one image? Open a few"


@pytest.mark.parametrize(
    "command",
    [
        ("select", "-r", "0.5"),
        ("score",),
        ("suspects",),
        ("duplicates",),
        ("report", "-o", "r.html"),
        ("evaluate", "--seeds", "1", "-r", "0.5"),
    ],
    ids=lambda command: command[0],
)
def test_each_command_warns_of_images_that_coincide(command, tmp_path, moderate, monkeypatch):
    monkeypatch.setattr("moderate_cli.reporting.page._bundle", lambda: "")
    monkeypatch.chdir(tmp_path)
    for number in range(10):
        paint(tmp_path / "data" / "cat" / f"{number}.png", 9)
        paint(tmp_path / "data" / "dog" / f"{number}.png", 20 * number)
    done = moderate(*command, "data")
    assert done.status == 0
    said = f"moderate: warning: all 10 images of class cat have the same features; {CAUSES}\n"
    assert done.stderr.startswith(said)
    assert done.stderr.count("same features") == 1


def test_all_images_and_several_classes_are_named_in_one_line(tmp_path, moderate):
    for number in range(5):
        for name, level in (("cat", 9), ("dog", 200), ("owl", 20 * number)):
            paint(tmp_path / "two" / name / f"{number}.png", level)
        paint(tmp_path / "all" / "cat" / f"{number}.png", 9)
        paint(tmp_path / "all" / "dog" / f"{number}.png", 9)
    done = moderate("score", tmp_path / "two")
    assert done.stderr == (
        "moderate: warning: all or nearly all images of 2 classes have the same features: cat, dog;"
        f" {CAUSES}\n"
    )
    done = moderate("score", tmp_path / "all")
    assert done.stderr == f"moderate: warning: all 10 images have the same features; {CAUSES}\n"


def test_own_features_that_coincide_give_the_warning_too(tmp_path, moderate):
    np.save(tmp_path / "f.npy", np.ones((20, 4), np.float32))
    np.save(tmp_path / "y.npy", np.repeat([3, 8], 10))
    done = moderate("score", "--features", tmp_path / "f.npy", "--labels", tmp_path / "y.npy")
    assert (done.status, done.stderr) == (
        0,
        f"moderate: warning: all 20 images have the same features; {CAUSES}\n",
    )


def test_it_is_computed_once(embedded, monkeypatch):
    store = moderate_cli.embed(moderate_cli.scan(embedded), backbone="pixels", dtype="float32")
    calls = []

    def count(*args):
        calls.append(args)
        return coinciding(*args)

    monkeypatch.setattr("moderate_cli.results.coinciding", count)
    found = [LabeledFeatures.of(store).coinciding().tolist() for _ in range(2)]
    assert found == [[0, 0, 0, 0]] * 2
    assert len(calls) == 1
