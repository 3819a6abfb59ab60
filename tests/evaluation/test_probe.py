import numpy as np
import pytest
from naive import ridge

from moderate_cli.evaluation import probe
from moderate_cli.evaluation.probe import Probe


@pytest.mark.parametrize(("n", "d"), [(12, 30), (30, 5)])
def test_the_strength_is_that_of_leaving_one_out(rng, n, d):
    points, members = rng.normal(size=(n, d)), np.arange(n) % 3
    points[:, 0] += members
    targets = np.eye(3)[members]
    centered = points - points.mean(axis=0)
    size = np.linalg.eigvalsh(centered @ centered.T if n <= d else centered.T @ centered).mean()
    right = []
    for strength in np.array(probe.STRENGTHS) * size:
        others = ~np.eye(n, dtype=bool)
        # With one image left out the mean moves, which the closed form knows of.
        found = [ridge(points[keep], targets[keep], strength)(points[~keep]) for keep in others]
        right.append(np.sum(np.concatenate(found).argmax(axis=1) == members))
    best = np.array(probe.STRENGTHS)[np.flatnonzero(right == np.max(right))[-1]] * size
    expected = ridge(points, targets, best)(points).argmax(axis=1)
    rows = np.arange(n)
    assert Probe(points, rows, members, 3).predict(points, rows).tolist() == expected.tolist()


@pytest.mark.parametrize("shape", [(12, 30), (30, 5)])
def test_a_head_on_equal_features_predicts_the_largest_class(shape):
    features, members = np.ones(shape), np.minimum(np.arange(shape[0]), 2)
    head = Probe(features, np.arange(shape[0]), members, 3)
    assert head.predict(features, np.arange(3)).tolist() == [2, 2, 2]
