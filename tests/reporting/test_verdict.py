import pytest

from moderate_cli.evaluation import FULL, Cell, Comparison, Result
from moderate_cli.reporting.evaluations import Evaluation
from moderate_cli.reporting.verdict import verdict
from moderate_cli.selection import Choice

SETTINGS = {"scope": "class", "center": "mean", "metric": "euclidean"}


def evaluation(accuracies, seeds=3, dropped="", **settings):
    """One evaluation, with a test set: strategy -> accuracy at 0.3, with a spread over seeds."""
    results = {}
    for seed in range(seeds):
        results[Cell(FULL, "1", "", seed)] = Result(10, 0.8, 0.5)
        for name, (mean, spread) in accuracies.items():
            by = "" if name == "random" else dropped
            accuracy = mean + spread * (seed - (seeds - 1) / 2)
            results[Cell(name, "0.3", by, seed)] = Result(3, accuracy, 0.5)
    return Evaluation(
        "title", "linear probe", Comparison(results, Choice(ratio=1)), SETTINGS | settings
    )


RANDOM = {"random": (0.6, 0)}
CHOICE = Choice(ratio=0.3, strategy="adaptive")


@pytest.mark.parametrize(
    ("mean", "tone", "title", "points"),
    [
        (0.7, "good", "Better than random selection", "+10.0 ± 2.5"),
        (0.5, "bad", "Worse than random selection", "-10.0 ± 2.5"),
        (0.61, "unknown", "Not measurably better than random", "+1.0 ± 2.5"),
    ],
)
def test_the_interval_decides(mean, tone, title, points):
    found = verdict(CHOICE, [evaluation(RANDOM | {"adaptive": (mean, 0.01)})])
    assert (found.tone, found.title, found.measured) == (tone, title, True)
    assert found.detail == (
        f"A linear probe trained on it is right for {100 * mean:.1f} % of the test images,"
        f" {points} points to random selection of as many; trained on all images, 80.0 %."
    )


def test_a_selection_that_is_filled_up_was_not_evaluated():
    found = verdict(CHOICE, [evaluation(RANDOM | {"adaptive": (0.7, 0.01)})], filled_up=True)
    assert found.title == "Not evaluated, because it keeps earlier images"
    assert found.detail.startswith("An evaluation selects all images anew. Best: ")
    assert verdict(CHOICE, [], filled_up=True).title == "Not yet compared with random selection"


def test_what_is_surely_better_is_named():
    found = verdict(CHOICE, [evaluation(RANDOM | {"adaptive": (0.5, 0.0), "matching": (0.7, 0.0)})])
    assert found.detail.endswith("80.0 %. Best: `--strategy matching` at 0.3, +10.0 ± 0.0 points.")
    random = verdict(Choice(ratio=0.3, strategy="random"), [found.evaluation])
    assert random.title == "This is random selection"
    assert random.detail.endswith("+10.0 ± 0.0 points.")


def test_two_seeds_are_too_few():
    found = verdict(CHOICE, [evaluation(RANDOM | {"adaptive": (0.7, 0.01)}, seeds=2)])
    assert (found.tone, found.title) == (
        "unknown", "Compared with random selection only once or twice",
    )  # fmt: skip
    assert "+10.0 points to random selection (too few seeds to be sure)" in found.detail


@pytest.mark.parametrize(
    "choice",
    [
        {"strategy": "matching"}, {"ratio": 0.31}, {"drop_suspects": "auto"}, {"dedup": 0.95},
        {"balance": "sqrt"}, {"min_per_class": 2}, {"criterion": "margin", "strategy": "easy"},
        {"ratio": None, "count": 3},
    ],
    ids=str,
)  # fmt: skip
def test_only_the_same_selection_counts(choice):
    asked = Choice(**{"ratio": 0.3, "strategy": "adaptive"} | choice)
    found = verdict(asked, [evaluation(RANDOM | {"adaptive": (0.7, 0.01), "easy": (0.7, 0.01)})])
    assert (found.title, found.measured) == ("This selection was not evaluated", False)
    assert found.detail.startswith("The latest evaluation has other selections. Best: ")


def test_suspects_and_windows_are_compared():
    dropped = evaluation(RANDOM | {"adaptive": (0.7, 0.01)}, dropped="0.1")
    assert verdict(Choice(ratio=0.3, strategy="adaptive", drop_suspects="0.10"), [dropped]).measured
    window = evaluation(RANDOM | {"moderate": (0.7, 0.01)})
    assert verdict(Choice(ratio=0.3), [window]).tone == "good"
    assert not verdict(Choice(ratio=0.3, quantile=0.2), [window]).measured
    assert verdict(CHOICE, [window, evaluation(RANDOM | {"adaptive": (0.7, 0)})]).measured
    assert not verdict(
        CHOICE, [evaluation(RANDOM | {"adaptive": (0.7, 0)}, scope="global")]
    ).measured


def test_without_an_evaluation_nothing_is_claimed():
    found = verdict(CHOICE, [])
    assert found[:3] == ("unknown", "Not yet compared with random selection", "")
    assert verdict(Choice(ratio=0.3), []).detail == "The recommended strategy is `adaptive`."
