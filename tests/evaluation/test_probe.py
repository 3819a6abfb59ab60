import numpy as np
import pytest

from moderate_cli.evaluation import probe
from moderate_cli.evaluation.probe import Probe


def ridge(points, targets, strength):
    """Weights of ridge regression on centered points and targets, and what they are added to."""
    mean, base = points.mean(axis=0), targets.mean(axis=0)
    centered = points - mean
    gram = centered.T @ centered + strength * np.eye(points.shape[1])
    weights = np.linalg.solve(gram, centered.T @ (targets - base))
    return lambda x: (x - mean) @ weights + base


@pytest.mark.parametrize(("n", "d"), [(12, 30), (30, 5)])
def test_the_strength_is_that_of_leaving_one_out(rng, n, d):
    points, members = rng.normal(size=(n, d)), np.arange(n) % 3
    points[:, 0] += members
    targets = np.eye(3)[members]
    centered = points - points.mean(axis=0)
    size = np.linalg.eigvalsh(centered @ centered.T if n <= d else centered.T @ centered).mean()
    right = []
    for strength in probe.STRENGTHS * size:
        others = ~np.eye(n, dtype=bool)
        # With one image left out the mean moves, which the closed form knows of.
        found = [ridge(points[keep], targets[keep], strength)(points[~keep]) for keep in others]
        right.append(np.sum(np.concatenate(found).argmax(axis=1) == members))
    best = probe.STRENGTHS[np.flatnonzero(right == np.max(right))[-1]] * size
    expected = ridge(points, targets, best)(points).argmax(axis=1)
    rows = np.arange(n)
    assert Probe(points, rows, members, 3).predict(points, rows).tolist() == expected.tolist()


def test_both_ways_to_fit_are_one_head(rng, monkeypatch):
    points, members, rows = rng.normal(size=(40, 40)), np.arange(40) % 4, np.arange(40)
    points[:, :4] += 2 * np.eye(4)[members]
    few = Probe(points, rows, members, 4)
    monkeypatch.setattr(Probe, "_fit_few", Probe._fit_many)
    monkeypatch.setattr(probe, "BLOCK_ROWS", 7)
    many = Probe(points, rows, members, 4)
    np.testing.assert_allclose(few._weights, many._weights, atol=1e-10)


@pytest.mark.parametrize("shape", [(12, 30), (30, 5)])
def test_a_head_on_equal_features_predicts_the_largest_class(shape):
    features, members = np.ones(shape), np.minimum(np.arange(shape[0]), 2)
    head = Probe(features, np.arange(shape[0]), members, 3)
    assert head.predict(features, np.arange(3)).tolist() == [2, 2, 2]
