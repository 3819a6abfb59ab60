"""Strategy auto: candidates, the rule that chooses one, and the labels that it is judged by."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from conftest import paint

from moderate_cli.evaluation import Cell, ProbeLearner, auto, judge
from moderate_cli.evaluation.auto import CANDIDATES, preferred, try_strategies
from moderate_cli.evaluation.belief import believed
from moderate_cli.inputs import Source
from moderate_cli.label_errors import suspects
from moderate_cli.results import LabeledFeatures
from moderate_cli.selection import RECOMMENDED, Choice

BASE = Choice(ratio=1, scope="class", seed=3)


def test_all_candidates_are_judged_on_five_pools(source):
    found = try_strategies(source, "0.2", BASE, None)
    assert [(cell.strategy, cell.quantile) for cell in found] == list(CANDIDATES)
    assert CANDIDATES[0][0] == RECOMMENDED
    seeds = range(3, 8)
    cells = [cell._replace(seed=seed) for seed in seeds for cell in found]
    again = dict(judge(source, cells, ProbeLearner(source.sets[0], None), BASE))
    for cell, values in found.items():
        assert values == [again[cell._replace(seed=seed)].accuracy for seed in seeds]
    in_all = try_strategies(source, "0.2", replace(BASE, scope="global"), None)
    assert "matching" not in {cell.strategy for cell in in_all}
    otherwise = try_strategies(source, "0.2", replace(BASE, criterion="neighbors"), None)
    assert [(cell.strategy, cell.quantile) for cell in otherwise] == list(CANDIDATES[1:])


def cells(**values):
    return {Cell(name, "0.5", "", 0): accuracies for name, accuracies in values.items()}


@pytest.mark.parametrize(
    ("found", "taken"),
    [
        # Better by 0.02 on average, but by chance: standard error 0.04.
        (cells(matching=[0.5] * 5, easy=[0.6, 0.4, 0.6, 0.4, 0.6]), "matching"),
        # Better by one of 80 held-out images: the standard error, but not the interval.
        (cells(matching=[0.5] * 5, easy=[0.5125, 0.5, 0.5, 0.5, 0.5]), "matching"),
        # Better by 0.01 everywhere.
        (cells(matching=[0.5, 0.7, 0.6], easy=[0.51, 0.71, 0.61]), "easy"),
        # The best is so by chance, another is better for sure.
        (
            cells(
                matching=[0.5] * 5,
                easy=[0.8, 0.3, 0.6, 0.3, 0.8],
                random=[0.51, 0.52, 0.51, 0.52, 0.51],
            ),
            "random",
        ),
        (cells(matching=[0.5, 0.5], easy=[0.5, 0.5]), "matching"),
        (cells(matching=[0.5, 0.5]), "matching"),
    ],
)
def test_another_strategy_is_taken_if_it_is_better_beyond_the_error(found, taken):
    assert preferred(found).strategy == taken


def noisy(seed, test_images=4000):
    """A thousand images of ten classes, 400 of them with a wrong label, and a clean test set."""
    rng = np.random.default_rng(seed)
    true = np.arange(1000 + test_images) % 10
    features = rng.normal(size=(len(true), 16)) + 2.5 * np.eye(16)[true]
    labels = true.copy()
    labels[:400] = (true[:400] + rng.integers(1, 10, 400)) % 10
    parts = (slice(1000), slice(1000, None))
    return [
        LabeledFeatures(features[part], labels[part], np.ones(len(labels[part]), dtype=bool))
        for part in parts
    ]


WITH_HERDING = (*CANDIDATES, ("herding", "0.5"), ("hard", "0.5"), ("k-center", "0.5"))


def agreement(one, other):
    """Share of the pairs of strategies that two lists of accuracies put in the same order."""
    pairs = combinations(range(len(one)), 2)
    return np.mean([(one[a] - one[b]) * (other[a] - other[b]) > 0 for a, b in pairs])


def test_wrong_labels_count_less_so_that_strategies_are_judged_as_on_clean_labels(monkeypatch):
    monkeypatch.setattr(auto, "CANDIDATES", WITH_HERDING)
    in_order = []
    for seed in range(4):
        data, test = noisy(seed)
        found = {}
        for name, weights in (("all", None), ("believed", believed(data.suspects()))):
            tried = try_strategies(Source((data,)), "0.2", BASE, weights)
            found[name] = [np.mean(values) for values in tried.values()]
        clean = on_a_test_set(data, test, list(tried))
        # Where all labels count, each accuracy is too low, and differences are too small.
        assert np.abs(np.subtract(found["all"], clean)).max() > 0.2
        assert np.abs(np.subtract(found["believed"], clean)).max() < 0.15
        assert np.ptp(found["all"]) < 0.65 * np.ptp(clean)
        assert np.ptp(found["believed"]) > 0.8 * np.ptp(clean)
        in_order.append(agreement(found["believed"], clean))
    assert np.mean(in_order) > 0.9


def on_a_test_set(data, test, tried):
    cells = [cell._replace(seed=seed) for seed in range(3, 8) for cell in tried]
    judged = dict(judge(Source((data,)), cells, ProbeLearner(data, test), BASE, test=test))
    return [
        np.mean([judged[cell._replace(seed=seed)].accuracy for seed in range(3, 8)])
        for cell in tried
    ]


def test_no_other_strategy_wins_by_chance_on_wrong_labels(monkeypatch):
    monkeypatch.setattr(auto, "CANDIDATES", WITH_HERDING)
    highest = []
    for seed in range(4):
        (data, _) = noisy(seed)
        weights = believed(data.suspects())
        found = try_strategies(Source((data,)), "0.2", BASE, weights)
        highest.append(max(found, key=lambda cell: sum(found[cell])).strategy)
        assert preferred(found).strategy == RECOMMENDED
    assert "matching" in highest  # with the highest mean it would have won


def test_suspects_are_searched_for_once_among_all_images_and_in_each_pool(
    moderate, tmp_path, counted, rng
):
    searched = counted(suspects, "check_suspectable")
    np.save(tmp_path / "f.npy", rng.random((60, 4)))
    np.save(tmp_path / "y.npy", np.arange(60) % 3)
    arrays = ("--features", tmp_path / "f.npy", "--labels", tmp_path / "y.npy")
    done = moderate("select", "-r", "0.5", *arrays, "--strategy", "auto", "--drop-suspects", "0.1")
    assert (done.status, len(done.stdout.split())) == (0, 27)
    # In the pool of each seed for the noise rate of strategy adaptive.
    assert len(searched) == 1 + auto.SEEDS


def test_select_says_what_auto_takes(grays, moderate):
    done = moderate("select", "-r", "0.5", "--strategy", "auto", grays)
    assert len(done.stdout.splitlines()) == 40
    told, warned = done.stderr.splitlines()
    # Of gray levels a linear head sees the lowest and the highest.
    assert warned.startswith("moderate: warning: a linear head on these features is right for only")
    assert told.startswith("moderate: --strategy auto chose ")
    assert " % held-out accuracy); " in told
    name, _, quantile = told.split()[4].strip(",").partition(":")
    how = ("--strategy", name, "--quantile", quantile or "0.5", "--scope", "class")
    plain = moderate("select", "-r", "0.5", *how, grays)
    assert plain.stdout == done.stdout
    assert len(moderate("select", "--count", "7", "--strategy", "auto", grays).stdout.split()) == 7


def test_auto_goes_with_suspects_left_out(grays, moderate):
    for value, left_out, told in (
        ("auto", 0, "dropped no likely label errors; selecting from all 80 images"),
        ("0.1", 8, "dropped 8 likely label errors; selecting from the remaining 72 images"),
    ):
        args = ("--strategy", "auto", "--drop-suspects", value)
        done = moderate("select", "-r", "0.5", *args, grays)
        assert done.status == 0
        first, *lines = done.stderr.splitlines()
        assert first == f"moderate: {told}"
        # Of gray levels a linear head sees the lowest and the highest.
        assert sorted(line[:45] for line in lines) == [
            "moderate: --strategy auto chose adaptive, the",
            "moderate: warning: a linear head on these fea",
        ]
        assert len(done.stdout.split()) == (80 - left_out) // 2


def test_auto_takes_from_presets_what_is_no_strategy_s_own(grays, moderate, monkeypatch):
    tried = []

    def try_strategies(_source, _ratio, base, _weights, _listener):
        tried.append(base)
        return AUTO

    monkeypatch.setattr("moderate_cli.evaluation.auto.try_strategies", try_strategies)
    for balance, config in (("sqrt", "paper"), ("proportional", "paper"), ("uniform", "cpu")):
        args = ("--strategy", "auto", "--balance", balance, "--config", config)
        done = moderate("select", "-r", "0.5", *args, grays)
        assert (done.status, len(done.stdout.split())) == (0, 40)
        base = tried.pop()
        assert (base.scope, base.within_classes) == ("class", True)
        assert (base.balance, base.min_per_class) == (balance, 1)


AUTO = {Cell("moderate", "0.5", "", 0): [0.5, 0.5]}


def test_auto_gives_advice_that_helps_where_too_few_images_are_left(grays, moderate):
    for image in range(8, 20):
        for name in "abcd":
            (grays / name / f"{image:02}.png").rename(grays / name / f"{image:02}.gone")
    args = ("select", "-r", "0.5", "--strategy", "auto", grays)
    assert moderate(*args).status == 0
    done = moderate(*args, "--dedup", "0.5")  # grays are all parallel
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == (
        "moderate: error: --strategy auto holds out a fifth of each class, and no class has five"
        " images; choose another --strategy (see 'moderate select --help')"
    )


def test_auto_needs_two_classes(tmp_path, moderate):
    for image in range(6):
        paint(tmp_path / "one" / "a" / f"{image}.png", 9 * image)
    done = moderate("select", "-r", "0.5", "--strategy", "auto", tmp_path / "one")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr == ("moderate: error: evaluation needs two classes, and there is only one\n")


def test_auto_needs_labels(grays, moderate):
    done = moderate("select", "-r", "1", "--strategy", "auto", "--labels", "kmeans:2", grays)
    assert done.status == 2
    assert "use --strategy auto or --labels kmeans:2, not both" in done.stderr
