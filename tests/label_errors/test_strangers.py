import pytest
from labels import clusters, mislabel

from moderate_cli.label_errors.strangers import share_of_strangers


def test_strangers_grow_with_wrong_labels_alone(rng):
    labels, features = clusters(rng, spread=2.0)
    assert share_of_strangers(features, labels) < 0.02
    given, wrong = mislabel(labels, rng, 0.3)
    # Of seven other classes four are as far as, or farther than, the middle one.
    assert share_of_strangers(features, given) == pytest.approx(wrong.mean() * 4 / 7, abs=0.03)
    assert share_of_strangers(features, given % 3) == 0
    assert share_of_strangers(features[:0], given[:0]) == 0
