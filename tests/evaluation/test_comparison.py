import pytest

from moderate_cli.evaluation import FULL, Cell, Comparison, Result
from moderate_cli.selection import Choice

RESULTS = {
    cell._replace(seed=seed): result
    for seed in range(3)
    for cell, result in (
        (Cell(FULL, "1", "", 0), Result(80, 0.75, 0.5)),
        (Cell("moderate", "0.5", "", 0, "0.25"), Result(40, 0.5, 0.25)),
        (Cell("random", "0.5", "", 0), Result(40, 0.625, 0.5)),
        (Cell("matching", "0.5", "auto", 0), Result(38, 0.75, 0.625)),
    )
}
BASE = Choice(ratio=1, metric="cosine", seed=3)


def test_a_comparison_is_shown_as_a_table():
    assert repr(Comparison(RESULTS, BASE)).splitlines() == [
        "strategy       label filter  ratio  images    accuracy    vs random  worst class",
        "full set                off      1      80  75.0 ± 0.0                      50.0",
        "moderate:0.25           off    0.5      40  50.0 ± 0.0  -12.5 ± 0.0         25.0",
        "random                  off    0.5      40  62.5 ± 0.0                      50.0",
        "matching               auto    0.5      38  75.0 ± 0.0  +12.5 ± 0.0         62.5",
    ]


def test_a_table_has_fractions_and_nothing_where_there_is_no_interval():
    one = {cell: result for cell, result in RESULTS.items() if cell.seed == 0}
    header, rows = Comparison(one, BASE).table()
    assert header == (
        "strategy", "drop_suspects", "ratio", "images", "accuracy", "accuracy_half", "worst_class",
        "worst_class_half", "to_random", "to_random_half", "to_full", "to_full_half",
    )  # fmt: skip
    assert rows[1] == (
        "moderate:0.25", "", "0.5", 40, 0.5, None, 0.25, None, -0.125, None, -0.25, None
    )  # fmt: skip


@pytest.mark.parametrize(
    ("within", "advice"),
    [
        (
            0.01,
            "--ratio 0.5 --strategy matching --drop-suspects auto --metric cosine --seed 3 stays"
            " within 1 point of the full set's accuracy: +0.0 ± 0.0",
        ),
        (0.25, "--ratio 0.5 --strategy matching --drop-suspects auto --metric cosine --seed 3"),
    ],
)
def test_the_smallest_selection_within_a_limit_is_advised(within, advice):
    assert Comparison(RESULTS, BASE).advice(within).startswith(advice)


def test_where_none_is_near_enough_the_nearest_is_named():
    own = {cell: result for cell, result in RESULTS.items() if cell.strategy != "matching"}
    assert Comparison(own, BASE).advice(0.015) == (
        "no selection is reliably within 1.5 points of the full set's accuracy; closest: random at"
        " 0.5, -12.5 ± 0.0"
    )
    assert Comparison(own, BASE).advice(0.25) == (
        "--ratio 0.5 --strategy random --metric cosine --seed 3 stays within 25"
        " points of the full set's accuracy: -12.5 ± 0.0"
    )


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_give_no_interval(seeds):
    own = {cell: result for cell, result in RESULTS.items() if cell.seed < seeds}
    assert "±" not in repr(Comparison(own, BASE))
    assert Comparison(own, BASE).advice(0.25) == (
        "3 seeds are needed to tell which selection stays within 25 points of the full set's"
        " accuracy"
    )


def test_held_out_images_are_worth_no_more_than_five_seeds():
    results = {
        Cell("random", "0.5", "", seed): Result(40, 0.5 + 0.01 * (seed % 2), 0.5)
        for seed in range(10)
    }
    tested, held_out = (
        Comparison(results, BASE, held_out=held_out).lines[0].accuracy.half
        for held_out in (False, True)
    )
    assert held_out == pytest.approx(2**0.5 * tested)


def test_points_of_curves_are_in_percent():
    found = Comparison(RESULTS, BASE).points
    assert found[1] == ("moderate:0.25", "off", 0.5, 40, 50.0, 0.0, False)
    assert found[3] == ("matching", "auto", 0.5, 38, 75.0, 0.0, False)
    assert [point.full for point in found] == [True, False, False, False]
