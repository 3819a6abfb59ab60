"""Each criterion against an independent plain statement, and examples that can be worked out."""

import math

import numpy as np
import pytest
from naive import held_out_logits, held_out_margins

from moderate_cli.errors import ArgumentError
from moderate_cli.scoring import (
    CRITERIA,
    criteria,
    cross_fitting,
    margins,
    neighbors,
    of_features,
    prototypes,
    score_features,
)

HELD_OUT = ["margin", "el2n", "grand", "forgetting", "aum"]
COMPARING = [name for name, one in CRITERIA.items() if one.compares]

SEEDS = range(5)


def random_set(seed, n=60, d=5, classes=3):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    labels[:classes] = range(classes)
    centers = rng.standard_normal((classes, d))
    return np.abs(centers[labels] + 0.7 * rng.standard_normal((n, d))), 4 * labels - 3


def cosine(one, other):
    return float(one @ other / math.sqrt((one @ one) * (other @ other)))


@pytest.mark.parametrize("d", [5, 80])
@pytest.mark.parametrize("seed", SEEDS)
def test_margin_is_that_of_a_head_fitted_without_the_image(seed, d, monkeypatch):
    monkeypatch.setattr(margins, "BLOCK_ROWS", 17)
    features, labels = random_set(seed, d=d)
    labels[7] = 100  # the only image of its class
    found = score_features(features, labels, criterion="margin")
    np.testing.assert_allclose(found, held_out_margins(features, labels), rtol=1e-7, atol=1e-9)


def test_margin_by_hand():
    # Without an image, outputs are on a line fitted to the three others, flattened by the penalty:
    # the sum of squares, of 25 and 9 in each class. A stronger one, three times that, would take
    # each image for one of the other class, of which there are more without it.
    features = np.array([[0.0], [2.0], [10.0], [8.0]])
    penalty = 1.0 * (2 * 25 + 2 * 9)
    # Less their means: the others of the first image, and 1 for its class and -1 for the other.
    points, targets = np.array([2.0, 10, 8]) - 20 / 3, np.array([1.0, -1, -1]) + 1 / 3
    slope = (points @ targets) / (points @ points + penalty)
    margin = -(-1 / 3 + slope * (0 - 20 / 3))
    found = score_features(features, np.array([0, 0, 1, 1]), criterion="margin")
    np.testing.assert_allclose(found[[0, 2]], margin)
    np.testing.assert_allclose(found[1], found[3])


def test_margins_where_features_tell_nothing():
    # Outputs are the shares of classes among the other images: 2, 2 and 1 of five, and so on.
    found = score_features(np.ones((6, 2)), np.array([0, 0, 0, 1, 1, 9]), criterion="margin")
    np.testing.assert_allclose(found, [0, 0, 0, 0.4, 0.4, 0.6], atol=1e-12)
    # Every image is the only one of its class.
    found = score_features(np.eye(4, 2), np.arange(4), criterion="margin")
    assert np.isfinite(found).all()
    assert found.min() > 0


@pytest.mark.parametrize("scale", [1e200, 1e304])
@pytest.mark.parametrize("n", [10, 100])
def test_a_margin_of_values_too_large_is_refused(n, scale):
    features = scale * np.arange(n * 20.0).reshape(n, 20)
    with pytest.raises(ArgumentError) as caught:
        score_features(features, np.arange(n), criterion="margin")
    assert str(caught.value) == "features: values are too large to fit a head; scale them down"


@pytest.mark.parametrize("criterion", of_features())
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_that_is_not_finite_is_named(criterion, value, monkeypatch):
    monkeypatch.setattr(criteria, "BLOCK_ROWS", 7)
    features, labels = random_set(0)
    features[[10, 12], 3] = value
    readable = np.arange(60) != 10
    for known, row in ((None, 10), (readable, 12)):
        with pytest.raises(ArgumentError) as caught:
            score_features(features, labels, criterion=criterion, readable=known)
        assert str(caught.value) == (
            f"features: row {row} is not finite; set it to False in `readable` to leave it out"
        )


@pytest.mark.parametrize(
    ("labels", "given"),
    [([0, 1], "list"), (np.zeros(2), "float64"), (np.array(["a", "b"]), "<U1"), (None, "NoneType")],
)
def test_labels_that_are_no_integers_are_refused(labels, given):
    with pytest.raises(ArgumentError) as caught:
        score_features(np.zeros((2, 1)), labels)
    assert str(caught.value) == f"labels: are {given}; an array of integers (n,) is needed"


def test_labels_that_int64_cannot_hold_are_refused():
    with pytest.raises(ArgumentError) as caught:
        score_features(np.zeros((2, 1)), np.array([0, 2**64 - 1], dtype=np.uint64))
    assert str(caught.value) == (
        "labels: 18446744073709551615 is larger than int64 can be; number the classes from 0"
    )


@pytest.mark.parametrize("criterion", COMPARING)
def test_a_criterion_that_compares_classes_needs_two(criterion):
    with pytest.raises(ArgumentError) as caught:
        score_features(np.zeros((3, 1)), np.zeros(3, dtype=int), criterion=criterion)
    assert str(caught.value) == (
        f"criterion {criterion} compares classes, and there is only one; choose another"
    )


@pytest.mark.parametrize("rows", [(4, 8), (2048, 8192)])
@pytest.mark.parametrize("seed", SEEDS)
def test_neighbors_are_those_of_other_labels_by_similarity(seed, rows, monkeypatch):
    monkeypatch.setattr(neighbors, "QUERY_ROWS", rows[0])
    monkeypatch.setattr(neighbors, "REFERENCE_ROWS", rows[1])
    features, labels = random_set(seed)
    expected = []
    for i, z in enumerate(features):
        near = sorted(
            (-cosine(z, other), j) for j, other in enumerate(features) if j != i
        )[:10]  # fmt: skip
        expected.append(
            sum(-s for s, j in near if labels[j] != labels[i]) / sum(-s for s, _ in near)
        )
    found = score_features(features, labels, criterion="neighbors")
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_neighbors_of_a_few_images():
    assert score_features(np.ones((1, 2)), np.zeros(1, int), criterion="neighbors").tolist() == [0]
    found = score_features(np.ones((3, 2)), np.array([0, 0, 1]), criterion="neighbors")
    np.testing.assert_allclose(found, [0.5, 0.5, 1])


def test_prototypes_are_the_directions_of_clusters():
    angles = np.radians([0, 2, 4, 90, 92, 94])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1) * [[1], [5], [9], [2], [2], [2]]
    found = score_features(features, np.array([0, 1, 0, 1, 0, 1]), criterion="prototypes")
    far, near = 1 - math.cos(math.radians(2)), 0
    np.testing.assert_allclose(found, [far, near, far, far, near, far], atol=1e-12)


def test_kmeans_ends_where_no_center_moves(rng):
    points = rng.standard_normal((200, 4))
    centers = prototypes.spherical_kmeans(points, np.arange(200), 6, rng)
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    nearest = (unit @ centers.T).argmax(axis=1)
    for number, center in enumerate(centers):
        mean = unit[nearest == number].sum(axis=0)
        np.testing.assert_allclose(center, mean / np.linalg.norm(mean), atol=1e-12)


def test_as_many_prototypes_as_images_are_at_them():
    features = np.eye(3)
    found = score_features(features, np.arange(3), criterion="prototypes")
    np.testing.assert_allclose(found, 0, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_of_heads_are_those_of_the_plain_statement(seed, monkeypatch):
    monkeypatch.setattr(cross_fitting, "BATCH", 16)
    features, labels = random_set(seed)
    labels[7] = 100  # the only image of its class
    members = np.unique(labels, return_inverse=True)[1]

    def logits(splits, epochs, steps):
        options = {"splits": splits, "epochs": epochs, "steps": steps, "batch": 24}
        return held_out_logits(features, members.tolist(), seed, **options)

    *_, early = logits(3, 3, 2)
    late = logits(1, 20, 20)

    def errors(outputs):
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        wrong = powers / powers.sum(axis=1, keepdims=True) - np.eye(outputs.shape[1])[members]
        return np.sqrt((wrong**2).sum(axis=1))

    def margin(outputs):
        return [max(np.delete(one, y)) - one[y] for one, y in zip(outputs, members, strict=True)]

    centered = features - features.mean(axis=0)
    lengths = np.sqrt(1 + (centered**2).sum(axis=1) / (centered**2).sum(axis=1).mean())
    el2n = np.mean([errors(outputs) for outputs in early], axis=0)
    margins = np.array([margin(outputs) for (outputs,) in late])
    right = margins < 0
    forgotten = (right[:-1] & ~right[1:]).sum(axis=0)
    expected = {
        "el2n": el2n,
        "grand": el2n * lengths,
        "aum": margins.mean(axis=0),
        "forgetting": np.where(right.any(axis=0), forgotten, 21),
    }
    for criterion, values in expected.items():
        found = score_features(features, labels, criterion=criterion, seed=seed)
        np.testing.assert_allclose(found, values, rtol=1e-3, atol=1e-4, err_msg=criterion)


@pytest.mark.parametrize("criterion", HELD_OUT)
def test_the_label_of_an_image_tells_its_head_nothing(criterion, rng):
    # Of labels at random nothing can be learned, but a head that sees the images fits all of them.
    features, labels = rng.standard_normal((90, 200)), np.arange(90) % 2
    scores = score_features(features, labels, criterion=criterion)
    middle = {"el2n": 0.5**0.5, "grand": 1, "forgetting": 0, "aum": 0, "margin": 0}[criterion]
    assert 0.25 < np.mean(scores > middle) < 0.75, scores


@pytest.mark.parametrize("criterion", [name for name in of_features() if name != "prototypes"])
def test_mislabeled_images_score_higher(criterion):
    features, labels = random_set(1, 400, 20, 4)
    wrong = np.arange(400) % 10 == 0
    labels = np.where(wrong, (labels + 3 + 4) % 16 - 3, labels)
    scores = score_features(features, labels, criterion=criterion)
    above = scores[wrong][:, None] > scores[~wrong]
    assert above.mean() > 0.75  # of all pairs of a wrong and a right one


@pytest.mark.parametrize("criterion", of_features())
def test_scores_follow_from_their_arguments_alone(criterion, tmp_path, monkeypatch):
    monkeypatch.setattr(cross_fitting, "BATCH", 16)  # of one batch, the order would not matter
    features, labels = random_set(2)
    readable = np.arange(60) != 7
    scores = score_features(features, labels, criterion=criterion, readable=readable)
    assert np.flatnonzero(np.isnan(scores)).tolist() == [7]
    again = score_features(features, labels, criterion=criterion, readable=readable)
    np.testing.assert_array_equal(again, scores)
    np.save(tmp_path / "f.npy", features)
    on_disk = np.load(tmp_path / "f.npy", mmap_mode="r")
    again = score_features(on_disk, labels, criterion=criterion, readable=readable)
    np.testing.assert_allclose(again, scores, rtol=1e-12)
    other = score_features(features, labels, criterion=criterion, readable=readable, seed=1)
    same = np.array_equal(other[readable], scores[readable])
    assert same == (not CRITERIA[criterion].seeded)


@pytest.mark.parametrize("criterion", sorted(set(of_features()) - set(COMPARING)))
def test_equal_images_of_one_class_score_0_and_so_does_one_image(criterion):
    for n in (1, 5):
        scores = score_features(np.ones((n, 3)), np.zeros(n, dtype=int), criterion=criterion)
        np.testing.assert_allclose(scores, np.zeros(n), atol=1e-12)


@pytest.mark.parametrize("criterion", HELD_OUT)
def test_equal_features_have_scores_too(criterion):
    found = score_features(np.ones((6, 2)), np.array([0, 0, 0, 0, 1, 1]), criterion=criterion)
    assert np.isfinite(found).all()
    if criterion != "forgetting":
        assert found[:4].max() < found[4:].min()  # the larger class is the more probable
