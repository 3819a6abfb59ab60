import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderate_cli.fitting.alignment import align


def turned(rng, d):
    """Return a random turn, which may mirror, float64 (d, d)."""
    return np.linalg.qr(rng.normal(size=(d, d)))[0]


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(1, 8), st.floats(1e-3, 1e3),
    st.floats(-100, 100),
)  # fmt: skip
def test_a_turned_scaled_and_shifted_copy_is_turned_back(seed, n, d, scale, shift):
    rng = np.random.default_rng(seed)
    reference = rng.normal(size=(n, d))
    copy = scale * reference @ turned(rng, d) + shift
    turn, move = align(copy, reference)
    np.testing.assert_allclose(copy @ turn + move, reference, atol=1e-6)


def test_angles_within_a_network_stay(rng):
    features, reference = rng.normal(size=(2, 50, 4)).astype(np.float32)
    turn, _ = align(features, reference)
    scale = turn[0] @ turn[0]
    np.testing.assert_allclose(turn @ turn.T, scale * np.eye(4), atol=1e-12)


def test_unlike_networks_get_the_mean_and_the_spread_of_the_first(rng):
    features, reference = 7 * rng.normal(size=(50, 4)) + 3, rng.normal(size=(50, 4))
    turn, shift = align(features, reference)
    found = features @ turn + shift
    np.testing.assert_allclose(found.mean(axis=0), reference.mean(axis=0), atol=1e-12)
    assert found.var(axis=0).sum() == pytest.approx(reference.var(axis=0).sum())


def test_no_other_turn_is_nearer(rng):
    reference = rng.normal(size=(50, 4))
    features = reference @ turned(rng, 4) + rng.normal(size=(50, 4))
    turn, shift = align(features, reference)
    found = features @ turn + shift
    center = found.mean(axis=0)
    nearest = np.square(found - reference).sum()
    for _ in range(50):
        other = (found - center) @ turned(rng, 4) + center
        assert np.square(other - reference).sum() > nearest


@pytest.mark.parametrize("level", [0, 0.1, 3.3, -1e4])
@pytest.mark.parametrize("images", [1, 3, 50])
def test_constant_features_get_the_mean_of_the_first(level, images, rng):
    features = np.full((images, 4), level, dtype=np.float32)
    reference = rng.normal(size=(images, 4)).astype(np.float32)
    turn, shift = align(features, reference)
    assert np.abs(turn).max() <= 1
    expected = np.broadcast_to(reference.mean(axis=0), (images, 4))
    np.testing.assert_allclose(features @ turn + shift, expected, atol=1e-6)


def test_what_is_aligned_to_constant_features_is_constant(rng):
    features = rng.normal(size=(50, 4)).astype(np.float32)
    turn, shift = align(features, np.full((50, 4), 2.5, dtype=np.float32))
    assert (turn == 0).all()
    assert shift.tolist() == [2.5] * 4
