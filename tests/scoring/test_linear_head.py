import numpy as np
import pytest

from moderate_cli.scoring import linear_head, score_features
from moderate_cli.scoring.linear_head import LinearHead, softmax


def test_a_softmax_by_hand():
    logits = np.log(np.array([[1, 2, 5], [3, 3, 3]], dtype=np.float32))
    np.testing.assert_allclose(softmax(logits), [[1 / 8, 2 / 8, 5 / 8], [1 / 3] * 3], rtol=1e-6)
    # Neither overflows nor rounds to nothing.
    large = np.array([[1000, 1000, -1000]], dtype=np.float32)
    assert softmax(large).tolist() == [[0.5, 0.5, 0]]


@pytest.mark.parametrize("rows_at_once", [1, 3, 4096])
def test_inputs_are_centered_and_of_mean_length_1_with_a_one(monkeypatch, rows_at_once):
    monkeypatch.setattr(linear_head, "BLOCK_ROWS", rows_at_once)
    features = np.array([[1.0, 5.0], [99.0, 99.0], [3.0, 5.0], [1.0, 9.0], [3.0, 9.0]])
    rows = np.array([0, 2, 3, 4])  # mean (2, 7); all are at a squared distance of 1 + 4
    head = LinearHead(features, rows, np.array([0, 0, 1, 1]), 2, 0)
    found = head.inputs(rows)
    expected = np.array([[-1, -2, 0], [1, -2, 0], [-1, 2, 0], [1, 2, 0]]) / np.sqrt(5) + [0, 0, 1]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32


def test_equal_features_are_not_scaled():
    features = np.full((3, 2), 7.0)
    head = LinearHead(features, np.arange(3), np.array([0, 1, 1]), 2, 0)
    assert head.inputs(np.arange(3)).tolist() == [[0, 0, 1]] * 3


def test_an_epoch_goes_through_all_images_once(monkeypatch):
    monkeypatch.setattr(linear_head, "BATCH", 4)
    features = np.random.default_rng(0).random((10, 3))
    head = LinearHead(features, np.arange(10), np.arange(10) % 2, 2, 0)
    assert head.weights.tolist() == np.zeros((4, 2)).tolist()
    orders = []
    for _ in range(2):
        batches = [step.batch.tolist() for step in head.epoch()]
        assert [len(batch) for batch in batches] == [4, 4, 2]
        assert all(batch == sorted(batch) for batch in batches)
        assert sorted(row for batch in batches for row in batch) == list(range(10))
        orders.append(batches)
    assert orders[0] != orders[1]
    assert head.weights.dtype == np.float32


@pytest.mark.parametrize(("classes", "rate"), [(2, 1), (10, 1), (30, 3)])
def test_two_steps_by_hand(classes, rate):
    # Features are equal, so inputs are (0, 1): only the weights of the one are moved.
    head = LinearHead(np.zeros((2, 1)), np.arange(2), np.array([0, 0]), classes, 0)
    (step,) = head.epoch()
    assert step.logits.tolist() == [[0] * classes] * 2
    error = np.full(classes, 1 / classes)
    error[0] -= 1
    np.testing.assert_allclose(step.error, [error] * 2, rtol=1e-6)
    first = -rate * error
    np.testing.assert_allclose(head.weights, [np.zeros(classes), first], rtol=1e-5)
    (step,) = head.epoch()
    np.testing.assert_allclose(step.logits, [first] * 2, rtol=1e-5)
    powers = np.exp(first)
    gradient = powers / powers.sum() - np.eye(classes)[0] + 1e-4 * first
    second = first + 0.9 * first - rate * gradient
    np.testing.assert_allclose(head.weights[1], second, rtol=1e-5)


@pytest.mark.parametrize("criterion", ["el2n", "grand", "forgetting", "aum"])
def test_equal_features_have_scores_too(criterion):
    found = score_features(np.ones((6, 2)), np.array([0, 0, 0, 0, 1, 1]), criterion=criterion)
    assert np.isfinite(found).all()
    assert len(set(found[:4])) == len(set(found[4:])) == 1
