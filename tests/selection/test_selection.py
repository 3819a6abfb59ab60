import math

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderate_cli.errors import ArgumentError
from moderate_cli.scoring import CENTERS, Scores, score_features
from moderate_cli.selection import (
    BALANCES,
    RECOMMENDED,
    SCOPES,
    STRATEGIES,
    emptied_classes,
    kept_count,
    quotas,
    select_scores,
)

RATIOS = ("0.001", "0.05", "0.1", "0.25", "0.3", "0.333", "0.5", "0.7", "0.999", "1")


@st.composite
def scored(draw):
    """Scores with ties, labels with gaps and one-image classes, in no order."""
    n = draw(st.integers(1, 60))
    values = draw(st.lists(st.integers(0, 12).map(lambda v: v / 4), min_size=n, max_size=n))
    names = st.sampled_from([-5, 0, 3, 4, 900])
    labels = draw(st.lists(names, min_size=n, max_size=n))
    return np.array(values), np.array(labels)


@settings(max_examples=300, deadline=None)
@given(
    scored(),
    st.sampled_from(RATIOS),
    st.sampled_from(["global", "class"]),
    st.sampled_from(["0", "0.25", "0.5", "0.9", "1"]),
)
def test_the_kept_set_is_that_of_the_definition(data, ratio, scope, quantile):
    values, labels = data
    kept = select_scores(values, labels, ratio=ratio, scope=scope, quantile=quantile)
    k = naive.kept_count(len(values), ratio)
    expected = naive.select(values.tolist(), labels.tolist(), k, scope, float(quantile))
    assert set(np.flatnonzero(kept)) == expected
    assert kept.sum() == k


@pytest.mark.parametrize("seed", range(12))
def test_features_to_kept_set_is_that_of_the_definition(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 5000 if seed % 4 == 0 else 400))
    labels = 3 * rng.integers(0, rng.integers(1, 61), n) + 5
    labels[0] = 1_000_000  # a class of one image, after a gap
    features = rng.standard_normal((n, 8)).astype(np.float32)
    features[n // 2] = features[0]
    for center in CENTERS:
        values = score_features(features, labels, center=center)
        by_hand = np.empty(n)
        for label in set(labels.tolist()):
            rows = np.flatnonzero(labels == label)
            middle = naive.center(features[rows], center)
            points = features[rows].astype(np.float64)
            by_hand[rows] = np.sqrt(((points - middle) ** 2).sum(axis=1))
        for ratio in (0.1, 0.3, 0.77):
            for scope in ("global", "class"):
                k = naive.kept_count(n, ratio)
                kept = set(np.flatnonzero(select_scores(values, labels, ratio=ratio, scope=scope)))
                expected = naive.select(by_hand.tolist(), labels.tolist(), k, scope)
                assert kept == expected, (center, ratio, scope)


RELEASED = {"scope": "global", "min_per_class": 0}


@pytest.mark.parametrize("seed", range(20))
def test_the_released_code_differs_by_its_rounding_alone(seed):
    rng = np.random.default_rng(seed)
    n, ratio = int(rng.integers(20, 900)), float(rng.choice([0.1, 0.2, 0.3, 0.45, 0.5, 0.8]))
    labels = rng.integers(0, 7, n)
    features = rng.standard_normal((n, 5))
    prototypes = np.stack([np.median(features[labels == y], axis=0) for y in labels])
    rank = np.argsort(np.linalg.norm(features - prototypes, axis=1))
    released = set(rank[round(n * (0.5 - ratio / 2)) : round(n * (0.5 + ratio / 2))])
    scores = score_features(features, labels, center="median")
    kept = set(np.flatnonzero(select_scores(scores, labels, ratio=ratio, **RELEASED)))
    # As many differ as the two counts differ, plus one moved at each end where the roundings
    # shift the window by half a rank.
    assert len(kept) == kept_count(n, ratio)
    assert abs(len(kept) - len(released)) <= 1
    assert len(kept - released) <= 1
    assert len(released - kept) <= 1


@given(st.integers(1, 10**7), st.fractions(0, 1).filter(lambda r: r > 0))
def test_the_count_is_rounded_half_up_exactly(n, ratio):
    assert kept_count(n, ratio) == max(1, math.floor(n * ratio + ratio.__class__(1, 2)))


def test_a_ratio_is_the_decimal_that_was_written():
    # 100 * 0.145 is 14.499999999999998 in floating point; 14.5 rounds to 15.
    assert kept_count(100, 0.145) == 15
    assert kept_count(100, np.float64(0.145)) == 15


def test_ties_are_broken_by_row():
    assert select_scores(np.zeros(5), count=3).tolist() == [False, True, True, True, False]


def test_the_quantile_moves_the_window():
    values = np.arange(10.0)
    assert np.flatnonzero(select_scores(values, count=2, quantile=0)).tolist() == [0, 1]
    assert np.flatnonzero(select_scores(values, count=2)).tolist() == [4, 5]
    assert np.flatnonzero(select_scores(values, count=2, quantile=1)).tolist() == [8, 9]


def test_an_emptied_class_keeps_its_image_nearest_the_median():
    values = np.array([0.0, 0.1, 4.0, 4.1, 5.0, 5.1, 6.0, 6.1, 9.0, 9.5])
    labels = np.array([1, 1, 0, 0, 0, 0, 0, 0, 2, 2])
    plain = select_scores(values, labels, count=4, scope="global", min_per_class=0)
    assert np.flatnonzero(plain).tolist() == [3, 4, 5, 6]
    # Rows 1 and 8 come in; 6 and 3, the outermost ranks of the window, go.
    kept = select_scores(values, labels, count=4, scope="global")
    assert np.flatnonzero(kept).tolist() == [1, 4, 5, 8]
    assert emptied_classes(Scores(values, labels), plain) == [1, 2]


def test_fewer_images_than_classes_are_spread_over_classes():
    values, labels = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 0, 1, 2])
    for scope, kept in (("global", [1, 2]), ("class", [0, 2])):
        found = select_scores(values, labels, count=2, scope=scope)
        assert np.flatnonzero(found).tolist() == kept


def test_unreadable_images_are_neither_kept_nor_counted():
    values = np.array([np.nan, 1.0, 2.0, np.nan, 3.0, 4.0])
    kept = select_scores(values, ratio=0.5)
    assert np.flatnonzero(kept).tolist() == [2, 4]
    assert select_scores(values, ratio=1).sum() == 4


@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=40),
    st.fractions(0, 1).filter(lambda r: r > 0),
    st.integers(0, 3),
)
def test_quotas_sum_to_k_and_respect_floors_and_sizes(sizes, ratio, least):
    k = kept_count(sum(sizes), ratio)
    floors = np.minimum(sizes, least)
    shared = quotas(np.array(sizes), k, floors)
    assert shared.sum() == k
    assert np.all(shared <= sizes)
    assert np.all(shared >= floors) or floors.sum() > k


@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=40),
    st.fractions(0, 1).filter(lambda r: r > 0),
    st.integers(0, 3),
    st.sampled_from(sorted(BALANCES)),
)
def test_shares_of_any_balance_sum_to_k_and_grow_with_size(sizes, ratio, least, balance):
    k, whole = kept_count(sum(sizes), ratio), np.array(sizes)
    floors = np.minimum(sizes, least)
    shared = quotas(whole, k, floors, balance)
    assert shared.sum() == k
    assert np.all(shared <= whole)
    assert np.all(shared >= floors) or floors.sum() > k
    if balance == "uniform" and least == 0:
        # Whoever has not given all that it has gives as many as any other, but for one.
        rest = shared < whole
        assert not rest.any() or shared.max() - shared[rest].min() <= 1


def test_shares_by_hand():
    sizes, none = np.array([100, 400, 4]), np.zeros(3, dtype=np.int64)
    assert quotas(sizes, 62, none, "uniform").tolist() == [29, 29, 4]
    # In proportion to 10, 20 and 2: of 96, 30, 60 and 6, but there are 4 only; 92 in 1 to 2.
    assert quotas(sizes, 96, none, "sqrt").tolist() == [31, 61, 4]
    assert quotas(sizes, 504, none, "sqrt").tolist() == [100, 400, 4]


def test_a_balance_works_in_classes():
    labels = np.repeat([0, 1], [90, 10])
    kept = select_scores(np.arange(100.0), labels, ratio=0.2, balance="uniform")
    assert np.bincount(labels[kept]).tolist() == [10, 10]
    with pytest.raises(ArgumentError) as caught:
        select_scores(np.arange(100.0), labels, ratio=0.2, balance="uniform", scope="global")
    assert str(caught.value) == "use balance='uniform' or scope='global', not both"


def test_quotas_without_floors_are_within_one_of_the_share(rng):
    sizes = rng.integers(1, 1000, 50)
    shared = quotas(sizes, 700, np.zeros(50, dtype=np.int64))
    assert np.abs(shared - 700 * sizes / sizes.sum()).max() < 1


def test_each_of_many_small_classes_keeps_an_image(rng):
    labels = rng.integers(0, 22_000, 100_000)
    values = rng.random(100_000)
    for scope in ("global", "class"):
        kept = select_scores(values, labels, ratio=0.3, scope=scope)
        assert kept.sum() == 30_000
        assert len(np.unique(labels[kept])) == len(np.unique(labels))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ratio": 0}, "ratio: 0 is not in (0, 1]; it is the fraction kept"),
        ({"ratio": 1.5}, "ratio: 1.5 is not in (0, 1]; it is the fraction kept"),
        ({"ratio": float("nan")}, "nan is not a finite number"),
        ({"count": 0}, "count: 0 is not positive"),
        ({"count": 4}, "count: 4 is not in [1, 3], the images to select from"),
        ({}, "missing ratio or count"),
        ({"ratio": 0.5, "count": 1}, "use ratio=0.5 or count=1, not both"),
        ({"ratio": 0.5, "scope": "all"}, "scope: 'all' is unknown; choose one of global, class"),
        ({"ratio": 0.5, "quantile": 2}, "quantile: 2 is not in [0, 1]"),
        ({"ratio": 0.5, "quantile": "-0.1"}, "quantile: -0.1 is not in [0, 1]"),
        (
            {"ratio": 0.5, "balance": "even"},
            "balance: 'even' is unknown; choose one of proportional, sqrt, uniform",
        ),
        ({"ratio": 0.5, "labels": [0, 1]}, "scores (3,) and labels (2,) do not match"),
        ({"ratio": 0.5, "labels": [[0, 1, 1]]}, "scores (3,) and labels (1, 3) do not match"),
        ({"ratio": 0.5, "min_per_class": -1}, "min_per_class: -1 is negative"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ArgumentError) as caught:
        select_scores(np.array([1.0, 2.0, 3.0]), **arguments)
    assert str(caught.value) == message


def test_scores_are_one_number_an_image():
    for labels in (None, [[0, 1]]):
        with pytest.raises(ArgumentError) as caught:
            select_scores([[1.0, 2.0]], labels, ratio=0.5)
        shape = "(1, 2)" if labels else "(1,)"
        assert str(caught.value) == f"scores (1, 2) and labels {shape} do not match"


def test_scores_may_be_of_a_dataset_arrays_or_lists():
    values, labels = [5.0, math.nan, 2.0, 3.0, 4.0, 9.0], [7, 7, 7, 7, 3, 3]
    arrays = np.array(values), np.array(labels)
    for scores, classes in ((Scores(*arrays), None), arrays, (values, labels)):
        kept = select_scores(
            scores, classes, count=2, strategy="hard", scope="global", min_per_class=0
        )
        assert np.flatnonzero(kept).tolist() == [0, 5]
        kept = select_scores(scores, classes, count=2, strategy="hard", scope="class")
        assert np.flatnonzero(kept).tolist() == [0, 5]
        kept = select_scores(scores, classes, count=3, strategy="easy", scope="class")
        assert np.flatnonzero(kept).tolist() == [2, 3, 4]


def test_names_are_those_that_the_command_line_offers():
    assert tuple(STRATEGIES) == (
        "adaptive", "moderate", "easy", "hard", "two-ends", "random", "stratified",
        "matching", "matching-unscaled", "herding", "k-center", "facility-location", "graph",
    )  # fmt: skip
    assert SCOPES == ("global", "class")
    assert list(BALANCES) == ["proportional", "sqrt", "uniform"]


def test_the_recommended_strategy_is_the_first():
    assert next(iter(STRATEGIES)) == RECOMMENDED


def test_each_class_keeps_its_share_by_default():
    values, labels = np.arange(20.0), np.repeat([0, 1], 10)
    for strategy in ("moderate", "easy", "hard", "two-ends", "random", "stratified"):
        kept = select_scores(values, labels, ratio=0.4, strategy=strategy)
        assert np.bincount(labels[kept]).tolist() == [4, 4], strategy
    kept = select_scores(values, labels, ratio=0.4, strategy="easy", scope="global")
    assert np.flatnonzero(kept).tolist() == [0, 1, 2, 3, 4, 5, 6, 10]  # one of class 1


def test_nothing_to_select_from_is_refused():
    with pytest.raises(ArgumentError) as caught:
        select_scores(np.array([np.nan]), ratio=0.5)
    assert str(caught.value) == "there are no images to select from"


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (["a", "b"], None, "scores: are <U1; pass numbers"),
        ([1j, 2], None, "scores: are complex128; pass numbers"),
        ([[1.0], [2.0]], None, "scores (2, 1) and labels (2,) do not match"),
        ([1.0, 2], ["a", "b"], "labels: are <U1; pass integers, one per class"),
        ([1.0, 2], [0.5, np.nan], "labels: are float64; pass integers, one per class"),
        ([1.0, 2], [1], "scores (2,) and labels (1,) do not match"),
    ],
)
def test_arrays_of_other_kinds_are_refused(scores, labels, message):
    with pytest.raises(ArgumentError) as caught:
        select_scores(scores, labels, ratio=0.5)
    assert str(caught.value) == message


def test_features_that_are_not_finite_have_no_score():
    features, scores = np.ones((6, 2)), np.arange(6.0)
    features[3] = np.nan
    how = {"ratio": 0.5, "strategy": "matching", "features": features}
    with pytest.raises(ArgumentError) as caught:
        select_scores(scores, **how)
    assert str(caught.value) == (
        "features: row 3 is not finite; set its score to NaN to leave it out"
    )
    scores[3] = np.nan
    assert np.count_nonzero(select_scores(scores, **how)) == 3
    with pytest.raises(ArgumentError, match="are not an array"):
        select_scores(scores, ratio=0.5, strategy="matching", features=object())
