"""The slider's table has the counts of `select` at each of its stops."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from reports import HOW, subject_of

from moderate_cli.choosing.earlier import Earlier
from moderate_cli.reporting import slider as module
from moderate_cli.reporting.slider import slider
from moderate_cli.selection import BALANCES, STRATEGIES, Order, Strategy, kept_count
from moderate_cli.selection.selecting import choose_from

CLASSES = 6
# Ways to select: those of each strategy, and of the others scopes, balances, quantiles and floors.
WAYS = [
    *({"strategy": strategy} for strategy in STRATEGIES),
    *({"strategy": name, "scope": "global"} for name, one in STRATEGIES.items()
      if not one.within_classes),
    *({"balance": balance} for balance in BALANCES),
    *({"strategy": strategy, "balance": "sqrt"} for strategy in ("random", "graph", "herding")),
    *({"quantile": quantile, "scope": scope} for quantile in ("0", "0.3", "1")
      for scope in ("global", "class")),
    *({"strategy": strategy, "min_per_class": least, "scope": scope} for least in (0, 4, 50)
      for strategy in ("moderate", "two-ends", "stratified") for scope in ("global", "class")),
    *({"strategy": strategy, "min_per_class": least} for least in (0, 4, 50)
      for strategy in ("matching", "k-center")),
]  # fmt: skip


@pytest.fixture
def make(tmp_path):
    """Return a function that selects from classes of all sizes, with scores that tie."""

    def make(how, **amount):
        rng, n = np.random.default_rng(0), 150
        labels = np.minimum(rng.geometric(0.4, n) - 1, CLASSES - 1)
        values = np.round(rng.gamma(3, 1, n) + 0.5 * labels, 1)
        values[rng.random(n) < 0.05] = np.nan
        left_out = np.flatnonzero(~np.isnan(values) & (rng.random(n) < 0.1))
        own = ("ratio", "scope")
        how = {name: value for name, value in HOW.items() if name not in own} | how
        how |= amount or {"ratio": "0.37"}
        return subject_of(tmp_path, values, labels, "abcdef", how, left_out)

    return make


def chosen(subject, ratio, fixed=None):
    """Select a ratio of the eligible images, as `moderate select` does."""
    values = np.where(subject.eligible, subject.scores.values, np.nan)
    choice = replace(subject.choice, ratio=ratio, count=None)
    labels, features = subject.scores.labels, subject.data.features
    return choose_from(choice, values, labels, features, fixed=fixed)


def ratios(subject):
    """The stops as exact ratios."""
    return [Fraction(str(percent)) / 100 for percent in slider(subject).percents]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: " ".join(map(str, way.values())))
def test_counts_are_those_of_select_at_every_stop(way, make):
    subject = make(way)
    found = slider(subject)
    assert found.percents == [*range(1, 38), *range(38, 101)]
    for at, ratio in enumerate(ratios(subject)):
        mask = chosen(subject, ratio)
        counts = np.bincount(subject.members[mask], minlength=len(subject.labels))
        assert found.counts[at] == counts.tolist()


@pytest.mark.parametrize(
    ("scope", "balance"),
    [("class", "proportional"), ("class", "uniform"), ("global", "proportional")],
)
def test_stops_keep_the_images_of_an_earlier_selection(scope, balance, make):
    subject = make({"scope": scope, "balance": balance, "min_per_class": 3})
    fixed = subject.eligible & (np.arange(len(subject.eligible)) < 25)
    number = np.count_nonzero(fixed)
    selection = replace(subject.selection, earlier=Earlier("old.txt", fixed))
    subject = replace(subject, selection=selection)
    able = np.count_nonzero(subject.eligible)
    found = slider(subject)
    assert found.percents[0] == next(n for n in range(1, 101) if round(able * n / 100) >= number)
    for at, ratio in enumerate(ratios(subject)):
        mask = chosen(subject, ratio, fixed)
        assert mask[fixed].all()
        counts = np.bincount(subject.members[mask], minlength=len(subject.labels))
        assert found.counts[at] == counts.tolist()


def test_a_strategy_may_depend_on_the_order_of_images(make, monkeypatch):
    first = Strategy("first", "", "", "", Order(lambda values, k, rng: np.arange(len(values))))
    monkeypatch.setitem(STRATEGIES, "first", first)
    for scope in ("global", "class"):
        test_counts_are_those_of_select_at_every_stop({"strategy": "first", "scope": scope}, make)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("amount", [{"ratio": "0.145"}, {"ratio": "1/3"}, {"count": 49}], ids=str)
def test_the_selection_is_a_stop(strategy, amount, make):
    subject = make({"strategy": strategy, "min_per_class": 2}, **amount)
    found = slider(subject)
    assert found.percents == sorted(set(found.percents))
    assert len(found.percents) == 101
    kept = np.bincount(subject.members[subject.kept], minlength=len(subject.labels))
    assert found.counts[found.selected] == kept.tolist()


def test_percents_have_four_digits(make):
    subject = make({}, ratio="1/3")
    found = slider(subject)
    assert (found.selected, found.percents[32:35]) == (33, [33.0, 33.33, 34.0])


def test_of_very_many_images_or_classes_there_are_fewer_stops(make, monkeypatch):
    subject = make({})
    able = np.count_nonzero(subject.eligible)
    work = able + module.CLASS * len(subject.labels)
    for most, stops in (
        (100 * work, list(range(1, 101))),
        (100 * work - 1, sorted([*range(2, 101, 2), 37])),
        (20 * work, sorted([*range(5, 101, 5), 37])),
        (1, sorted([*range(10, 101, 10), 37])),
    ):
        monkeypatch.setattr(module, "MOST_WORK", most)
        assert slider(subject).percents == stops
        assert [sum(counts) for counts in slider(subject).counts] == [
            kept_count(able, Fraction(stop, 100)) for stop in stops
        ]
