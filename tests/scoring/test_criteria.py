"""Each criterion against an independent plain statement, and examples that can be worked out."""

import math

import numpy as np
import pytest

from moderate_cli.errors import ArgumentError
from moderate_cli.scoring import (
    CRITERIA,
    linear_head,
    neighbors,
    prototypes,
    score_features,
)

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


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("center", ["mean", "median"])
@pytest.mark.parametrize("seed", SEEDS)
def test_margin_is_own_distance_minus_the_nearest_other(seed, center, metric):
    features, labels = random_set(seed)
    find = {"mean": np.mean, "median": np.median}[center]
    centers = {y: find(features[labels == y], axis=0) for y in set(labels.tolist())}

    def distance(z, y):
        return math.dist(z, centers[y]) if metric == "euclidean" else 1 - cosine(z, centers[y])

    expected = [
        distance(z, y) - min(distance(z, other) for other in centers if other != y)
        for z, y in zip(features, labels.tolist(), strict=True)
    ]
    found = score_features(features, labels, criterion="margin", center=center, metric=metric)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)


def test_margin_by_hand():
    features = np.array([[0.0], [4.0], [10.0], [10.0]])  # centers 2 and 10
    found = score_features(features, np.array([0, 0, 1, 1]), criterion="margin")
    assert found.tolist() == [2 - 10, 2 - 6, -8, -8]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_an_image_at_its_center_has_a_margin_whatever_is_rounded(metric, rng):
    # By the squares of lengths, some of these distances of 0 would be those of a negative square.
    features = 1000 + rng.random((200, 30))
    found = score_features(features, np.arange(200), criterion="margin", metric=metric)
    assert np.isfinite(found).all()
    assert found.max() < 0


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


def trained(features, members, seed, epochs):
    """Train the head image by image; yield margins, errors and lengths of each epoch."""
    rng = np.random.default_rng(seed)
    n, classes = len(features), max(members) + 1
    centered = features - features.mean(axis=0)
    scaled = centered / math.sqrt((centered**2).sum() / n)
    weights = np.zeros((classes, features.shape[1] + 1))
    velocity = np.zeros_like(weights)
    rate = max(1, classes / 10)
    for _ in range(epochs):
        order = rng.permutation(n)
        seen = np.zeros((3, n))
        for start in range(0, n, linear_head.BATCH):
            batch = order[start : start + linear_head.BATCH]
            gradient = np.zeros_like(weights)
            for i in batch:
                x = np.append(scaled[i], 1)
                logits = [float(w @ x) for w in weights]
                total = sum(math.exp(logit) for logit in logits)
                error = np.array([math.exp(logit) / total for logit in logits])
                error[members[i]] -= 1
                others = [logit for y, logit in enumerate(logits) if y != members[i]]
                seen[:, i] = (
                    logits[members[i]] - max(others),
                    math.sqrt(error @ error),
                    math.sqrt(x @ x),
                )
                gradient += np.outer(error, x) / len(batch)
            gradient += linear_head.DECAY * weights
            velocity = linear_head.MOMENTUM * velocity - rate * gradient
            weights = weights + velocity
        yield seen


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_of_the_head_are_those_of_the_plain_statement(seed, monkeypatch):
    monkeypatch.setattr(linear_head, "BATCH", 16)
    features, labels = random_set(seed)
    members = ((labels + 3) // 4).tolist()
    early = [list(trained(features, members, seed + run, 3))[-1] for run in range(3)]
    late = list(trained(features, members, seed, 20))
    right = np.array([margin > 0 for margin, _, _ in late])
    forgotten = (right[:-1] & ~right[1:]).sum(axis=0)
    expected = {
        "el2n": np.mean([error for _, error, _ in early], axis=0),
        "grand": np.mean([error * length for _, error, length in early], axis=0),
        "aum": -np.mean([margin for margin, _, _ in late], axis=0),
        "forgetting": np.where(right.any(axis=0), forgotten, 21),
    }
    for criterion, values in expected.items():
        found = score_features(features, labels, criterion=criterion, seed=seed)
        np.testing.assert_allclose(found, values, rtol=1e-3, atol=1e-4, err_msg=criterion)


@pytest.mark.parametrize("criterion", [name for name in CRITERIA if name != "prototypes"])
def test_mislabeled_images_score_higher(criterion):
    features, labels = random_set(1, 400, 20, 4)
    wrong = np.arange(400) % 10 == 0
    labels = np.where(wrong, (labels + 3 + 4) % 16 - 3, labels)
    scores = score_features(features, labels, criterion=criterion)
    above = scores[wrong][:, None] > scores[~wrong]
    assert above.mean() > 0.75  # of all pairs of a wrong and a right one


@pytest.mark.parametrize("criterion", CRITERIA)
def test_scores_follow_from_their_arguments_alone(criterion, tmp_path, monkeypatch):
    monkeypatch.setattr(linear_head, "BATCH", 16)  # of one batch, the order would not matter
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


@pytest.mark.parametrize("criterion", sorted(CRITERIA.keys() - set(COMPARING)))
def test_equal_images_of_one_class_score_0_and_so_does_one_image(criterion):
    for n in (1, 5):
        scores = score_features(np.ones((n, 3)), np.zeros(n, dtype=int), criterion=criterion)
        np.testing.assert_allclose(scores, np.zeros(n), atol=1e-12)
