import numpy as np
import pytest
from labels import clusters, mislabel

from moderate_cli.label_errors.overlap import overlap
from moderate_cli.scoring.ridge import Ridge


def overlap_of(features, labels):
    head = Ridge(features, np.arange(len(labels)), labels, labels.max() + 1, 0.03)
    predicted = head.held_out(slice(0, len(labels))).argmax(axis=1)
    return overlap(head, predicted, 100), predicted


def test_two_halves_of_a_normal_distribution_are_explained_as_far_as_a_line_can(rng):
    # The sign of a normal variable has a squared correlation of 2 / pi with it.
    features = rng.normal(size=(4000, 1))
    found, _ = overlap_of(features, (features[:, 0] > 0).astype(np.int64))
    assert found == pytest.approx((1 - 2 / np.pi) ** 1.5, abs=0.01)


@pytest.mark.parametrize("spread", [1.0, 3.0, 6.0])
def test_wrong_labels_hardly_change_the_overlap(rng, spread):
    labels, features = clusters(rng, spread=spread)
    clean, predicted = overlap_of(features, labels)
    wrong = (predicted != labels).mean()
    assert wrong < clean + 0.02
    noisy, _ = overlap_of(features, mislabel(labels, rng, 0.3)[0])
    assert clean - 0.01 < noisy < clean + 0.1


def test_a_sample_has_nearly_the_same_overlap(rng, monkeypatch):
    labels, features = clusters(rng, spread=3.0)
    whole, _ = overlap_of(features, labels)
    monkeypatch.setattr("moderate_cli.label_errors.overlap.SAMPLE", 300)
    assert overlap_of(features, labels)[0] == pytest.approx(whole, abs=0.03)


def test_a_single_predicted_class_overlaps_with_all(rng):
    head = Ridge(rng.normal(size=(9, 2)), np.arange(9), np.arange(9) % 2, 2, 0.03)
    assert overlap(head, np.zeros(9, np.int64), 9) == 1.0
