from fractions import Fraction
from unittest.mock import patch

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderate_cli.selection import windows
from moderate_cli.selection.windows import class_windows, global_window

HALF = Fraction(1, 2)
QUANTILES = st.sampled_from([Fraction(0), Fraction(1, 3), HALF, Fraction(9, 10), Fraction(1)])


@pytest.mark.parametrize("few", [0, 2000])
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=30),
    QUANTILES,
    st.data(),
)
def test_windows_are_those_of_the_plain_statement(few, rows, quantile, data):
    with patch.object(windows, "SORTED", few):
        check_windows(rows, quantile, data)


def check_windows(rows, quantile, data):
    values = np.array([value / 4 for value, _ in rows])
    _, members, sizes = np.unique(
        [label for _, label in rows], return_inverse=True, return_counts=True
    )
    shared = [data.draw(st.integers(0, size)) for size in sizes.tolist()]
    found = class_windows(values, members, np.array(shared), sizes, quantile)
    expected = set()
    for number, k in enumerate(shared):
        own = np.flatnonzero(members == number)
        expected |= {int(own[i]) for i in naive.window(values[own].tolist(), k, quantile)}
    assert set(np.flatnonzero(found).tolist()) == expected
    assert found.dtype == bool
    k = data.draw(st.integers(1, len(rows)))
    found = global_window(values, members, k, np.zeros_like(sizes), quantile)
    whole = naive.window(values.tolist(), k, quantile)
    assert sorted(np.flatnonzero(found).tolist()) == sorted(whole)
    assert found.dtype == bool


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=20),
    QUANTILES,
    st.data(),
)
def test_floors_take_the_ranks_nearest_the_middle_and_give_up_the_farthest(rows, quantile, data):
    values = np.array([value / 4 for value, _ in rows])
    _, members, sizes = np.unique(
        [label for _, label in rows], return_inverse=True, return_counts=True
    )
    k = data.draw(st.integers(1, len(rows)))
    floors = [data.draw(st.integers(0, size)) for size in sizes.tolist()]
    window = naive.window(values.tolist(), k, quantile)
    ranked = naive.window(values.tolist(), len(rows), HALF)
    middle = Fraction(2 * ranked.index(window[0]) + k - 1, 2)
    preferred = sorted(ranked, key=lambda row: abs(ranked.index(row) - middle))
    inside = [row in window for row in range(len(rows))]
    expected = naive.raise_to_floors(inside, members.tolist(), floors, preferred)
    found = global_window(values, members, k, np.array(floors), quantile)
    assert np.flatnonzero(found).tolist() == expected


@pytest.mark.parametrize(
    ("k", "quantile", "rows"),
    [
        (4, HALF, [3, 4, 5, 6]),  # of 11, seven are left out: three below, four above
        (5, HALF, [3, 4, 5, 6, 7]),
        (4, Fraction(3, 10), [2, 3, 4, 5]),  # 7 * 0.3 is 2.1
        (4, Fraction(3, 14), [2, 3, 4, 5]),  # 1.5
        (11, Fraction(1), list(range(11))),
        (1, Fraction(1), [10]),
    ],
)
def test_windows_by_hand(k, quantile, rows):
    values, one = np.arange(11.0), np.zeros(11, dtype=int)
    found = global_window(values, one, k, np.array([1]), quantile)
    assert np.flatnonzero(found).tolist() == rows
    found = class_windows(values, one, np.array([k]), np.array([11]), quantile)
    assert np.flatnonzero(found).tolist() == rows


def test_equal_scores_are_in_the_order_of_rows():
    values, one = np.array([2.0, 1.0, 1.0, 1.0, 0.0]), np.zeros(5, dtype=int)
    found = global_window(values, one, 2, np.array([0]), Fraction(1, 3))
    assert np.flatnonzero(found).tolist() == [1, 2]
    found = class_windows(values, one, np.array([2]), np.array([5]), Fraction(2, 3))
    assert np.flatnonzero(found).tolist() == [2, 3]
