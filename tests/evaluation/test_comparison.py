import pytest

from moderate_cli.evaluation import FULL, Cell, Comparison, Result
from moderate_cli.evaluation.about import About
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
        "matching               auto    0.5      38  75.0 ± 0.0  +12.5 ± 0.0         62.5  take",
        "",
        "Verdict: take matching without suspects; against random selection +12.5 ± 0.0",
        "points of accuracy; against all images +0.0 ± 0.0 points of accuracy; ahead of",
        "random by +12.5 ± 0.0.",
    ]


def test_of_the_full_set_alone_nothing_is_taken():
    own = {cell: result for cell, result in RESULTS.items() if cell.strategy == FULL}
    found = Comparison(own, BASE)
    assert (found.verdict, found.command) == ("only the full set was judged", "")


def test_without_a_label_filter_there_is_no_column_for_it():
    own = {cell: result for cell, result in RESULTS.items() if not cell.drop_suspects}
    assert repr(Comparison(own, BASE)).splitlines()[0] == (
        "strategy       ratio  images    accuracy    vs random  worst class"
    )


ABOUT = About(
    "data/my train", 100, 4, "a linear probe", 3, "data/val", 20, 2, ["data/my train", "--device",
    "cpu"],
)  # fmt: skip


def test_one_doubted_label_is_told_of_in_good_english():
    lines = repr(Comparison(RESULTS, BASE, about=ABOUT._replace(doubted=1))).splitlines()
    assert lines[3] == "test   data/val, 20 images; about 1 of their labels is probably wrong"


def test_a_reader_learns_what_was_compared_and_which_command_to_use():
    lines = repr(Comparison(RESULTS, BASE, about=ABOUT)).splitlines()
    assert lines[:5] == [
        "data   data/my train, 100 images in 4 classes",
        "judge  a linear probe",
        "runs   3 seeds, each on a random 80 % of the images; ± 95 % interval",
        "test   data/val, 20 images; about 2 of their labels are probably wrong",
        "",
    ]
    assert lines[-1] == (
        "  moderate select --ratio 0.5 --strategy matching --metric cosine --drop-suspects auto"
        " --seed 3 'data/my train' --device cpu -o kept.txt"
    )
    assert "moderate select" not in Comparison(RESULTS, BASE, about=ABOUT).text(with_command=False)
    own = Comparison(RESULTS, BASE, about=ABOUT._replace(seeds=2, test="", inputs=None))
    lines = repr(own).splitlines()
    assert lines[1:4] == [
        "judge  a linear probe",
        "runs   2 seeds, each on a random 80 % of the images; no interval",
        "test   a fifth of the data, held out; doubtful labels count less",
    ]
    assert "moderate select" not in repr(own)


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
            "matching at 0.5 stays within 1 point of the full set's accuracy: +0.0 ± 0.0; to make"
            " it: moderate select --ratio 0.5 --strategy matching --metric cosine --drop-suspects"
            " auto --seed 3 ",
        ),
        (0.25, "matching at 0.5 stays within 25 points of the full set's accuracy: +0.0 ± 0.0"),
    ],
)
def test_the_smallest_selection_within_a_limit_is_advised(within, advice):
    assert Comparison(RESULTS, BASE, about=ABOUT).advice(within).startswith(advice)


def test_where_none_is_near_enough_the_nearest_is_named():
    own = {cell: result for cell, result in RESULTS.items() if cell.strategy != "matching"}
    assert Comparison(own, BASE).advice(0.015) == (
        "no selection is reliably within 1.5 points of the full set's accuracy; closest: random at"
        " 0.5, -12.5 ± 0.0; try larger ratios, or --seeds 6"
    )
    assert Comparison(own, BASE).advice(0.25) == (
        "random at 0.5 stays within 25 points of the full set's accuracy: -12.5 ± 0.0"
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
