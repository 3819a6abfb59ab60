"""The closed form of leaving one out, against fitting without the image."""

import numpy as np
import pytest
from naive import ridge

from moderate_cli.scoring import ridge as module
from moderate_cli.scoring.ridge import Ridge

STRENGTH = 0.03


def random_set(rng, n, d, classes=3):
    members = np.arange(n) % classes
    points = rng.normal(size=(n, d))
    points[:, 0] += members
    return 3 + points, members


def penalty(points, strength):
    centered = points - points.mean(axis=0)
    n, d = points.shape
    return strength * np.linalg.eigvalsh(
        centered @ centered.T if n <= d else centered.T @ centered
    ).mean()  # fmt: skip


def left_out(points, members, classes, strength):
    """Outputs for each image of a head that is fitted to the others, with the same penalty."""
    size, every = penalty(points, strength), np.arange(len(points))
    targets = np.eye(classes)[members]
    return np.stack(
        [ridge(points[every != i], targets[every != i], size)(points[i]) for i in every]
    )


@pytest.mark.parametrize("rows_at_once", [7, 4096])
@pytest.mark.parametrize("strength", [0.001, 0.03, 10])
@pytest.mark.parametrize(("n", "d"), [(12, 30), (30, 30), (31, 30), (40, 5), (2, 3), (3, 1)])
def test_leaving_one_out_is_fitting_without_it(rng, n, d, strength, rows_at_once, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_ROWS", rows_at_once)
    points, members = random_set(rng, n, d)
    members[-1] = 3  # the only image of its class
    head = Ridge(points, np.arange(n), members, 5, strength)
    expected = left_out(points, members, 5, strength)
    np.testing.assert_allclose(head.held_out(slice(0, n)), expected, atol=1e-9)
    np.testing.assert_allclose(head.held_out(slice(1, 2)), expected[1:2], atol=1e-9)
    np.testing.assert_allclose(expected[-1, 3:], 0, atol=1e-12)


@pytest.mark.parametrize(("n", "d"), [(12, 30), (40, 5)])
def test_outputs_are_those_of_ridge_regression(rng, n, d):
    points, members = random_set(rng, n, d)
    rows = np.arange(0, n, 2)
    head = Ridge(points, rows, members[rows], 3, STRENGTH)
    expected = ridge(points[rows], np.eye(3)[members[rows]], penalty(points[rows], STRENGTH))
    np.testing.assert_allclose(head.outputs(points, np.arange(n)), expected(points), atol=1e-10)
    found = (points - head.mean) @ head.weights + head.base
    np.testing.assert_allclose(found, expected(points), atol=1e-10)


@pytest.mark.parametrize(("n", "d"), [(12, 30), (40, 5)])
def test_a_refitted_head_is_that_of_other_classes(rng, n, d):
    points, members = random_set(rng, n, d)
    head = Ridge(points, np.arange(n), members, 3, STRENGTH)
    weights, others = head.weights, rng.permutation(members)
    found = head.refitted(others)
    expected = Ridge(points, np.arange(n), others, 3, STRENGTH)
    held_out = expected.held_out(slice(0, n))
    np.testing.assert_allclose(found.held_out(slice(0, n)), held_out, atol=1e-10)
    np.testing.assert_allclose(found.weights, expected.weights, atol=1e-10)
    assert head.weights is weights


def test_the_strength_is_the_strongest_of_those_with_the_best_accuracy(rng):
    points, members = random_set(rng, 60, 6)
    strengths = (1e-5, 1e-3, 0.1, 1.0, 3.0, 10.0, 100.0)
    right = [
        np.sum(left_out(points, members, 3, strength).argmax(axis=1) == members)
        for strength in strengths
    ]
    best = strengths[np.flatnonzero(np.array(right) == max(right))[-1]]
    assert len(set(right)) > 1
    for given in (strengths, strengths[::-1]):
        assert Ridge(points, np.arange(60), members, 3, given).strength == best
    head = Ridge(points, np.arange(60), members, 3, strengths)
    alone = Ridge(points, np.arange(60), members, 3, best)
    np.testing.assert_array_equal(head.held_out(slice(0, 60)), alone.held_out(slice(0, 60)))


def test_a_strength_is_chosen_by_any_quality_of_held_out_outputs(rng):
    points, members = random_set(rng, 30, 6)
    strengths, told = (0.1, 1.0, 10.0), []

    def evenness(_, outputs, own):
        np.testing.assert_array_equal(own, members)
        return -np.abs(outputs).sum()

    head = Ridge(
        points, np.arange(30), members, 3, strengths, evenness, on_step=lambda: told.append(1)
    )
    assert head.strength == 10.0
    assert told == [1] * 4  # a block of the fit, and three strengths
    assert Ridge(points, np.arange(30), members, 3, strengths).strength < 10.0


def test_a_strength_is_chosen_by_a_sample(rng, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE", 20)
    read = []
    points, members = random_set(rng, 60, 6)

    class Read:
        def __getitem__(self, rows):
            read.extend(rows)
            return points[rows]

    head = Ridge(points, np.arange(60), members, 3, STRENGTH)
    monkeypatch.setattr(head, "_points", Read())
    head._best((0.1, 1.0), lambda _, *found: module.accuracy(*found), lambda: None)
    assert read == sorted(set(read))
    assert len(read) == 20


@pytest.mark.parametrize("shape", [(12, 30), (30, 5)])
def test_equal_features_have_the_outputs_of_the_shares_of_classes(shape):
    n = shape[0]
    members = np.minimum(np.arange(n), 2)
    head = Ridge(np.full(shape, 7.0), np.arange(n), members, 3, STRENGTH)
    np.testing.assert_allclose(head.outputs(np.ones((1, shape[1])), np.array([0])), [head.base])
    expected = [0, 1 / (n - 1), (n - 2) / (n - 1)]
    np.testing.assert_allclose(head.held_out(slice(0, 1)), [expected], atol=1e-12)


def test_a_single_image_has_a_head_that_knows_nothing():
    head = Ridge(np.ones((1, 2)), np.array([0]), np.array([0]), 2, STRENGTH)
    assert head.held_out(slice(0, 1)).tolist() == [[0, 0]]


@pytest.mark.parametrize("n", [20, 200])
def test_duplicates_and_coordinates_without_extent_do_no_harm(rng, n):
    points, members = random_set(rng, n, 40)
    points[:, 5:9], points[:, 9] = 2.5, points[:, 10]
    points[n // 2 :] = points[: n // 2]
    members[n // 2 :] = members[: n // 2]
    head = Ridge(points, np.arange(n), members, 3, STRENGTH)
    expected = left_out(points, members, 3, STRENGTH)
    np.testing.assert_allclose(head.held_out(slice(0, n)), expected, atol=1e-9)


@pytest.mark.parametrize("factor", [1e-140, 1e140])
def test_the_unit_of_features_changes_nothing(rng, factor):
    points, members = random_set(rng, 40, 5)
    expected = Ridge(points, np.arange(40), members, 3, STRENGTH).held_out(slice(0, 40))
    found = Ridge(factor * points, np.arange(40), members, 3, STRENGTH).held_out(slice(0, 40))
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("n", [30, 300])
def test_features_of_half_precision_on_disk_are_fitted(rng, tmp_path, n):
    points, members = random_set(rng, n, 40)
    np.save(tmp_path / "f.npy", points.astype(np.float16))
    mapped = np.load(tmp_path / "f.npy", mmap_mode="r")
    found = Ridge(mapped, np.arange(n), members, 3, STRENGTH).held_out(slice(0, n))
    expected = left_out(points.astype(np.float16).astype(float), members, 3, STRENGTH)
    np.testing.assert_allclose(found, expected, atol=1e-9)
