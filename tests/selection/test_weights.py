import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from moderate_cli.selection.weights import class_weights


def test_each_class_counts_as_among_all_images():
    labels = np.repeat([3, 5, 9], [10, 30, 60])
    kept = np.zeros(100, dtype=bool)
    kept[[0, 1, 2, 10, 11, 12, 40, 41, 42]] = True  # three of each
    weights = class_weights(labels, np.ones(100, dtype=bool), kept)
    assert np.allclose(weights, np.repeat([0.3, 0.9, 1.8], 3))


def test_a_class_without_kept_images_has_no_part():
    labels = np.array([0, 0, 1, 2])
    kept = np.array([True, False, True, False])
    assert np.allclose(class_weights(labels, np.ones(4, dtype=bool), kept), [4 / 3, 2 / 3])


def test_unreadable_images_do_not_count():
    labels = np.array([0, 0, 0, 1])
    images, kept = np.array([True, False, False, True]), np.array([True, False, False, True])
    assert class_weights(labels, images, kept).tolist() == [1, 1]


def test_nothing_kept_has_no_weights():
    nothing = np.zeros(4, dtype=bool)
    assert len(class_weights(np.arange(4), ~nothing, nothing)) == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=40))
def test_weights_add_up_to_the_shares_of_the_classes(pairs):
    labels, kept = (np.array(column) for column in zip(*pairs, strict=True))
    weights = class_weights(labels, np.ones(len(labels), dtype=bool), kept)
    own = labels[kept]
    there = np.isin(labels, own)
    assert np.isclose(weights.sum(), len(own))
    for label in np.unique(own):
        share = np.count_nonzero(labels == label) / np.count_nonzero(there)
        assert np.isclose(weights[own == label].sum(), share * len(own))
