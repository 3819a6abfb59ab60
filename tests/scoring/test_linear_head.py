import numpy as np
import pytest

from moderate_cli.scoring import linear_head
from moderate_cli.scoring.linear_head import (
    Inputs,
    SoftmaxLayer,
    errors,
    random_batches,
    softmax,
)


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
    found = Inputs(features, rows)(np.arange(4))
    expected = np.array([[-1, -2, 0], [1, -2, 0], [-1, 2, 0], [1, 2, 0]]) / np.sqrt(5) + [0, 0, 1]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize(("dtype", "offset"), [(np.float16, 8), (np.float32, 9), (np.float64, 1e9)])
def test_inputs_are_precise_far_from_zero(dtype, offset, rng):
    features = (offset + rng.standard_normal((50, 4))).astype(dtype)
    before, rows = features.copy(), np.arange(50)
    centered = features.astype(float) - features.astype(float).mean(axis=0)
    scaled = centered / np.sqrt((centered**2).sum(axis=1).mean())
    found = Inputs(features, rows)(rows)
    # The variance is that of squares less the squared mean, to the precision of doubles.
    np.testing.assert_allclose(found[:, :4], scaled, atol=1e-6 if offset < 10 else 20)
    np.testing.assert_array_equal(features, before)


def test_equal_features_are_not_scaled():
    features = np.full((3, 2), 7.0)
    every = np.arange(3)
    assert Inputs(features, every)(every).tolist() == [[0, 0, 1]] * 3


def test_random_batches_go_through_all_images_once(rng):
    orders = []
    for _ in range(2):
        batches = [batch.tolist() for batch in random_batches(10, 4, rng)]
        assert [len(batch) for batch in batches] == [4, 4, 2]
        assert all(batch == sorted(batch) for batch in batches)
        assert sorted(row for batch in batches for row in batch) == list(range(10))
        orders.append(batches)
    assert orders[0] != orders[1]


@pytest.mark.parametrize(("classes", "rate"), [(2, 1), (10, 1), (30, 3)])
def test_two_steps_by_hand(classes, rate):
    # Inputs are (0, 1): only the weights of the one are moved.
    layer, members = SoftmaxLayer(2, classes), np.array([0, 0])
    inputs = np.array([[0, 1]] * 2, dtype=np.float32)
    logits = inputs @ layer.weights
    assert logits.tolist() == [[0] * classes] * 2
    error = np.full(classes, 1 / classes)
    error[0] -= 1
    np.testing.assert_allclose(errors(logits, members), [error] * 2, rtol=1e-6)
    layer.learn(inputs, logits, members)
    first = -rate * error
    np.testing.assert_allclose(layer.weights, [np.zeros(classes), first], rtol=1e-5)
    assert layer.weights.dtype == np.float32
    layer.learn(inputs, inputs @ layer.weights, members)
    powers = np.exp(first)
    gradient = powers / powers.sum() - np.eye(classes)[0] + 1e-4 * first
    second = first + 0.9 * first - rate * gradient
    np.testing.assert_allclose(layer.weights[1], second, rtol=1e-5)
