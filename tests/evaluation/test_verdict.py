"""The rule that takes another selection than the recommended one, and the sentence about it."""

import pytest

from moderate_cli.evaluation import Comparison
from moderate_cli.evaluation.about import About
from moderate_cli.evaluation.cells import FULL, Cell, Result
from moderate_cli.evaluation.estimates import PAIRED, summarize
from moderate_cli.evaluation.verdict import picks, say_picks, to_paste
from moderate_cli.selection import Choice


def found(ratio="0.5", **values):
    """Results by strategy, an accuracy per seed."""
    return {
        Cell(FULL if name == "full" else name, "1" if name == "full" else ratio, "", seed): Result(
            10, accuracy, 0.0
        )
        for name, accuracies in values.items()
        for seed, accuracy in enumerate(accuracies)
    }


def picked(results):
    return list(picks(results, summarize(results, held_out=True), PAIRED))


@pytest.mark.parametrize(
    ("results", "taken"),
    [
        # Better by 0.02 on average, but by chance: standard error 0.04.
        (found(adaptive=[0.5] * 5, easy=[0.6, 0.4, 0.6, 0.4, 0.6]), "adaptive"),
        # Better by one of 80 held-out images: the standard error, but not the interval.
        (found(adaptive=[0.5] * 5, easy=[0.5125, 0.5, 0.5, 0.5, 0.5]), "adaptive"),
        # Better by 0.01 everywhere.
        (found(adaptive=[0.5, 0.7, 0.6], easy=[0.51, 0.71, 0.61]), "easy"),
        # The best is so by chance, another is better for sure.
        (
            found(
                adaptive=[0.5] * 5,
                easy=[0.8, 0.3, 0.6, 0.3, 0.8],
                random=[0.51, 0.52, 0.51, 0.52, 0.51],
            ),
            "random",
        ),
        # Without the recommended strategy, random selection comes first.
        (found(easy=[0.6, 0.4, 0.6], random=[0.5] * 3), "random"),
        # One or two seeds are no evidence.
        (found(adaptive=[0.1, 0.1], easy=[0.9, 0.9]), "adaptive"),
        (found(adaptive=[0.5, 0.5]), "adaptive"),
        # An evaluation that was stopped: what both have is compared.
        (found(adaptive=[0.5] * 5, easy=[0.6, 0.61, 0.62]), "easy"),
        (found(adaptive=[0.5] * 5, easy=[0.6]), "adaptive"),
    ],
)
def test_another_strategy_is_taken_if_it_is_better_beyond_the_error(results, taken):
    (one,) = picked(results)
    assert one.line.cell.strategy == taken


def test_the_table_marks_the_row_that_the_verdict_takes_not_the_highest():
    own = found(adaptive=[0.5] * 5, easy=[0.6, 0.4, 0.6, 0.4, 0.6], random=[0.5] * 5)
    shown = Comparison(own, Choice(ratio=1), held_out=True)
    assert [line.split()[0] for line in shown.shown().splitlines() if "take" in line] == [
        "adaptive"
    ]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"adaptive": [0.5, 0.3, 0.5], "easy": [0.6, 0.2, 0.6]},
            "take the recommended adaptive; against random selection -6.7 ± 28.7 points of"
            " accuracy",
        ),
        (
            {"adaptive": [0.5, 0.3, 0.5], "easy": [0.6, 0.4, 0.6]},
            "take easy; against random selection +3.3 ± 28.7 points of accuracy; ahead of the"
            " recommended adaptive by +10.0 ± 0.0",
        ),
        (
            {"adaptive": [0.4] * 3},
            "take random; ahead of the recommended adaptive by +10.0 ± 0.0",
        ),
        ({"easy": [0.4] * 3}, "take random"),
    ],
)
def test_where_nothing_is_better_than_random_the_sentence_says_so_first(values, sentence):
    lead = "no strategy is measurably better than random selection here; "
    assert say_picks(picked(found(**values, random=[0.5] * 3))) == lead + sentence


def test_the_sentence_says_what_to_take_and_how_sure_that_is():
    three = {"full": [0.7] * 3, "adaptive": [0.6, 0.62, 0.64], "random": [0.5, 0.52, 0.54]}
    assert say_picks(picked(found(**three))) == (
        "take adaptive; against random selection +10.0 ± 0.0 points of accuracy; against all images"
        " -8.0 ± 5.0 points of accuracy; no other strategy is measurably better than it"
    )
    unsure = {"adaptive": [0.6, 0.4, 0.6], "easy": [0.51] * 3, "random": [0.5] * 3}
    assert say_picks(picked(found(**unsure))).endswith(
        "the difference to random selection is not sure, and no other strategy is measurably better"
        " than it"
    )
    few = say_picks(picked(found(adaptive=[0.6], random=[0.5])))
    assert few == (
        "take adaptive; against random selection +10.0 points of accuracy; too few seeds to be sure"
    )
    other = {"adaptive": [0.5, 0.7, 0.6], "easy": [0.51, 0.71, 0.61], "random": [0.4, 0.6, 0.5]}
    assert say_picks(picked(found(**other))).endswith(
        "ahead of the recommended adaptive by +1.0 ± 0.0"
    )


def test_of_several_ratios_each_has_its_pick_and_the_middle_one_is_pasted():
    values = {"adaptive": [0.5, 0.7, 0.6], "random": [0.4, 0.6, 0.5]}
    both = {**found("0.5", **values), **found("0.3", **values)}
    both |= found("0.1", adaptive=[0.4, 0.6, 0.5], random=[0.5, 0.7, 0.6])
    found_picks = picked(both)
    assert say_picks(found_picks).startswith(
        "take adaptive at 0.5 and 0.3, random at 0.1; against random selection +10.0 ± 0.0 at 0.5"
        " and +10.0 ± 0.0 at 0.3 points of accuracy"
    )
    assert to_paste(found_picks).line.cell.ratio == "0.3"


UNKNOWN = (
    "the features hardly know these classes (a linear probe is right for only 13 % of the images)"
)


@pytest.mark.parametrize(
    ("own", "taken", "sentence"),
    [
        # By chance ahead, and two seeds are no evidence.
        (
            found(adaptive=[0.5, 0.6], random=[0.4, 0.5], full=[0.6, 0.7]),
            "random",
            f"take random; {UNKNOWN}, so they cannot tell which images are worth more; try other"
            " features, such as those of another --backbone or of your own --weights; against all"
            " images -20.0 points of accuracy",
        ),
        # A measurement is worth more.
        (
            found(easy=[0.5, 0.7, 0.6], random=[0.4, 0.6, 0.5]),
            "easy",
            f"take easy; {UNKNOWN}; against random selection +10.0 ± 0.0 points of accuracy; ahead"
            " of random by +10.0 ± 0.0",
        ),
    ],
)
def test_random_selection_comes_first_where_features_hardly_know_the_classes(own, taken, sentence):
    about = About("data", 20, 2, "a linear probe", 2, head_accuracy=0.128)
    compared = Comparison(own, Choice(ratio=1), held_out=True, about=about)
    assert [line.split()[0] for line in compared.shown().splitlines() if "take" in line] == [taken]
    assert compared.verdict == sentence
