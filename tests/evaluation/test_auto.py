from dataclasses import replace

import numpy as np
from conftest import paint

from moderate_cli.evaluation import Cell, ProbeLearner, judge
from moderate_cli.evaluation.auto import CANDIDATES, try_strategies
from moderate_cli.selection import Choice

BASE = Choice(ratio=1)


def test_the_best_on_held_out_images_is_chosen(source):
    found = try_strategies(source, "0.2", range(3, 5), "", BASE)
    assert {(cell.strategy, cell.quantile) for cell in found} == set(CANDIDATES)
    means = [np.mean(values) for values in found.values()]
    assert means == sorted(means, reverse=True)
    cells = [cell._replace(seed=seed) for cell in found for seed in (3, 4)]
    learner = ProbeLearner(source.sets[0], None)
    again = dict(judge(source, sorted(cells, key=lambda cell: cell.seed), learner, BASE))
    for cell, values in found.items():
        assert values == [again[cell._replace(seed=seed)].accuracy for seed in (3, 4)]
    in_all = try_strategies(source, "0.2", range(3, 4), "", replace(BASE, scope="global"))
    assert "matching" not in {cell.strategy for cell in in_all}


def test_select_says_what_auto_takes(grays, moderate):
    done = moderate("select", "-r", "0.5", "--strategy", "auto", grays)
    assert len(done.stdout.splitlines()) == 40
    words = done.stderr.split()
    assert words[:4] == ["moderate:", "--strategy", "auto", "chose"]
    assert " % held-out accuracy); also tried: " in done.stderr
    assert done.stderr.count("\n") == 1
    name, _, quantile = words[4].partition(":")
    plain = moderate(
        "select", "-r", "0.5", "--strategy", name, "--quantile", quantile or "0.5", grays
    )
    assert plain.stdout == done.stdout
    assert len(moderate("select", "--count", "7", "--strategy", "auto", grays).stdout.split()) == 7


def test_auto_prepares_what_it_takes(grays, moderate, monkeypatch):
    monkeypatch.setattr("moderate_cli.evaluation.auto.CANDIDATES", (("trimmed", "0.5"),))
    done = moderate("select", "-r", "0.5", "--strategy", "auto", grays)
    plain = moderate("select", "-r", "0.5", "--strategy", "trimmed", grays)
    assert done.stdout == plain.stdout
    took, *rest = done.stderr.splitlines()
    assert took.startswith("moderate: --strategy auto chose trimmed (")
    assert rest == plain.stderr.splitlines()


def test_auto_takes_what_has_as_many_as_are_asked_for(grays, moderate, monkeypatch):
    candidates = (("trimmed", "0.5"), ("matching", "0.5"))
    monkeypatch.setattr("moderate_cli.evaluation.auto.CANDIDATES", candidates)
    (grays / "a" / "00.png").rename(grays / "d" / "odd.png")
    done = moderate("select", "--count", "80", "--strategy", "auto", grays)
    assert len(done.stdout.splitlines()) == 80
    assert "moderate: --strategy auto chose matching (" in done.stderr
    done = moderate("select", "--count", "81", "--strategy", "auto", grays)
    assert (done.status, done.stdout) == (2, "")
    assert "count: 81 is not in [1, 80]" in done.stderr


def test_auto_goes_with_suspects_left_out(grays, moderate):
    for value, left_out, told in (
        ("auto", 0, "dropped no likely label errors; selecting from all 80 images"),
        ("0.1", 8, "dropped 8 likely label errors; selecting from the remaining 72 images"),
    ):
        args = ("--strategy", "auto", "--drop-suspects", value)
        done = moderate("select", "-r", "0.5", *args, grays)
        assert done.status == 0
        first, took = done.stderr.splitlines()
        assert first == f"moderate: {told}"
        assert took.startswith("moderate: --strategy auto chose ")
        assert len(done.stdout.split()) == (80 - left_out) // 2


def test_auto_takes_from_presets_what_is_no_strategy_s_own(grays, moderate, monkeypatch):
    tried = []

    def try_strategies(_source, _ratio, _seeds, _dropped, base, _listener):
        tried.append(base)
        return AUTO

    monkeypatch.setattr("moderate_cli.evaluation.auto.try_strategies", try_strategies)
    for balance, config, scope, within_classes in (
        ("sqrt", "paper", None, True),
        ("proportional", "paper", None, False),
        ("proportional", "balanced", "class", True),
    ):
        args = ("--strategy", "auto", "--balance", balance, "--config", config)
        done = moderate("select", "-r", "0.5", *args, grays)
        assert (done.status, len(done.stdout.split())) == (0, 40)
        base = tried.pop()
        assert (base.scope, base.within_classes) == (scope, within_classes)
        assert (base.balance, base.min_per_class) == (balance, 1)


AUTO = {Cell("moderate", "0.5", "", 0): [0.5]}


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
