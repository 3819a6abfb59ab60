"""A chooser drops, scores and selects; its rules refuse impossible choices."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from listeners import Told

from moderate_cli import find_suspects, results
from moderate_cli.choosing import Chooser, check, check_labels
from moderate_cli.errors import ArgumentError, OptionError
from moderate_cli.inputs import Inputs, open_source
from moderate_cli.notices import Notice
from moderate_cli.selection import STRATEGIES, Choice, select_scores

# Two classes around (3, 0) and (0, 3). Row 6 has the label of the other class; row 2 is a copy of
# row 1, and row 12 of row 11.
ANGLES = np.array([0.0, 0.1, 0.1, 0.2, 0.3, 0.4, 1.5, 1.55, 1.2, 1.3, 1.35, 1.4, 1.4])
F = 3 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1) * np.linspace(1, 1.5, 13)[:, None]
F[[2, 12]] = F[[1, 11]]
Y = np.repeat([4, 9], [7, 6])
WITHIN = [name for name, entry in STRATEGIES.items() if entry.within_classes]


def chooser(features=F, labels=Y, told=()):
    return Chooser(open_source(Inputs(features=(features,), labels=labels)), Told(told))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_chooser_selects_as_select_scores_does_with_its_scores(strategy):
    found = chooser().choose(Choice(ratio=0.5, strategy=strategy, drop_suspects="nothing", seed=3))
    rate = find_suspects(F, found.scores.labels).noise_rate
    kept = select_scores(
        found.scores, ratio=0.5, strategy=strategy, features=F, noise_rate=rate, seed=3
    )
    np.testing.assert_array_equal(found.mask, kept)
    assert found.scores.criterion == STRATEGIES[strategy].criterion
    assert found.left_out == {}


def test_dropped_images_are_neither_kept_nor_counted():
    told = []
    found = chooser(told=told).choose(Choice(ratio=1, dedup=0.99999, strategy="easy"))
    assert found.left_out["duplicates"].tolist() == [12, 2]
    assert found.rows.tolist() == [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert told == [Notice("duplicates", 2, 2)]
    half = chooser().choose(Choice(ratio=0.5, dedup=0.99999))
    assert len(half.rows) == 6  # of 11, rounded up


def test_suspects_go_before_duplicates_are_looked_for():
    told = []
    found = chooser(told=told).choose(Choice(ratio=1, dedup=0.99999, drop_suspects="1/13"))
    assert found.left_out["suspects"].tolist() == [6]
    assert found.left_out["duplicates"].tolist() == [12, 2]
    assert told == [Notice("suspects", 1, 12), Notice("duplicates", 2, 2)]
    assert not found.mask[[2, 6, 12]].any()


def test_images_without_features_are_never_kept():
    features = F.copy()
    features[5] = np.nan
    for strategy in STRATEGIES:
        found = chooser(features).choose(
            Choice(ratio=1, strategy=strategy, drop_suspects="nothing")
        )
        assert np.flatnonzero(~found.mask).tolist() == [5]


def test_shared_results_are_computed_and_announced_once(counted):
    told, suspects = [], counted(results, "find_suspects")
    scores = counted(results, "score_rows")
    both = chooser(told=told)
    few = both.choose(Choice(ratio=0.3, drop_suspects="auto"))
    many = both.choose(Choice(ratio=0.8, drop_suspects="auto", strategy="hard"))
    assert (len(suspects), len(scores)) == (1, 1)
    assert [notice.kind for notice in told].count("suspects") == 1
    assert few.prepared is many.prepared
    both.choose(Choice(ratio=0.8, drop_suspects="auto", seed=1, criterion="margin"))
    assert (len(suspects), len(scores)) == (1, 2)


def test_suspects_are_those_that_are_dropped(counted):
    found = counted(results, "find_suspects")
    one, choice = chooser(), Choice(ratio=1, drop_suspects="3/13")
    dropped = one.prepare(choice).left_out["suspects"].rows
    assert sorted(dropped) == sorted(one.suspects(choice).most_probable(Fraction(3, 13)))
    assert len(found) == 1


def test_too_few_images_are_refused():
    with pytest.raises(ArgumentError) as caught:
        chooser().choose(Choice(count=12, dedup=0.99999))
    assert str(caught.value) == "count: 12 is not in [1, 11], the images to select from"


CLUSTERS = {"features": (F,), "labels": "kmeans:2"}


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        (
            {"scores": F[:, 0]},
            {"strategy": "graph"},
            "strategy='graph' needs features, not scores",
        ),
        (
            {"scores": F[:, 0]},
            {"strategy": "adaptive"},
            "strategy='adaptive' needs features, not scores",
        ),
        ({"scores": F[:, 0]}, {"dedup": 0.9}, "dedup needs features, not scores"),
        (
            {"scores": F[:, 0]},
            {"drop_suspects": "auto"},
            "drop_suspects needs features, not scores",
        ),
        (
            {"features": (F, F), "labels": Y},
            {"strategy": "matching"},
            "strategy='matching' takes only one features",
        ),
        (
            {"data": "d", "backbones": ("a", "b")},
            {"strategy": "adaptive"},
            "strategy='adaptive' takes only one backbone",
        ),
        (
            {"data": "d", "backbones": ("a", "b")},
            {"drop_suspects": 0.1},
            "drop_suspects takes only one backbone",
        ),
        (CLUSTERS, {"drop_suspects": 0.1}, "use drop_suspects or labels='kmeans:2', not both"),
    ],
)
def test_a_choice_that_inputs_cannot_give_is_refused(inputs, options, message):
    with pytest.raises(OptionError) as caught:
        check(Choice(ratio=0.5, **options), Inputs(**inputs))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("inputs", "options"),
    [
        ({"scores": F[:, 0]}, {"strategy": "random"}),
        ({"features": (F, F), "labels": Y}, {"strategy": "hard", "criterion": "margin"}),
        (CLUSTERS, {"strategy": "herding", "dedup": 0.9}),
        (CLUSTERS, {"strategy": "adaptive", "drop_suspects": "nothing"}),
        ({"data": "d"}, {"strategy": "adaptive", "dedup": 0.9, "drop_suspects": "auto"}),
    ],
)
def test_a_choice_that_inputs_can_give_passes(inputs, options):
    check(Choice(ratio=0.5, **options), Inputs(**inputs))


@pytest.mark.parametrize(
    ("options", "labels", "message"),
    [
        ({"count": 14}, Y, "count: 14 is not in [1, 13], the images to select from"),
        (
            {"ratio": 0.5, "criterion": "aum"},
            np.zeros(3, dtype=int),
            "criterion aum compares classes, and there is only one; choose another",
        ),
        (
            {"ratio": 0.5, "strategy": "adaptive"},
            np.zeros(3, dtype=int),
            "strategy='adaptive' compares classes, and there is only one; choose another, or pass"
            " labels='kmeans:K'",
        ),
        (
            {"ratio": 0.5, "drop_suspects": 0.1},
            np.zeros(3, dtype=int),
            "suspects: there is only one class, so no label can be wrong",
        ),
        ({"ratio": 0.5}, np.zeros(0, dtype=int), "there are no images to select from"),
    ],
)
def test_a_choice_that_labels_cannot_give_is_refused(options, labels, message):
    with pytest.raises(ArgumentError) as caught:
        check_labels(Choice(**options), labels)
    assert str(caught.value) == message


def test_clusters_may_be_more_than_the_classes_that_they_replace():
    choice = Choice(ratio=0.5, criterion="margin")
    check_labels(choice, np.zeros(3, dtype=int), clustered=True)
    check_labels(choice, Y)


def test_adaptive_says_once_that_features_hardly_know_the_classes(rng):
    labels = np.repeat(np.arange(4), 15)
    for features, known in ((rng.normal(size=(60, 5)), False), (np.eye(4)[labels], True)):
        for dropped in (None, "auto"):
            told = []
            choice = Choice(ratio=0.5, strategy="adaptive", drop_suspects=dropped)
            chosen = chooser(features, labels, told)
            for ratio in (0.5, 0.3):
                chosen.choose(replace(choice, ratio=ratio))
            assert str(told).count("hardly known") == (0 if known else 1)
