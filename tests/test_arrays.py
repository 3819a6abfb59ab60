"""Rows of features as float64, whatever they hold."""

import numpy as np
import pytest

from moderate_cli.arrays import read_rows


@pytest.mark.parametrize("rows", [[0, 1], [0, 3]])
def test_a_signaling_nan_is_a_nan_without_a_warning(rows):
    """As damage to a file makes it; numpy warns of its cast."""
    bits = np.array([0x7F800001, 0x3F800000, 0, 0x40000000], dtype=np.uint32)
    found = read_rows(bits.view(np.float32).reshape(4, 1), np.array(rows))
    assert np.isnan(found[0, 0])
    assert found[1, 0] == (1.0 if rows == [0, 1] else 2.0)
