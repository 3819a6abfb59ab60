"""The options of a selection: their ranges and defaults, and which of them exclude each other."""

from fractions import Fraction

import pytest

from moderate_cli.errors import ArgumentError, OptionError
from moderate_cli.selection import STRATEGIES, Choice
from moderate_cli.selection.conflicts import Conflict, conflicts

WITHIN = [name for name, entry in STRATEGIES.items() if entry.within_classes]
ANYWHERE = [name for name in STRATEGIES if name not in WITHIN]
NAMES = ", ".join(STRATEGIES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "best"}, f"strategy: 'best' is unknown; choose one of {NAMES}"),
        (
            {"strategy": "hrad"},
            f"strategy: 'hrad' is unknown; did you mean hard? Choose one of {NAMES}",
        ),
        (
            {"criterion": "el2"},
            "criterion: 'el2' is unknown; did you mean el2n? Choose one of center, margin,"
            " neighbors, el2n, grand, forgetting, aum, prototypes, fitted-el2n, fitted-grand,"
            " fitted-forgetting, fitted-aum",
        ),
        (
            {"center": "middle"},
            "center: 'middle' is unknown; choose one of mean, median, geometric-median",
        ),
        ({"metric": "l1"}, "metric: 'l1' is unknown; choose one of euclidean, cosine"),
        (
            {"strategy": "trimmed"},  # of earlier versions
            f"strategy: 'trimmed' is unknown; did you mean adaptive? Choose one of {NAMES}",
        ),
        ({"scope": "all"}, "scope: 'all' is unknown; choose one of global, class"),
        (
            {"balance": "even"},
            "balance: 'even' is unknown; choose one of proportional, sqrt, uniform",
        ),
        ({"quantile": 1.1}, "quantile: 1.1 is not in [0, 1]"),
        ({"quantile": "-1/3"}, "quantile: -1/3 is not in [0, 1]"),
        ({"quantile": "half"}, "'half' is not a finite number"),
        ({"min_per_class": -1}, "min_per_class: -1 is negative"),
        ({"seed": -7}, "seed: -7 is not in [0, 4294967295]"),
        ({"dedup": 0}, "dedup: 0 is not in (0, 1]"),
        ({"dedup": 1.01}, "dedup: 1.01 is not in (0, 1]"),
        ({"drop_suspects": 0}, "drop_suspects: 0 is not in (0, 1)"),
        ({"drop_suspects": "1"}, "drop_suspects: 1 is not in (0, 1)"),
        ({"drop_suspects": "some"}, "'some' is not a finite number"),
        ({"ratio": 0}, "ratio: 0 is not in (0, 1]; it is the fraction kept"),
        ({"ratio": "1.5"}, "ratio: 1.5 is not in (0, 1]; it is the fraction kept"),
        ({"ratio": float("inf")}, "inf is not a finite number"),
        ({"ratio": None, "count": 0}, "count: 0 is not positive"),
        ({"ratio": None}, "missing ratio or count"),
    ],
)
def test_values_out_of_range_are_refused(options, message):
    with pytest.raises(ArgumentError) as caught:
        Choice(**{"ratio": 0.5, **options})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "options",
    [
        {"ratio": 1},
        {"ratio": "1/3"},
        {"ratio": 1e-9},
        {"count": 1},
        {"ratio": 0.5, "quantile": 0},
        {"ratio": 0.5, "quantile": "1"},
        {"ratio": 0.5, "min_per_class": 0},
        {"ratio": 0.5, "dedup": 1},
        {"ratio": 0.5, "drop_suspects": "nothing"},
        {"ratio": 0.5, "drop_suspects": "1/1000"},
    ],
)
def test_values_at_the_ends_of_their_range_are_taken(options):
    Choice(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ratio": 0.3, "count": 7}, "use ratio=0.3 or count=7, not both"),
        (
            {"strategy": "herding", "scope": "global"},
            "use strategy='herding' or scope='global', not both",
        ),
        (
            {"strategy": "random", "quantile": 0.4},
            "use strategy='random' or quantile=0.4, not both",
        ),
        (
            {"strategy": "adaptive", "criterion": "el2n"},
            "use strategy='adaptive' or criterion='el2n', not both",
        ),
        (
            {"balance": "sqrt", "scope": "global"},
            "use balance='sqrt' or scope='global', not both",
        ),
    ],
)
def test_options_that_exclude_each_other_are_refused(options, message):
    with pytest.raises(OptionError) as caught:
        Choice(**{"ratio": 0.5, **options})
    assert str(caught.value) == message


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_that_compares_features_knows_no_other_scope(strategy):
    found = list(conflicts({"strategy": strategy, "scope": "global"}))
    if strategy in ANYWHERE:
        assert found == []
    else:
        assert found == [Conflict("strategy", "scope")]
    assert list(conflicts({"strategy": strategy, "scope": "class"})) == []
    assert list(conflicts({"strategy": strategy})) == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_only_the_window_of_moderate_can_be_moved(strategy):
    found = list(conflicts({"strategy": strategy, "quantile": "0.25"}))
    assert found == ([] if strategy == "moderate" else [Conflict("strategy", "quantile")])
    # The median is where it is anyway, however it is written.
    assert list(conflicts({"strategy": strategy, "quantile": "0.50"})) == []


@pytest.mark.parametrize("balance", ["sqrt", "uniform"])
def test_a_balance_needs_shares(balance):
    assert list(conflicts({"balance": balance, "scope": "global"})) == [
        Conflict("balance", "scope")
    ]
    assert list(conflicts({"balance": balance})) == []
    assert list(conflicts({"balance": "proportional", "scope": "global"})) == []


def test_all_conflicts_are_found():
    asked = {"ratio": 1, "count": 1, "strategy": "graph", "scope": "global", "quantile": 0}
    assert list(conflicts({**asked, "balance": "sqrt"})) == [
        Conflict("ratio", "count", "both"),
        Conflict("strategy", "scope"),
        Conflict("strategy", "quantile"),
        Conflict("balance", "scope"),
    ]


def test_each_class_has_its_share_unless_the_user_chooses_otherwise():
    for strategy in STRATEGIES:
        assert Choice(ratio=1, strategy=strategy) == Choice(
            ratio=1, strategy=strategy, scope="class"
        )
        assert Choice(ratio=1, strategy=strategy).within_classes
    for strategy in ANYWHERE:
        assert not Choice(ratio=1, strategy=strategy, scope="global").within_classes


def test_the_criterion_is_the_users_or_that_of_the_strategy():
    assert Choice(ratio=1).scored_by == "center"
    assert Choice(ratio=1, strategy="adaptive").scored_by == "margin"
    for strategy in STRATEGIES.keys() - {"adaptive"}:
        assert Choice(ratio=1, strategy=strategy, criterion="aum").scored_by == "aum"


@pytest.mark.parametrize(
    ("drop_suspects", "dropped"),
    [
        (None, None),
        ("auto", "auto"),
        ("0.10", Fraction(1, 10)),
        (0.25, Fraction(1, 4)),
        ("nothing", None),
    ],
)
def test_suspects_are_dropped_only_if_the_user_says_so(drop_suspects, dropped):
    for strategy in STRATEGIES:
        choice = Choice(ratio=1, strategy=strategy, drop_suspects=drop_suspects)
        assert choice.dropped == dropped


def test_numbers_are_those_that_were_written():
    assert Choice(ratio=1, quantile=0.1).window_quantile == Fraction(1, 10)
    assert Choice(ratio=1, quantile="1/3").window_quantile == Fraction(1, 3)
    assert Choice(ratio=1).window_quantile == Fraction(1, 2)


def test_equal_choices_are_one():
    one, other = Choice(ratio="0.3", strategy="easy"), Choice(ratio="0.3", strategy="easy")
    assert one == other
    assert len({one, other, Choice(ratio="0.4", strategy="easy")}) == 2
