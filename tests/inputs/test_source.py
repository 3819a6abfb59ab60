"""Inputs are read into one source, whether they are files, arrays in memory or a dataset."""

import numpy as np
import pytest
from listeners import Told

import moderate_cli
from moderate_cli.errors import ArgumentError, ArrayError
from moderate_cli.inputs import Inputs, Source, open_source
from moderate_cli.notices import Notice
from moderate_cli.results import LabeledFeatures
from moderate_cli.scoring import Scores

NAN = np.nan
F = np.array([[0.0, 1.0], [0.0, 3.0], [5.0, 0.0], [7.0, 0.0]])
Y = np.array([0, 0, 3, 3])


def opened(**inputs):
    """Return the source, and the notices that a listener heard."""
    told = []
    return open_source(Inputs(**inputs), listener=Told(told)), told


@pytest.fixture
def saved(tmp_path):
    """Save an array, and return the name of its file."""

    def save(name, array):
        np.save(tmp_path / name, array)
        return str(tmp_path / name)

    return save


def test_arrays_in_memory_are_read_as_those_in_files_are(saved):
    here, _ = opened(features=(F,), labels=Y)
    there, _ = opened(features=(saved("f.npy", F),), labels=saved("y.npy", Y))
    for source in (here, there):
        assert source.labels.tolist() == [0, 0, 3, 3]
        assert source.labels.dtype == np.int64
        assert source.readable.tolist() == [True] * 4
        np.testing.assert_array_equal(source.features, F)
        assert source.score("center", "mean", "euclidean", 0).values.tolist() == [1, 1, 1, 1]
    assert here.names == ("features",)
    assert there.names[0].endswith("/f.npy")


def test_an_array_in_memory_is_not_copied_and_never_changed():
    features = F.astype(np.float32)
    before = features.copy()
    source, _ = opened(features=(features,), labels=Y.astype(np.uint8))
    assert source.features is features
    source.score("margin", "median", "cosine", 0)
    np.testing.assert_array_equal(features, before)


def test_scores_are_taken_with_or_without_labels():
    alone, _ = opened(scores=np.array([3, 1, 2]))
    assert (alone.labels.tolist(), alone.features) == ([0, 0, 0], None)
    assert alone.score("aum", "median", "cosine", 5).values.tolist() == [3, 1, 2]
    labeled, _ = opened(scores=np.array([0.5, NAN, 2, 9]), labels=Y)
    assert labeled.labels.tolist() == [0, 0, 3, 3]
    assert labeled.readable.tolist() == [True, False, True, True]
    own = Scores(np.arange(3.0), np.array([1, 1, 0]), ("ant", "bee"), ("x", "y", "z"), "el2n")
    source, told = opened(scores=own)
    assert source.score("center", "mean", "euclidean", 0) is own
    assert list(source.names_of(np.array([2, 0]))) == ["z", "x"]
    assert source.classes_of(np.array([0, 1, 2])) == (("bee", 2), ("ant", 1))
    assert told == []


def test_rows_of_nan_are_skipped_with_a_notice():
    holed = F.copy()
    holed[1] = NAN
    source, told = opened(features=(F, holed), labels=Y)
    assert source.readable.tolist() == [True, False, True, True]
    assert source.features is None  # there are two sets
    assert told == [Notice("no features", 1, 4, names=("features",))]
    _, told = opened(scores=np.array([NAN, 1, NAN]))
    assert told == [Notice("no features", 2, 3, names=("scores",))]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            {"features": (np.zeros((2, 2), int),), "labels": Y},
            "features: is int64 (2, 2); a float matrix (n, d) is needed",
        ),
        (
            {"features": (F,), "labels": Y.astype(float)},
            "labels: is float64 (4,); an integer vector (n,) is needed",
        ),
        ({"features": (F,), "labels": Y[:3]}, "labels: 3 labels for 4 images; give one per row"),
        ({"scores": F}, "scores: is float64 (4, 2); a vector of numbers (n,) is needed"),
        ({"scores": np.array([1, np.inf])}, "scores: row 1 is not finite; leave such rows out"),
        ({"scores": F[:, 0], "labels": Y[:1]}, "labels: 1 labels for 4 images; give one per row"),
        (
            {"features": (F, F[:3]), "labels": Y},
            "features: 3 rows, where features has 4; give features of the same images",
        ),
        (
            {"features": (np.where(F > 0, NAN, NAN),), "labels": Y},
            "features: contains only NaN; none of its images could be read",
        ),
        (
            {"features": ("nowhere.npy",), "labels": Y},
            "nowhere.npy: No such file or directory; pass a .npy file",
        ),
    ],
)
def test_arrays_in_memory_are_refused_by_the_name_of_the_option(inputs, message):
    with pytest.raises(ArrayError) as caught:
        opened(**inputs)
    assert str(caught.value) == message


def test_sets_without_a_common_row_are_refused():
    one, other = F.copy(), F.copy()
    one[:2], other[2:] = NAN, NAN
    with pytest.raises(ArrayError) as caught:
        opened(features=(one, other), labels=Y)
    assert str(caught.value) == "features, features: no row has features in all of them"


@pytest.mark.parametrize("value", [np.inf, NAN])
@pytest.mark.parametrize("criterion", ["center", "neighbors"])
def test_a_value_that_is_not_finite_is_named_by_its_row(value, criterion):
    features = F.copy()
    features[2, 1] = value
    source, _ = opened(features=(features,), labels=Y)
    with pytest.raises(ArrayError) as caught:
        source.score(criterion, "mean", "euclidean", 0)
    assert str(caught.value) == "features: row 2 is not finite; leave such rows out"


def test_values_too_large_for_distances_are_named():
    source, _ = opened(features=(F * 1e200,), labels=Y)
    with pytest.raises(ArrayError) as caught:
        source.score("center", "mean", "euclidean", 0)
    assert str(caught.value) == (
        "features: values are too large to compute distances; scale them down"
    )


def test_several_sets_are_scored_together():
    # The two images of a class share their rank, a quarter, in both sets: 0.6 x 0.25. In the second
    # set, row 1 is beside the other class and far from the rest of its own: 0.4 x 1/2 more.
    other = np.array([[0.0], [9.0], [10.0], [12.0]])
    both, _ = opened(features=(F, other), labels=Y)
    scores = both.score("center", "mean", "euclidean", 0)
    np.testing.assert_allclose(scores.values, [0.15, 0.35, 0.15, 0.15])
    assert scores.criterion == ""
    alone, _ = opened(features=(F,), labels=Y)
    assert alone.score("margin", "mean", "euclidean", 0).criterion == "margin"


def test_clusters_take_the_place_of_labels():
    source, _ = opened(features=(F,), labels="kmeans:2")
    assert sorted(source.labels.tolist()) == [0, 0, 1, 1]
    assert source.labels[0] == source.labels[1] != source.labels[2]
    assert source.class_name(1) == "cluster 1"
    with pytest.raises(ArgumentError) as caught:
        opened(features=(F,), labels="kmeans:5")
    assert str(caught.value) == "labels: 5 clusters are more than 4 images; use fewer"


def test_a_feature_set_is_a_source_as_its_dataset_is(embedded):
    store = moderate_cli.embed(embedded, backbone="pixels", dtype="float32", runtime="torch")
    source, told = opened(data=store)
    assert source.stores == (store,)
    assert source.labels.tolist() == [0, 0, 0, 0, 0, 1, 1, 2]
    assert list(source.names_of(np.array([5]))) == ["dog/0.png"]
    assert source.class_name(2) == "owl"
    assert told == []
    clustered, _ = opened(data=store, labels="kmeans:2")
    assert clustered.class_name(1) == "cluster 1"


def test_labels_are_checked_before_an_image_is_read(data, tmp_path):
    seen = []

    def refuse(labels, classes):
        seen.append((labels.tolist(), list(classes)))
        raise ArgumentError("not these")

    options = moderate_cli.EmbedOptions(backbone="pixels", store=tmp_path / "store")
    for inputs in (
        Inputs(data=data, embedding=options),
        Inputs(data=data, embedding=options, labels="kmeans:2"),
        Inputs(features=(F,), labels=Y),
        Inputs(scores=F[:, 0]),
    ):
        with pytest.raises(ArgumentError, match="not these"):
            open_source(inputs, check=refuse)
    labels, classes = [0, 0, 0, 0, 0, 1, 1, 2], ["cat", "dog", "owl"]
    assert seen == [(labels, classes), (labels, classes), ([0, 0, 3, 3], []), ([0, 0, 0, 0], [])]
    assert not (tmp_path / "store").exists()


def test_features_that_coincide_give_one_notice():
    same = np.ones((6, 2))
    _, told = opened(features=(same, same), labels=np.repeat([1, 4], 3))
    assert told == [Notice("coinciding", 6, 6)]
    same[3:] = [[5, 6], [8, 1], [9, 9]]
    _, told = opened(features=(same,), labels=np.repeat([1, 4], 3))
    assert told == [Notice("coinciding classes", 3, 3, (("1", 3),))]


def test_a_limited_source_has_the_images_of_a_mask():
    source = Source((LabeledFeatures(F, Y, np.array([True, True, True, False])),))
    part = source.limited(np.array([True, False, True, True]))
    assert part.readable.tolist() == [True, False, True, False]
    assert source.readable.tolist() == [True, True, True, False]
    scores = part.score("center", "mean", "euclidean", 0).values
    np.testing.assert_array_equal(scores, [0, NAN, 0, NAN])
