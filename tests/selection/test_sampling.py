from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderate_cli.selection.sampling import random, stratified, two_ends

VALUES = st.lists(st.integers(0, 8).map(lambda v: v / 4), min_size=1, max_size=40)


def order(strategy, values, k, seed=0):
    return strategy(np.array(values), k, np.random.default_rng(seed)).tolist()


@given(VALUES)
def test_two_ends_takes_the_highest_and_the_lowest_in_turn(values):
    ranked = sorted(range(len(values)), key=lambda row: (values[row], row))
    expected = []
    while ranked:
        expected.append(ranked.pop(-1 if len(expected) % 2 == 0 else 0))
    assert order(two_ends, values, 1) == expected


def test_random_takes_all_orders():
    counts = Counter(tuple(order(random, [0, 0, 0], 1, seed)) for seed in range(600))
    assert len(counts) == 6
    assert min(counts.values()) > 50


@given(VALUES, st.data())
def test_stratified_leaves_the_farthest_tenth_for_the_end(values, data):
    k = data.draw(st.integers(1, len(values)))
    found = order(stratified, values, k)
    ranked = sorted(range(len(values)), key=lambda row: (values[row], row))
    out = min(len(values) // 10, len(values) - k)
    assert found[len(values) - out :] == ranked[len(values) - out :]
    assert sorted(found) == list(range(len(values)))


def strata_of(values, rows):
    low, high = min(values), max(values)
    return Counter(min(int((values[row] - low) / (high - low) * 50), 49) for row in rows)


@pytest.mark.parametrize("least", [0, -7, 50])
def test_strata_by_hand(least):
    # Strata are two wide: 0 has one image, 1 has three, 2 has six, 49 has nine; the highest score
    # is of the last one. Of one that is left out there are none, for all but one are to be kept.
    values = [0.0, *[2.5] * 3, *[4.0] * 6, *[98.5] * 8, 100.0]
    moved = [value + least for value in values]
    given = {k: strata_of(values, order(stratified, moved, k)[:k]) for k in (4, 8, 13, 18)}
    assert given == {
        4: {0: 1, 1: 1, 2: 1, 49: 1},
        8: {0: 1, 1: 2, 2: 2, 49: 3},  # the largest make up for the smallest
        13: {0: 1, 1: 3, 2: 4, 49: 5},
        18: {0: 1, 1: 3, 2: 6, 49: 8},
    }


def test_there_are_fifty_strata():
    values = np.repeat(np.arange(100.0), 10)
    found = order(stratified, values.tolist(), 50)[:50]
    # The farthest tenth is left out, so the strata are 89 / 50 wide, of one or two levels.
    strata = Counter(min(int(values[row] / (89 / 50)), 49) for row in found)
    assert set(strata.values()) == {1}
    assert len(strata) == 50


def test_scores_that_are_close_have_strata_too():
    # Of the two highest one is left out; the other is alone in its stratum, and so is kept.
    found = {tuple(order(stratified, [-0.5] * 9 + [-0.49] * 2, 4, seed)[:4]) for seed in range(20)}
    assert all({9, 10} & set(kept) for kept in found)


def test_equal_scores_are_one_stratum():
    found = {tuple(sorted(order(stratified, [3.0] * 6, 2, seed)[:2])) for seed in range(200)}
    assert len(found) == 15  # any two of the six


@pytest.mark.parametrize("k", [2, 10])
def test_within_a_stratum_any_image_may_be_kept(k):
    values = [0.0] * 10 + [1.0] * 10
    kept = np.zeros(20)
    for seed in range(300):
        kept[order(stratified, values, k, seed)[:k]] += 1
    assert np.all(kept[:18] > 0)
    assert np.all(kept[18:] == 0)  # the farthest tenth
