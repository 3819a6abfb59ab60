import math

import numpy as np
import pytest

from moderate_cli import find_suspects, score_features, select, select_scores
from moderate_cli.errors import ArgumentError
from moderate_cli.selection import STRATEGIES
from moderate_cli.selection.adaptive import surest, surest_share
from tests import naive


def test_the_share_grows_with_the_number_kept_up_to_all_right_labels():
    shares = [surest_share(kept, 0.7, 0.2) for kept in range(20_000)]
    assert shares[0] == pytest.approx(0.35)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(0.8, abs=0.001)
    assert max(np.diff(shares)) < 0.06


def test_more_is_left_out_of_hard_classes():
    shares = [surest_share(50, accuracy, 0) for accuracy in (0.5, 0.6, 0.7, 0.9, 1)]
    assert shares == sorted(shares)
    assert shares[-1] == 1  # where the head knows all images, none is left out


def test_a_head_that_knows_nothing_is_not_trusted():
    shares = [surest_share(5, accuracy, 0) for accuracy in (0, 0.25, 0.3, 0.4, 0.5)]
    assert shares[:2] == [1, 1]
    assert shares == sorted(shares, reverse=True)
    assert surest_share(5, 0.2, 0.2) == pytest.approx(0.8)  # wrong labels are left out, anyway


def test_shares_stay_between_none_and_all():
    for kept in (0, 1, 1e6):
        for accuracy in (0, 0.5, 1):
            for noise_rate in (0, 0.5, 0.999, 1):
                assert 0 <= surest_share(kept, accuracy, noise_rate) <= 1


def test_the_surest_are_the_lowest_scores_and_at_least_those_to_keep():
    values = np.array([0.5, -1.0, 0.5, 0.0])
    assert surest(values, 1, 0.5).tolist() == [1, 3]
    assert surest(values, 3, 0.5).tolist() == [0, 1, 3]  # of equal scores, the first row
    assert surest(values, 4, 0.1).tolist() == [0, 1, 2, 3]


@pytest.fixture
def blobs(rng):
    """Features and labels of four classes that overlap a little; every tenth label is wrong."""
    labels = np.repeat([2, 3, 5, 9], 60)
    features = rng.normal(size=(240, 6)) + 2.0 * np.eye(6)[[2, 3, 4, 5]][np.arange(240) // 60]
    given = labels.copy()
    given[::10] = np.roll(np.unique(labels), 1)[np.searchsorted(np.unique(labels), labels[::10])]
    return features, given, given != labels


def test_adaptive_herds_directions_of_the_surest_of_each_class(blobs):
    features, labels, _ = blobs
    margins = score_features(features, labels, criterion="margin")
    rate = find_suspects(features, labels).noise_rate
    mask = select(features=features, labels=labels, ratio=0.25, strategy="adaptive").mask
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    expected = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        k = np.count_nonzero(mask & (labels == label))
        share = surest_share(k, np.mean(margins < 0), rate)
        count = math.ceil(share * len(own))
        inside = np.sort(own[np.argsort(margins[own], kind="stable")][:count])
        expected += [inside[i] for i in naive.herding(unit[inside], k)[0]]
    assert np.flatnonzero(mask).tolist() == sorted(expected)


def test_adaptive_avoids_wrong_labels_and_keeps_exactly_as_many_as_asked(blobs):
    features, labels, wrong = blobs
    for ratio in (0.1, 0.3, 0.5, 0.8):
        mask = select(features=features, labels=labels, ratio=ratio, strategy="adaptive").mask
        assert np.count_nonzero(mask) == round(240 * ratio)
        assert np.mean(wrong[mask]) < (0.03 if ratio < 0.8 else 0.1)
        plain = select(features=features, labels=labels, ratio=ratio, strategy="herding").mask
        assert np.mean(wrong[mask]) <= np.mean(wrong[plain])


def test_arrays_take_the_noise_rate_as_an_option(blobs):
    features, labels, _ = blobs
    scores = score_features(features, labels, criterion="margin")
    how = {"ratio": 0.4, "strategy": "adaptive", "features": features, "criterion": "margin"}
    rate = find_suspects(features, labels).noise_rate
    mask = select_scores(scores, labels, **how, noise_rate=rate)
    found = select(features=features, labels=labels, ratio=0.4, strategy="adaptive")
    assert np.array_equal(mask, found.mask)
    assert not np.array_equal(mask, select_scores(scores, labels, **how, noise_rate=0.9))
    with pytest.raises(ArgumentError, match=r"noise_rate: 1.5 is not in \[0, 1\]"):
        select_scores(scores, labels, **how, noise_rate=1.5)


def test_adaptive_has_its_own_criterion():
    assert STRATEGIES["adaptive"].criterion == "margin"
    with pytest.raises(ArgumentError, match="adaptive needs scores of criterion 'margin'"):
        select_scores(np.arange(4.0), ratio=0.5, strategy="adaptive", features=np.eye(4))
