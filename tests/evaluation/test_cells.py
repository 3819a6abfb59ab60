import pytest

from moderate_cli.errors import ArgumentError
from moderate_cli.evaluation.cells import FULL, Cell, cells_of, strategy_in
from moderate_cli.selection import Choice


@pytest.mark.parametrize(
    ("text", "name", "quantile"),
    [
        ("moderate", "moderate", "0.5"),
        (" moderate:2/8 ", "moderate", "0.25"),
        ("easy", "easy", "0.5"),
    ],
)
def test_a_name_may_have_a_quantile(text, name, quantile):
    assert strategy_in(text) == (name, quantile)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "moderat",
            "strategy: 'moderat' is unknown; did you mean moderate? Choose one of adaptive, ",
        ),
        ("easy:0.2", "strategy: 'easy:0.2' is unknown; choose one of adaptive, "),
        ("moderate:2", "strategy: quantile 2 is not in [0, 1]"),
    ],
)
def test_an_unknown_strategy_is_refused(text, message):
    with pytest.raises(ArgumentError) as caught:
        strategy_in(text)
    assert str(caught.value).startswith(message)


def test_random_selection_and_the_full_set_are_always_compared():
    assert cells_of([("easy", "0.5")], ["0.1", "0.3"], "", [7]) == [
        Cell(FULL, "1", "", 7),
        Cell("easy", "0.1", "", 7),
        Cell("random", "0.1", "", 7),
        Cell("easy", "0.3", "", 7),
        Cell("random", "0.3", "", 7),
    ]


def test_strategies_are_listed_with_and_without_suspects():
    found = cells_of([("adaptive", "0.5"), ("random", "0.5")], ["0.1"], "0.25", [0])
    assert [(cell.strategy, cell.drop_suspects) for cell in found] == [
        (FULL, ""),
        ("adaptive", ""),
        ("random", ""),
        (FULL, "0.25"),
        ("adaptive", "0.25"),
        ("random", "0.25"),
    ]


def test_a_cell_has_the_options_of_its_base_and_its_own():
    base = Choice(ratio=1, scope="global", criterion="margin", seed=9)
    assert Cell("moderate", "1/3", "auto", 2, "0.25").choice(base) == Choice(
        ratio="1/3", scope="global", criterion="margin", quantile="0.25", drop_suspects="auto",
        seed=2,
    )  # fmt: skip
    with pytest.raises(ArgumentError) as caught:
        Cell("matching", "0.1", "", 0).choice(base)
    assert str(caught.value) == "use strategy='matching' or scope='global', not both"
    full = Cell(FULL, "1", "", 0).choice(base)
    assert (full.strategy, full.ratio) == ("random", "1")
