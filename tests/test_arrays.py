"""Rows of features are copied exactly, whatever they hold."""

import numpy as np
import pytest

from moderate_cli.arrays import copy_rows, directions, read_rows


@pytest.mark.parametrize("rows", [[0, 1], [0, 3]])
def test_a_signaling_nan_is_a_nan_without_a_warning(rows):
    """As damage to a file makes it; numpy warns of its cast."""
    bits = np.array([0x7F800001, 0x3F800000, 0, 0x40000000], dtype=np.uint32)
    found = read_rows(bits.view(np.float32).reshape(4, 1), np.array(rows))
    assert np.isnan(found[0, 0])
    assert found[1, 0] == (1.0 if rows == [0, 1] else 2.0)


@pytest.mark.parametrize("rows", [[1, 2, 3], [0, 2, 299]])
@pytest.mark.parametrize(
    ("dtype", "copied"),
    [(np.float16, np.float32), (np.float32, np.float32), (np.float64, np.float64)],
)
def test_rows_are_copied_in_a_precision_that_holds_them(rows, dtype, copied, rng):
    features = rng.standard_normal((300, 4)).astype(dtype)
    found = copy_rows(features, np.array(rows))
    assert found.dtype == copied
    np.testing.assert_array_equal(found, features[rows])
    assert not np.shares_memory(found, features)
    doubles = read_rows(features, np.array(rows))
    assert doubles.dtype == np.float64
    np.testing.assert_array_equal(doubles, features[rows])
    assert not np.shares_memory(doubles, features)


@pytest.mark.parametrize("scale", [1e200, 1e-200, 1e-320, 1.0])
def test_directions_are_those_of_rows_of_any_length(scale):
    points = np.array([[3.0, -4.0], [0.0, 0.0], [6.0, 8.0]]) * scale
    given = points.copy()
    found = directions(points)
    np.testing.assert_allclose(found, [[0.6, -0.8], [0.0, 0.0], [0.6, 0.8]], rtol=1e-3)
    np.testing.assert_array_equal(points, given)
