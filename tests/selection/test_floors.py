import naive
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from moderate_cli.selection import select_scores
from moderate_cli.selection.floors import raise_to_floors


@given(st.integers(1, 30), st.integers(1, 5), st.data())
def test_swaps_are_those_of_the_plain_statement(n, classes, data):
    draw = data.draw
    mine = draw(st.lists(st.integers(0, classes - 1), min_size=n, max_size=n))
    inside = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    floors = [draw(st.integers(0, mine.count(c))) for c in range(classes)]
    preferred = draw(st.permutations(range(n)))
    before = np.array(inside)
    found = raise_to_floors(before, np.array(mine), np.array(floors), np.array(preferred))
    assert np.flatnonzero(found).tolist() == naive.raise_to_floors(inside, mine, floors, preferred)
    assert before.tolist() == inside
    assert found.sum() == sum(inside)


def raised(inside, mine, floors, preferred):
    mask = np.isin(np.arange(len(mine)), inside)
    found = raise_to_floors(mask, np.array(mine), np.array(floors), np.array(preferred))
    return np.flatnonzero(found).tolist()


def test_swaps_by_hand():
    mine, preferred = [0, 0, 0, 1, 1, 2], [0, 1, 2, 3, 4, 5]
    # The most wanted of class 1 comes in; 2, the least wanted of class 0, goes.
    assert raised([0, 1, 2], mine, [1, 1, 0], preferred) == [0, 1, 3]
    assert raised([0, 1, 2], mine, [1, 1, 1], preferred) == [0, 3, 5]
    assert raised([0, 1, 2], mine, [0, 2, 1], preferred) == [3, 4, 5]
    # Where those that may go do not suffice, the classes of the most wanted come first.
    assert raised([0, 1, 2], mine, [2, 2, 1], preferred) == [0, 1, 3]
    assert raised([0, 1, 2], mine, [2, 2, 1], [0, 1, 2, 5, 3, 4]) == [0, 1, 5]
    # A class at its floor gives nothing up.
    assert raised([0, 3], mine, [1, 1, 1], preferred) == [0, 3]
    assert raised([0, 1, 3], mine, [0, 1, 1], preferred) == [0, 3, 5]


def test_a_floor_that_is_too_high_is_lowered_for_all_classes_alike():
    labels = np.repeat([0, 1, 2], [3, 50, 40])
    scores = np.concatenate([np.full(3, 9.0), np.linspace(0, 1, 90)])
    for count, per_class in ((43, [3, 20, 20]), (9, [3, 3, 3]), (7, [2, 3, 2]), (3, [1, 1, 1])):
        kept = select_scores(scores, labels, count=count, min_per_class=100)
        assert np.bincount(labels[kept]).tolist() == per_class
