import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderate_cli.selection.trimming import least, trim


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), min_size=1, max_size=30), st.data()
)
def test_what_is_left_is_that_of_the_plain_statement(rows, data):
    n = len(rows)
    values, members = np.array([value for value, _ in rows]), [label for _, label in rows]
    k = data.draw(st.integers(1, n))
    floors = [data.draw(st.integers(0, members.count(c))) for c in range(3)]
    hardest = sorted(range(n), key=lambda row: (-values[row], row))
    left = hardest[: max(k, n - 3 * n // 10)]
    expected = naive.raise_to_floors([r in left for r in range(n)], members, floors, hardest)
    found = trim(values, np.array(members), k, np.array(floors))
    assert np.flatnonzero(found).tolist() == expected


@pytest.mark.parametrize(("n", "k", "left"), [(9, 1, 7), (10, 1, 7), (10, 8, 8), (13, 13, 13)])
def test_three_tenths_are_left_out_as_far_as_k_allows(n, k, left):
    found = trim(np.arange(n), np.zeros(n, dtype=int), k, np.array([0]))
    assert np.flatnonzero(found).tolist() == list(range(n - left, n))


def test_a_class_keeps_at_least_half_of_its_share():
    assert least(np.array([0, 1, 2, 3, 4, 7])).tolist() == [0, 1, 1, 2, 2, 4]


def test_unsigned_scores_have_an_order_too():
    values = np.array([0, 200, 100, 1], dtype=np.uint8)
    found = trim(values, np.zeros(4, dtype=int), 1, np.array([0]))
    assert found.tolist() == [False, True, True, True]
