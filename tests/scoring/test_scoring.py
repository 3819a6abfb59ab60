import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import distances

from moderate_cli import scoring
from moderate_cli.errors import ArgumentError
from moderate_cli.scoring import CENTERS, CRITERIA, METRICS, Scores, centers, score_features


def random_set(seed, n, d, classes, dtype=np.float32):
    rng = np.random.default_rng(seed)
    labels = 7 * rng.integers(0, classes, n) - 3
    return rng.standard_normal((n, d)).astype(dtype), labels


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("center", CENTERS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_distances_are_those_of_the_definition(center, metric, dtype):
    features, labels = random_set(1, 150, 6, 12, dtype)
    expected = distances(features, labels, center, metric)
    found = score_features(features, labels, center=center, metric=metric)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_one_image_class_is_its_own_center():
    features = np.array([[1.0, 2.0], [5.0, 5.0], [7.0, 5.0]])
    for center in CENTERS:
        assert score_features(features, np.array([8, 2, 2]), center=center).tolist() == [0, 1, 1]


def test_the_median_of_an_even_class_is_the_mean_of_the_middle_two():
    features = np.array([[0.0], [1.0], [3.0], [100.0]], dtype=np.float16)
    found = score_features(features, np.zeros(4, dtype=int), center="median")
    assert found.tolist() == [2, 1, 1, 98]


def test_the_geometric_median_of_a_line_is_its_middle_point():
    features = np.array([[0.0, 0.0], [1.0, 1.0], [9.0, 9.0]])
    found = score_features(features, np.zeros(3, dtype=int), center="geometric-median")
    np.testing.assert_allclose(found, [2**0.5, 0, 8 * 2**0.5], atol=1e-6)


def test_equal_points_are_their_own_geometric_median():
    features = np.full((4, 3), 2.5)
    assert not score_features(features, np.zeros(4, dtype=int), center="geometric-median").any()


def test_cosine_of_a_zero_vector_is_one():
    features = np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]])
    found = score_features(features, np.zeros(3, dtype=int), metric="cosine")
    assert found.tolist() == [1, 0, 0]


def test_unreadable_rows_score_nan_and_move_no_center():
    features = np.array([[0.0], [np.nan], [2.0]])
    readable = np.array([True, False, True])
    found = score_features(features, np.zeros(3, dtype=int), readable=readable)
    np.testing.assert_array_equal(found, [1, np.nan, 1])


@pytest.mark.parametrize("center", CENTERS)
def test_the_size_of_blocks_changes_nothing_that_matters(center, monkeypatch):
    features, labels = random_set(2, 300, 5, 9)
    whole = score_features(features, labels, center=center)
    monkeypatch.setattr(centers, "BLOCK_BYTES", 200)
    monkeypatch.setattr(centers, "HELD_BYTES", 200)
    in_blocks = score_features(features, labels, center=center)
    np.testing.assert_allclose(in_blocks, whole, rtol=1e-12)


@pytest.mark.parametrize("center", CENTERS)
@pytest.mark.parametrize("held", [200, 1 << 20])
def test_features_on_disk_score_as_those_in_memory(center, held, tmp_path, monkeypatch):
    monkeypatch.setattr(centers, "HELD_BYTES", held)
    monkeypatch.setattr(centers, "BLOCK_BYTES", 200)
    features, labels = random_set(4, 300, 5, 9, np.float16)
    for order in (np.argsort(labels), np.arange(300)):
        np.save(tmp_path / "features.npy", features[order])
        mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
        found = score_features(mapped, labels[order], center=center)
        expected = distances(features[order], labels[order], center)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(CENTERS)))
def test_shuffling_images_changes_no_distance(seed, center):
    features, labels = random_set(seed, 60, 4, 5)
    order = np.random.default_rng(seed).permutation(60)
    shuffled = score_features(features[order], labels[order], center=center)
    expected = score_features(features, labels, center=center)[order]
    np.testing.assert_allclose(shuffled, expected, rtol=1e-9, atol=1e-9)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(CENTERS)))
def test_translating_features_changes_no_distance(seed, center):
    features, labels = random_set(seed, 60, 4, 5, np.float64)
    moved = score_features(features + np.array([3.0, -1.0, 0.5, 8.0]), labels, center=center)
    found = score_features(features, labels, center=center)
    np.testing.assert_allclose(moved, found, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("d", [1, 4])
def test_arguments_are_left_as_they_were(d):
    features, labels = random_set(3, 50, d, 5, np.float64)
    labels.sort()
    before = features.copy(), labels.copy()
    for center in CENTERS:
        score_features(features, labels, center=center)
    np.testing.assert_array_equal(features, before[0])
    np.testing.assert_array_equal(labels, before[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"center": "middle"},
            "center: 'middle' is unknown; choose one of mean, median, geometric-median",
        ),
        ({"metric": "l1"}, "metric: 'l1' is unknown; choose one of euclidean, cosine"),
    ],
)
def test_unknown_choices_are_refused(arguments, message):
    with pytest.raises(ArgumentError) as caught:
        score_features(np.zeros((2, 1)), np.zeros(2, dtype=int), **arguments)
    assert str(caught.value) == message


def test_labels_of_another_length_are_refused():
    with pytest.raises(ArgumentError) as caught:
        score_features(np.zeros((2, 1)), np.zeros(3, dtype=int))
    assert str(caught.value) == "features (2, 1) and labels (3,) do not match"


def test_names_are_yielded_a_part_at_a_time(monkeypatch):
    monkeypatch.setattr(scoring, "ROWS_AT_ONCE", 2)
    rows = np.array([4, 0, 2, 3, 1])
    named = Scores(np.zeros(5), np.zeros(5, dtype=int), ("cat",), tuple("abcde"))
    assert list(named.names(rows)) == ["e", "a", "c", "d", "b"]
    plain = Scores(np.zeros(5), np.zeros(5, dtype=int))
    assert list(plain.names(rows)) == ["4", "0", "2", "3", "1"]
    assert (named.class_name(0), plain.class_name(7)) == ("cat", "7")
    assert len(plain) == 5


def test_names_are_those_that_the_command_line_offers():
    assert list(CRITERIA) == [
        "center", "margin", "neighbors", "el2n", "grand", "forgetting", "aum", "prototypes",
        "fitted-el2n", "fitted-grand", "fitted-forgetting", "fitted-aum",
    ]  # fmt: skip
