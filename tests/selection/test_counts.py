"""How many images each class keeps, against a plain statement in fractions."""

from fractions import Fraction

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderate_cli.errors import ArgumentError
from moderate_cli.selection.counts import (
    BALANCES,
    exact,
    kept_count,
    members_of,
    quotas,
    round_half_up,
)

SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=8)


@given(SIZES, st.data(), st.sampled_from(sorted(BALANCES)))
def test_quotas_are_those_of_the_plain_statement(sizes, data, balance):
    k = data.draw(st.integers(1, sum(sizes)))
    floors = [data.draw(st.integers(0, size)) for size in sizes]
    found = quotas(np.array(sizes), k, np.array(floors), balance)
    assert found.tolist() == naive.quotas(sizes, k, floors, naive.WEIGHTS[balance])


def test_quotas_by_hand():
    def shares(sizes, k, floors, balance="proportional"):
        return quotas(np.array(sizes), k, np.array(floors), balance).tolist()

    assert shares([10, 10, 10], 4, [0, 0, 0]) == [2, 1, 1]  # ties go to the first
    assert shares([10, 1, 1], 3, [1, 1, 1]) == [1, 1, 1]  # just enough for all floors
    assert shares([10, 1, 1], 2, [1, 1, 1]) == [2, 0, 0]  # not enough: as if there were none
    assert shares([90, 9, 1], 50, [0, 9, 1]) == [40, 9, 1]
    assert shares([4, 4, 4], 12, [0, 0, 0]) == [4, 4, 4]
    assert shares([6, 3, 1], 5, [0, 3, 0]) == [2, 3, 0]
    assert shares([100, 1], 11, [0, 0], "uniform") == [10, 1]
    assert shares([100, 25], 9, [0, 0], "sqrt") == [6, 3]
    assert shares([7], 3, [0]) == [3]


def test_square_roots_have_three_decimals():
    assert BALANCES["sqrt"](np.array([2, 9])).tolist() == [1414, 3000]


def test_arguments_of_quotas_are_left_as_they_were():
    sizes, floors = np.array([10, 1, 1]), np.array([1, 1, 1])
    quotas(sizes, 2, floors, "sqrt")
    assert (sizes.tolist(), floors.tolist()) == ([10, 1, 1], [1, 1, 1])


@pytest.mark.parametrize(
    ("n", "ratio", "kept"),
    [
        (10, 0.25, 3),  # 2.5
        (10, 0.249, 2),
        (10, "1/4", 3),
        (10, Fraction(1, 4), 3),
        (10, 1, 10),
        (10, "1e-9", 1),
        (1, 0.5, 1),
        (3068, "0.3", 920),
    ],
)
def test_a_ratio_is_rounded_half_up_to_at_least_one(n, ratio, kept):
    assert kept_count(n, ratio) == kept


def test_a_count_is_taken_as_it_is():
    assert [kept_count(3, count=count) for count in (1, 3)] == [1, 3]


@pytest.mark.parametrize("number", [Fraction(n, 6) for n in range(-3, 19)])
def test_halves_are_rounded_up(number):
    nearest = round_half_up(number)
    assert -Fraction(1, 2) < nearest - number <= Fraction(1, 2)
    assert isinstance(nearest, int)


@pytest.mark.parametrize("number", ["x", "", "1/0", float("inf"), "nan"])
def test_a_text_that_is_not_a_number_is_refused(number):
    with pytest.raises(ArgumentError) as caught:
        exact(number)
    assert str(caught.value) == f"{number!r} is not a finite number"


@given(st.lists(st.one_of(st.integers(-4, 4), st.sampled_from([-(2**40), 10**9]))))
def test_classes_are_numbered_from_0_in_order(labels):
    members, sizes = members_of(np.array(labels, dtype=np.int64))
    known = sorted(set(labels))
    assert members.tolist() == [known.index(label) for label in labels]
    assert sizes.tolist() == [labels.count(label) for label in known]


def test_labels_of_a_small_type_may_be_far_apart():
    members, sizes = members_of(np.repeat(np.array([-100, 100], dtype=np.int8), 60))
    assert (members.tolist(), sizes.tolist()) == ([0] * 60 + [1] * 60, [60, 60])
