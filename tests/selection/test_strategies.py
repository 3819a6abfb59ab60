"""Each strategy against an independent plain statement, and properties of all strategies."""

from collections import Counter

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderate_cli.errors import ArgumentError
from moderate_cli.scoring import Scores
from moderate_cli.selection import (
    STRATEGIES,
    Follow,
    Order,
    Pick,
    Search,
    kept_count,
    picking,
    select_scores,
)
from moderate_cli.selection.scaled import Scaled

ORDERS = {
    name: entry.function.function
    for name, entry in STRATEGIES.items()
    if isinstance(entry.function, Order)
}


def searching(function):
    return lambda points, k, _values: function(Scaled(points), k)


def following(function):
    def follow(points, k, left=None):
        picked = function(Scaled(points), k, left)
        return picked.rows, picked.left()

    return follow


PICKS = {
    name: entry.function.function
    for name, entry in STRATEGIES.items()
    if isinstance(entry.function, Pick)
} | {
    name: searching(entry.function.function)
    for name, entry in STRATEGIES.items()
    if isinstance(entry.function, Search)
}
FOLLOWS = {
    name: following(entry.function.function)
    for name, entry in STRATEGIES.items()
    if isinstance(entry.function, Follow)
}
WITHIN = [*FOLLOWS, *PICKS]
# Strategies that see a class at a time, and nothing but its features and scores.
ALONE = [name for name in WITHIN if not STRATEGIES[name].adapts]
SEEDS = range(8)


def random_class(seed, n=40, d=5, dtype=np.float64):
    """Features as those of a network, not negative, and scores."""
    rng = np.random.default_rng(seed)
    return np.abs(rng.standard_normal((n, d))).astype(dtype), rng.random(n)


@pytest.mark.parametrize("name", PICKS)
@pytest.mark.parametrize("seed", SEEDS)
def test_picks_are_those_of_the_plain_statement(name, seed):
    points, values = random_class(seed)
    for k in (1, 7, 39, 40):
        picked = PICKS[name](points, k, values)
        assert picked.tolist() == naive.PICKS[name](points, k, values), k


@pytest.mark.parametrize("name", FOLLOWS)
@pytest.mark.parametrize("seed", SEEDS)
def test_follows_are_those_of_the_plain_statement(name, seed):
    points = random_class(seed)[0]
    before = np.random.default_rng(seed).normal(size=5)
    for k in (0, 1, 7, 39, 40):
        for left in (None, before):
            rows, now = FOLLOWS[name](points, k, left)
            picked, missing = naive.FOLLOWS[name](points, k, 0.0 if left is None else left)
            assert rows.tolist() == picked, k
            assert np.allclose(now, missing, atol=1e-4)


@pytest.mark.parametrize("name", ["two-ends", "stratified"])
@pytest.mark.parametrize("seed", SEEDS)
def test_orders_are_those_of_the_plain_statement(name, seed):
    values = random_class(seed, 200)[1].round(2)
    for k in (1, 20, 150, 199, 200):
        order = ORDERS[name](values, k, np.random.default_rng(seed))
        assert sorted(order.tolist()) == list(range(200))
        naive.CHECKS[name](values, k, order[:k].tolist())


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 60),
    st.sampled_from(["0.01", "0.1", "0.333", "0.5", "0.97", "1"]),
    st.sampled_from(["global", "class"]),
    st.integers(0, 3),
)
def test_every_strategy_keeps_exactly_k_and_floors_in_each_class(seed, n, ratio, scope, least):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 3, (n, 2)).astype(np.float32)  # many are equal
    values = rng.integers(0, 5, n).astype(np.float64)
    labels = rng.choice([-5, 0, 900], n)
    values[rng.random(n) < 0.1] = np.nan
    good = ~np.isnan(values)
    if not good.any():
        return
    sizes = Counter(labels[good].tolist())
    k = kept_count(int(good.sum()), ratio)
    for strategy in STRATEGIES:
        if strategy in WITHIN and scope == "global":
            continue
        how = {"ratio": ratio, "strategy": strategy, "scope": scope, "min_per_class": least}
        how |= {"features": points, "criterion": STRATEGIES[strategy].criterion}
        kept = select_scores(values, labels, **how)
        assert kept.sum() == k, strategy
        assert not kept[~good].any()
        assert np.array_equal(kept, select_scores(values, labels, **how))
        floors = {label: min(size, least) for label, size in sizes.items()}
        if sum(floors.values()) <= k:
            found = Counter(labels[kept].tolist())
            assert all(found[label] >= floor for label, floor in floors.items()), strategy


def test_easy_and_hard_are_the_ends_and_two_ends_both():
    values = np.array([5.0, 1.0, 4.0, 2.0, 3.0])
    kept = {name: np.flatnonzero(select_scores(values, count=2, strategy=name)).tolist()
            for name in ("easy", "hard", "two-ends")}  # fmt: skip
    assert kept == {"easy": [1, 3], "hard": [0, 2], "two-ends": [0, 1]}


def test_random_depends_on_the_seed_and_on_nothing_else():
    values = np.arange(100.0)
    first = select_scores(values, ratio=0.3, strategy="random")
    assert np.array_equal(first, select_scores(-values, ratio=0.3, strategy="random"))
    assert not np.array_equal(first, select_scores(values, ratio=0.3, strategy="random", seed=1))


def test_random_is_fair():
    counts = sum(
        select_scores(np.zeros(20), ratio=0.25, strategy="random", seed=seed).astype(int)
        for seed in range(2000)
    )
    assert np.abs(counts - 500).max() < 100  # five standard deviations


def test_random_in_classes_is_stratified():
    labels = np.repeat([0, 1], [30, 10])
    kept = select_scores(np.zeros(40), labels, ratio=0.5, strategy="random", scope="class")
    assert Counter(labels[kept].tolist()) == {0: 15, 1: 5}


def test_other_classes_change_nothing_within_a_class(rng):
    points, values = random_class(0, 60)
    labels = np.repeat([0, 1], 30)
    for strategy in (*ORDERS, *ALONE):
        how = {"ratio": 0.5, "strategy": strategy, "scope": "class", "features": points}
        both = select_scores(values, labels, **how)
        shuffled = np.concatenate([np.arange(30), 30 + rng.permutation(30)])
        how["features"] = points[shuffled]
        assert np.array_equal(both[:30], select_scores(values[shuffled], labels, **how)[:30]), (
            strategy
        )


@pytest.mark.parametrize("strategy", WITHIN)
def test_the_dtype_of_features_does_not_matter(strategy):
    points, values = random_class(3, 80, dtype=np.float16)
    how = {"count": 20, "strategy": strategy, "criterion": STRATEGIES[strategy].criterion}
    kept = [
        select_scores(values, **how, features=points.astype(dtype))
        for dtype in (np.float16, np.float32, np.float64)
    ]
    assert np.array_equal(kept[0], kept[1])
    assert np.array_equal(kept[0], kept[2])


@pytest.mark.parametrize("strategy", ALONE)
def test_a_class_too_large_for_its_matrix_is_picked_from_in_parts(strategy, monkeypatch):
    monkeypatch.setattr(picking, "PART_ROWS", 7)
    monkeypatch.setattr(picking, "PART_NUMBERS", 7 * 5)
    points, values = random_class(5, 20)
    # Parts have every third image: 7, 7 and 6 of them. Shares go to the largest remainder.
    for count, shares in {1: (1, 0, 0), 4: (2, 1, 1), 10: (4, 3, 3), 20: (7, 7, 6)}.items():
        kept, left = set(), 0.0
        for part, share in enumerate(shares):
            own = np.arange(part, 20, 3)
            if strategy in FOLLOWS:  # a part makes up for those before
                rows, left = FOLLOWS[strategy](points[own], share, left)
            else:
                rows = PICKS[strategy](points[own], share, values[own])
            kept |= set(own[rows].tolist())
        how = {"strategy": strategy, "features": points}
        found = select_scores(values, count=count, **how)
        assert set(np.flatnonzero(found).tolist()) == kept


@pytest.mark.parametrize("parts", [2, 5])
def test_in_parts_herding_is_nearly_as_near_to_the_mean_as_whole(parts, monkeypatch):
    errors = {}
    for seed in range(4):
        points = random_class(seed, 1000, 16)[0] * np.linspace(9, 0.1, 16)
        how = {"ratio": 0.1, "strategy": "herding", "features": points}
        monkeypatch.setattr(picking, "PART_ROWS", 1000)
        kept = {"whole": select_scores(np.zeros(1000), **how)}
        monkeypatch.setattr(picking, "PART_ROWS", 1000 // parts)
        monkeypatch.setattr(picking, "PART_NUMBERS", 1000 // parts * 16)
        kept["parts"] = select_scores(np.zeros(1000), **how)
        labels = np.arange(1000) % parts  # each part on its own
        kept["alone"] = select_scores(np.zeros(1000), labels, **how)
        for name, mask in kept.items():
            error = np.linalg.norm(points[mask].mean(axis=0) - points.mean(axis=0))
            errors[name] = errors.get(name, 0) + error
    assert errors["parts"] < 1.4 * errors["whole"] < errors["alone"]


@pytest.mark.parametrize("strategy", WITHIN)
def test_features_on_disk_give_the_same_as_in_memory(strategy, tmp_path):
    points, values = random_class(6, 60)
    labels = np.arange(60) % 3
    np.save(tmp_path / "f.npy", points)
    how = {"ratio": 0.3, "strategy": strategy, "criterion": STRATEGIES[strategy].criterion}
    on_disk = select_scores(
        values, labels, **how, features=np.load(tmp_path / "f.npy", mmap_mode="r")
    )
    assert np.array_equal(on_disk, select_scores(values, labels, **how, features=points))


def test_a_strategy_with_a_criterion_of_its_own_refuses_scores_of_another():
    points, values = random_class(3, 40)
    labels = np.arange(40) % 2
    how = {"strategy": "adaptive", "features": points, "count": 7}
    kept = select_scores(Scores(values, labels, criterion="margin"), **how)
    refused = {
        "center": "are of 'center'; use score(..., criterion='margin')",
        "": "have no criterion; use score(..., criterion='margin'), or pass criterion='margin' if"
        " they are of it",
    }
    asked = [((Scores(values, labels, criterion=name),), name) for name in refused]
    for scored, name in [*asked, ((values, labels), "")]:
        with pytest.raises(ArgumentError) as caught:
            select_scores(*scored, **how)
        assert str(caught.value) == (
            f"strategy: adaptive needs scores of criterion 'margin', but these {refused[name]}"
        )
        # Who names the criterion means it.
        assert np.array_equal(select_scores(*scored, **how, criterion="margin"), kept)
    # All other strategies take any.
    how["strategy"] = "matching"
    assert select_scores(Scores(values, labels, criterion="center"), **how).sum() == 7


def test_herding_stays_near_the_mean_and_unscaled_matching_near_the_median():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(5, 1, (90, 4)), rng.normal(30, 1, (10, 4))])
    herded, matched = (FOLLOWS[name](points, 40)[0] for name in ("herding", "matching-unscaled"))
    assert np.linalg.norm(points[herded].mean(axis=0) - points.mean(axis=0)) < 1
    inliers = points[:90].mean(axis=0)
    assert np.linalg.norm(points[matched].mean(axis=0) - inliers) < 1


def test_k_center_is_within_twice_the_best_radius():
    points = np.arange(12.0)[:, None]
    picked = PICKS["k-center"](points, 3, points[:, 0])
    radius = np.abs(points - points[picked].T).min(axis=1).max()
    assert radius <= 2 * 1.5  # three intervals of four numbers, from their middles


def test_the_graph_spreads_over_clusters(rng):
    centers = np.eye(4)[rng.permutation(np.arange(40) % 4)]
    points = centers + 0.01 * rng.random((40, 4))
    picked = PICKS["graph"](points, 4, np.ones(40))
    assert sorted(centers[picked].argmax(axis=1).tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"strategy": "best"},
            f"strategy: 'best' is unknown; choose one of {', '.join(STRATEGIES)}",
        ),
        (
            {"strategy": "easy", "quantile": 0.3},
            "use strategy='easy' or quantile=0.3, not both",
        ),
        (
            {"strategy": "matching", "scope": "global"},
            "use strategy='matching' or scope='global', not both",
        ),
        (
            {"strategy": "matching"},
            "strategy: matching needs features=, an array (n, d)",
        ),
        (
            {"strategy": "matching", "features": np.zeros((2, 1))},
            "features (2, 1) and scores (3,) do not match",
        ),
        (
            {"strategy": "matching", "features": np.zeros(3)},
            "features (3,) and scores (3,) do not match",
        ),
        ({"seed": -1}, "seed: -1 is not in [0, 4294967295]"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(arguments, message):
    with pytest.raises(ArgumentError) as caught:
        select_scores(np.array([1.0, 2.0, 3.0]), ratio=0.5, **arguments)
    assert str(caught.value) == message


def test_facility_location_picks_as_apricot_does():
    # FacilityLocationSelection(12, metric="precomputed", optimizer="naive") of apricot-select
    # 0.6.1 on one plus the cosine similarity of these features.
    points = np.abs(np.random.default_rng(0).standard_normal((60, 5)))
    picked = PICKS["facility-location"](points, 12, points[:, 0])
    assert picked.tolist() == [28, 17, 51, 47, 44, 37, 54, 50, 48, 57, 25, 21]
