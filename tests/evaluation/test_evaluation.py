import csv
import json
import math
import re

import numpy as np
import pytest
import torch
from conftest import paint
from torchvision import models

from moderate_cli import evaluation
from moderate_cli.dataset import scan
from moderate_cli.errors import ArgumentError, DatasetError, DeviceError
from moderate_cli.evaluation import (
    CANDIDATES,
    FULL,
    Cell,
    Pool,
    ProbeLearner,
    Result,
    choose,
    evaluate,
    probe,
    training,
)
from moderate_cli.evaluation.ledger import Ledger
from moderate_cli.evaluation.probe import Probe
from moderate_cli.evaluation.recipe import Recipe
from moderate_cli.evaluation.summary import Estimate, estimate, smallest_within, summarize
from moderate_cli.evaluation.training import TrainLearner, read_pictures
from moderate_cli.results import LabeledFeatures


def ridge(points, targets, strength):
    """Weights of ridge regression on centered points and targets, and what they are added to."""
    mean, base = points.mean(axis=0), targets.mean(axis=0)
    centered = points - mean
    gram = centered.T @ centered + strength * np.eye(points.shape[1])
    weights = np.linalg.solve(gram, centered.T @ (targets - base))
    return lambda x: (x - mean) @ weights + base


@pytest.mark.parametrize(("n", "d"), [(12, 30), (30, 5)])
def test_the_strength_is_that_of_leaving_one_out(rng, n, d):
    points, members = rng.normal(size=(n, d)), np.arange(n) % 3
    points[:, 0] += members
    targets = np.eye(3)[members]
    centered = points - points.mean(axis=0)
    size = np.linalg.eigvalsh(centered @ centered.T if n <= d else centered.T @ centered).mean()
    right = []
    for strength in probe.STRENGTHS * size:
        others = ~np.eye(n, dtype=bool)
        # With one image left out the mean moves, which the closed form knows of.
        found = [ridge(points[keep], targets[keep], strength)(points[~keep]) for keep in others]
        right.append(np.sum(np.concatenate(found).argmax(axis=1) == members))
    best = probe.STRENGTHS[np.flatnonzero(right == np.max(right))[-1]] * size
    expected = ridge(points, targets, best)(points).argmax(axis=1)
    rows = np.arange(n)
    assert Probe(points, rows, members, 3).predict(points, rows).tolist() == expected.tolist()


def test_both_ways_to_fit_are_one_head(rng, monkeypatch):
    points, members, rows = rng.normal(size=(40, 40)), np.arange(40) % 4, np.arange(40)
    points[:, :4] += 2 * np.eye(4)[members]
    few = Probe(points, rows, members, 4)
    monkeypatch.setattr(Probe, "_fit_few", Probe._fit_many)
    monkeypatch.setattr(probe, "BLOCK_ROWS", 7)
    many = Probe(points, rows, members, 4)
    np.testing.assert_allclose(few._weights, many._weights, atol=1e-10)


@pytest.fixture
def data(rng):
    labels = np.repeat([0, 1, 2, 3], [40, 30, 20, 10])
    features = rng.normal(size=(100, 6)) + 3 * np.eye(6)[labels]
    return LabeledFeatures(features, labels, np.arange(100) != 7)


def test_a_pool_is_four_fifths_of_each_class(data):
    pool = Pool(data, 3, {})
    full = pool.select(Cell(FULL, "1", "", 3), {})
    # Of 39 readable images 31.2, rounded up.
    assert np.bincount(data.labels[full]).tolist() == [32, 24, 16, 8]
    assert np.array_equal(np.union1d(full, pool.held_out), np.flatnonzero(data.readable))
    assert len(np.intersect1d(full, pool.held_out)) == 0
    kept = pool.select(Cell("random", "0.5", "", 3), {})
    assert len(kept) == 40
    assert np.isin(kept, full).all()
    assert not np.array_equal(Pool(data, 4, {}).held_out, pool.held_out)


def test_cells_are_judged_on_what_they_did_not_see(data):
    cells = [Cell(FULL, "1", "", 0), Cell("moderate", "0.2", "", 0, "0.25")]
    asked = []

    def learn(rows, held_out, seed):
        asked.append((len(rows), seed))
        return np.where(data.labels[held_out] == 3, 0, data.labels[held_out])

    found = dict(evaluate(data, cells, learn))
    # 19 of 99 are held out, two of them of the last class.
    assert found == {cells[0]: (80, 17 / 19, 0), cells[1]: (16, 17 / 19, 0)}
    assert asked == [(80, 0), (16, 0)]


def test_a_test_set_takes_the_place_of_the_part_held_out(data):
    learner = ProbeLearner(data, data)
    ((_, result),) = evaluate(data, [Cell(FULL, "1", "", 0)], learner, test=data)
    assert result.images == 80
    assert result.accuracy > 0.9


def test_estimates_can_be_worked_out_by_hand():
    # Standard deviation 0.1, of three: 4.303 * 0.1 / sqrt(3).
    assert estimate([0.6, 0.5, 0.7]) == Estimate(0.6, round(0.4303 / math.sqrt(3), 12))
    assert math.isnan(estimate([0.6]).half)


def test_differences_are_between_equal_pools():
    results = {}
    for seed, (full, random, easy) in enumerate([(0.9, 0.7, 0.8), (0.8, 0.6, 0.5)]):
        results[Cell(FULL, "1", "", seed)] = Result(80, full, 0.5)
        results[Cell("random", "0.1", "", seed)] = Result(8, random, 0.25)
        results[Cell("easy", "0.1", "auto", seed)] = Result(8, easy, 0.125)
    full, random, easy = summarize(results)
    assert easy.cell == Cell("easy", "0.1", "auto", 0)
    assert easy.to_random.mean == 0
    assert easy.to_random.half == pytest.approx(12.706 * 0.1)
    assert random.to_full == Estimate(-0.2, 0)
    assert full.to_full == Estimate(0, 0)
    assert smallest_within([full, random, easy], 0.1) is None
    assert smallest_within([full, random, easy], 0.2) is random


def test_what_is_finished_is_found_again(tmp_path):
    path = tmp_path / "e.jsonl"
    one, two = Cell("easy", "0.1", "", 0), Cell("moderate", "0.1", "auto", 1, "0.25")
    ledger = Ledger(path, {"with": "probe"})
    ledger.add(one, Result(3, 0.5, 0.25))
    ledger.add(two, Result(4, 0.75, 0.5))
    assert Ledger(path, {"with": "probe"}).results == {one: (3, 0.5, 0.25), two: (4, 0.75, 0.5)}
    assert Ledger(path, {"with": "other"}).results == {}
    content = path.read_bytes()
    path.write_bytes(content[:-30])  # as a run leaves it that is killed while it writes
    ledger = Ledger(path, {"with": "probe"})
    assert ledger.results == {one: (3, 0.5, 0.25)}
    ledger.add(two, Result(4, 0.75, 0.5))
    assert len(Ledger(path, {"with": "probe"}).results) == 2


def test_a_number_is_found_again_whichever_way_it_was_written(tmp_path):
    path = tmp_path / "e.jsonl"
    old = Ledger(path, {})
    old.add(Cell("moderate", "2/6", "0.10", 0, "0.0"), Result(3, 0.5, 0.25))
    old.add(Cell("easy", "0.30", "auto", 0, "0.50"), Result(4, 0.75, 0.5))
    assert Ledger(path, {}).results == {
        Cell("moderate", "1/3", "0.1", 0, "0"): (3, 0.5, 0.25),
        Cell("easy", "0.3", "auto", 0, "0.5"): (4, 0.75, 0.5),
    }


@pytest.mark.parametrize(
    ("cell", "result"),
    [
        (["easy", "a third", "", 0, "0.5"], [1, 0.5, 0.5]),
        (["easy", "7", "", 0, "0.5"], [1, 0.5, 0.5]),
        (["easy", "0.5", "most", 0, "0.5"], [1, 0.5, 0.5]),
        (["easy", "0.5", "", 0, "2"], [1, 0.5, 0.5]),
        (["easy", "0.5", "", 0, "0.5"], [1, math.nan, 0.5]),
        (["easy", "0.5", "", 0, "0.5"], [1, 0.5, 50]),
    ],
)
def test_a_result_that_cannot_be_is_none(cell, result, tmp_path):
    entry = {"context": "{}", "cell": cell, "result": result}
    (tmp_path / "e.jsonl").write_text(json.dumps(entry))
    assert Ledger(tmp_path / "e.jsonl", {}).results == {}


def test_a_ledger_of_rubbish_is_none(tmp_path, rng):
    path = tmp_path / "e.jsonl"
    for _ in range(50):
        path.write_bytes(rng.bytes(200) + b'\n{"context": "{}", "cell": [1], "result": 3}\n[]\n7\n')
        assert Ledger(path, {}).results == {}


def test_the_best_on_held_out_images_is_chosen(data):
    found = choose(data, "0.2", seeds=[3, 4])
    assert {(cell.strategy, cell.quantile) for cell in found} == set(CANDIDATES)
    means = [np.mean(values) for values in found.values()]
    assert means == sorted(means, reverse=True)
    cells = [cell._replace(seed=seed) for cell in found for seed in (3, 4)]
    again = dict(
        evaluate(data, sorted(cells, key=lambda cell: cell.seed), ProbeLearner(data, None))
    )
    for cell, values in found.items():
        assert values == [again[cell._replace(seed=seed)].accuracy for seed in (3, 4)]
    in_all = choose(data, "0.2", seeds=[3], selecting={"scope": "global"})
    assert "matching" not in {cell.strategy for cell in in_all}


@pytest.fixture
def grays(tmp_path):
    """Four classes of gray levels that overlap a little."""
    for label, name in enumerate("abcd"):
        for image in range(20):
            paint(tmp_path / "grays" / name / f"{image:02}.png", 50 * label + 3 * image)
    return tmp_path / "grays"


ARGS = ("--seeds", "2", "--ratio", "0.2,0.5", "--strategy", "easy,moderate:0.25")


def test_strategies_are_compared(grays, moderate, tmp_path, counted):
    trained = counted(evaluation, "Probe")
    done = moderate("evaluate", grays, *ARGS, "--drop-suspects", "auto")
    assert (done.status, done.stderr) == (0, "")
    table = [line.split() for line in done.stdout.splitlines()]
    assert table[0][:5] == ["strategy", "suspects", "ratio", "images", "accuracy"]
    assert [row[:2] for row in table[2:8]] == [
        [name, "kept"] for name in ("easy", "moderate:0.25", "random") * 2
    ]
    assert len(table) == 15
    assert table[1][:5] == ["full", "set", "kept", "1", "64"]
    assert [row[3] for row in table[2:8]] == ["13"] * 3 + ["32"] * 3
    assert len(trained) == 2 * 14  # seeds, and rows of the table
    # What is finished is not run again.
    assert moderate("evaluate", grays, *ARGS, "--drop-suspects", "auto") == done
    args = [arg for name in ("e.csv", "e.json", "e.svg") for arg in ("-o", tmp_path / name)]
    assert moderate("evaluate", grays, *ARGS, *args).stdout.count("\n") == 8
    with (tmp_path / "e.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["strategy"] for row in rows[:2]] == [FULL, "easy"]
    assert float(rows[0]["to_full"]) == 0
    assert "moderate:0.25" in (tmp_path / "e.svg").read_text()
    assert moderate("evaluate", grays, *ARGS, "-o", tmp_path / "again.svg").status == 0
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "e.svg").read_bytes()
    assert json.loads((tmp_path / "e.json").read_text())[0]["images"] == 64
    # On stdout it is the same.
    for name in ("csv", "json"):
        shown = moderate("evaluate", grays, *ARGS, f"--{name}").stdout
        assert shown == (tmp_path / f"e.{name}").read_text()
    assert len(trained) == 2 * 14


def test_ratios_may_be_fractions(grays, moderate, tmp_path):
    args = ("evaluate", grays, "--seeds", "2", "--strategy", "moderate:1/3", "--within", "100%")
    names = [f"e.{suffix}" for suffix in ("png", "svg", "csv", "json", "txt")]
    outputs = [arg for name in names for arg in ("-o", tmp_path / name)]
    done = moderate(*args, "-r", "1/3,0.50", *outputs)
    assert done.status == 0
    rows = [re.split("  +", line) for line in done.stdout.splitlines()]
    assert [row[:4] for row in rows] == [
        ["strategy", "suspects", "ratio", "images"],
        ["full set", "kept", "1", "64"],
        ["moderate:1/3", "kept", "1/3", "21"],
        ["random", "kept", "1/3", "21"],
        ["moderate:1/3", "kept", "0.5", "32"],
        ["random", "kept", "0.5", "32"],
    ]
    advice = done.stderr.removeprefix("moderate: ").split(" stays within ")[0].split()
    assert advice[:2] == ["--ratio", "1/3"]
    assert len(moderate("select", grays, *advice).stdout.split()) == 27
    with (tmp_path / "e.csv").open(newline="") as file:
        ratios = [row["ratio"] for row in csv.DictReader(file)]
    assert ratios == ["1", "1/3", "1/3", "0.5", "0.5"]
    assert [row["ratio"] for row in json.loads((tmp_path / "e.json").read_text())] == ratios
    assert all((tmp_path / name).stat().st_size for name in names)
    # A third is a third, however it is written.
    same = moderate(*args, "-r", "2/6,5e-1", "-o", tmp_path / "again.svg")
    assert same == done
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "e.svg").read_bytes()


def test_files_are_written_though_nobody_reads_the_table(grays, shell, tmp_path):
    line = f"moderate evaluate {grays} --seeds 1 -r 0.5 --strategy easy -o e.csv | true"
    assert shell(line).stderr == ""
    assert len((tmp_path / "e.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize("command", ["evaluate", "suspects"])
def test_one_class_is_told_before_it_is_embedded(command, grays, moderate):
    done = moderate(command, grays / "a", "--store", grays.parent / "store")
    assert (done.status, done.stdout) == (2, "")
    assert "there is one class only" in done.stderr
    assert not (grays.parent / "store").exists()


def test_what_a_test_set_lacks_is_told_before_anything_is_embedded(grays, moderate, tmp_path):
    paint(tmp_path / "test" / "new" / "x.png", 190)
    done = moderate("evaluate", grays, "--test", tmp_path / "test")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.endswith("test: its class 'new' is none of the data's; name others\n")
    done = moderate("evaluate", grays, "--test", tmp_path / "missing")
    assert (done.status, done.stdout) == (1, "")
    for image in range(4, 20):
        for name in "abcd":
            (grays / name / f"{image:02}.png").unlink()
    done = moderate("evaluate", grays)
    assert (done.status, done.stdout) == (2, "")
    assert "no class has five images" in done.stderr
    assert not list(tmp_path.glob("*.moderate"))


@pytest.mark.parametrize("shape", [(12, 30), (30, 5)])
def test_a_head_on_equal_features_predicts_the_largest_class(shape):
    features, members = np.ones(shape), np.minimum(np.arange(shape[0]), 2)
    head = Probe(features, np.arange(shape[0]), members, 3)
    assert head.predict(features, np.arange(3)).tolist() == [2, 2, 2]


def test_a_strategy_that_drops_suspects_by_itself_is_run_once(grays, moderate):
    args = ("--seeds", "1", "--ratio", "0.5", "--strategy", "trimmed")
    done = moderate("evaluate", grays, *args, "--drop-suspects", "auto")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[1] for row in rows if row[0] == "trimmed"] == ["dropped"]
    assert [row[1] for row in rows if row[0] == "random"] == ["kept", "dropped"]
    # Random selection is what all others are compared with, itself without suspects, too.
    assert [len(row) for row in rows if row[0] == "random"] == [6, 7]


def test_a_test_set_has_its_own_classes(grays, moderate, tmp_path):
    paint(tmp_path / "test" / "a" / "x.png", 10)
    paint(tmp_path / "test" / "d" / "x.png", 190)
    done = moderate("evaluate", grays, *ARGS, "--test", tmp_path / "test")
    assert done.status == 0
    assert "100.0" in done.stdout.splitlines()[1]
    paint(tmp_path / "test" / "new" / "x.png", 190)
    done = moderate("evaluate", grays, *ARGS, "--test", tmp_path / "test")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.endswith("test: its class 'new' is none of the data's; name others\n")


def test_the_fewest_images_are_named(grays, moderate):
    done = moderate("evaluate", grays, *ARGS, "--within", "100%")
    assert done.stderr.startswith("moderate: --ratio 0.2 --strategy ")
    assert " stays within 100 points of the full set's accuracy: " in done.stderr
    done = moderate("evaluate", grays, "--seeds", "1", "--within", "0%")
    assert "nothing that was compared is sure to stay within 0 points" in done.stderr


def test_what_is_advised_selects_what_was_measured(grays, moderate):
    how = ("--scope", "class", "--criterion", "neighbors", "--seed", "3")
    one = ("-r", "0.5", "--strategy", "moderate:0.25", "--seeds", "2", "--drop-suspects", "0.1")
    done = moderate("evaluate", grays, *one, *how, "--within", "100%")
    advice = done.stderr.removeprefix("moderate: ").split(" stays within ")[0].split()
    assert advice[:2] == ["--ratio", "0.5"]
    assert advice[-6:] == list(how)
    assert moderate("select", grays, *advice).status == 0


def test_a_global_scope_leaves_strategies_within_classes_as_they_are(grays, moderate):
    args = ("evaluate", grays, "--seeds", "1", "-r", "0.5", "--strategy", "matching")
    both = [moderate(*args, "--json", *more) for more in ((), ("--scope", "global"))]
    assert [done.status for done in both] == [0, 0]
    found = [json.loads(done.stdout) for done in both]
    assert found[0] == found[1]
    done = moderate(*args, "--seeds", "2", "--scope", "global", "--within", "100%")
    advice = done.stderr.removeprefix("moderate: ").split(" stays within ")[0].split()
    assert ("matching" in advice) != ("--scope" in advice)
    assert moderate("select", grays, *advice).status == 0


def test_a_fraction_of_suspects_is_told_from_what_a_strategy_drops(grays, moderate):
    args = ("evaluate", grays, "--seeds", "1", "-r", "0.5", "--strategy", "trimmed")
    done = moderate(*args, "--drop-suspects", "0.25")
    rows = [line.split("  ") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows if "0.25 dropped" in map(str.strip, row)] == [
        "full set", "trimmed", "random"
    ]  # fmt: skip
    # However many are to go, one of each class stays.
    done = moderate(*args, "--drop-suspects", "0.999")
    rows = [line.split() for line in done.stdout.splitlines() if "0.999 dropped" in line]
    assert [row[-3] for row in rows if row[0] == "full"] == ["4"]


def test_the_environment_chooses_the_format(grays, moderate, monkeypatch):
    args = ("evaluate", grays, "--seeds", "1", "-r", "0.5", "--strategy", "easy")
    shown = moderate(*args, "--csv").stdout
    monkeypatch.setenv("MODERATE_CSV", "1")
    assert moderate(*args).stdout == shown
    assert moderate(*args, "--json").status == 2


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--strategy", "best"), "'best' is not one of 'moderate', "),
        (("--strategy", "easy:0.2"), "'easy:0.2' is not one of 'moderate', "),
        (("--within", "101%"), "101% is not in [0%, 100%]"),
        (("--seeds", "0"), "0 is not in the range 1<=x<=1000"),
        (("-o", "x.npy"), "unknown suffix"),
        (("--backbone", "resnet18"), "evaluate wants one --backbone"),
    ],
)
def test_wrong_arguments(args, message, grays, moderate):
    done = moderate("evaluate", grays, "--backbone", "pixels", *args)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr


def test_select_says_what_auto_takes(grays, moderate):
    done = moderate("select", "-r", "0.5", "--strategy", "auto", grays)
    assert len(done.stdout.splitlines()) == 40
    words = done.stderr.split()
    assert words[:4] == ["moderate:", "strategy", "auto", "takes"]
    assert done.stderr.count("\n") == 1
    name, _, quantile = words[4].partition(":")
    plain = moderate(
        "select", "-r", "0.5", "--strategy", name, "--quantile", quantile or "0.5", grays
    )
    assert plain.stdout == done.stdout
    assert len(moderate("select", "--count", "7", "--strategy", "auto", grays).stdout.split()) == 7


def test_auto_prepares_what_it_takes(grays, moderate, monkeypatch):
    monkeypatch.setattr("moderate_cli.evaluation.CANDIDATES", (("trimmed", "0.5"),))
    done = moderate("select", "-r", "0.5", "--strategy", "auto", grays)
    plain = moderate("select", "-r", "0.5", "--strategy", "trimmed", grays)
    assert done.stdout == plain.stdout
    took, *rest = done.stderr.splitlines()
    assert took.startswith("moderate: strategy auto takes trimmed")
    assert rest == plain.stderr.splitlines()


def test_auto_takes_what_has_as_many_as_are_asked_for(grays, moderate, monkeypatch):
    candidates = (("trimmed", "0.5"), ("matching", "0.5"))
    monkeypatch.setattr("moderate_cli.evaluation.CANDIDATES", candidates)
    (grays / "a" / "00.png").rename(grays / "d" / "odd.png")
    done = moderate("select", "--count", "80", "--strategy", "auto", grays)
    assert len(done.stdout.splitlines()) == 80
    assert "auto takes matching" in done.stderr
    done = moderate("select", "--count", "81", "--strategy", "auto", grays)
    assert (done.status, done.stdout) == (2, "")
    assert "count: 81 is not in [1, 80]" in done.stderr


def test_auto_goes_with_suspects_left_out(grays, moderate):
    for value, left_out in (("auto", 0), ("0.1", 8)):
        args = ("--strategy", "auto", "--drop-suspects", value)
        done = moderate("select", "-r", "0.5", *args, grays)
        assert done.status == 0
        told, took = done.stderr.splitlines()
        assert told == f"moderate: {left_out} suspects are left out"
        assert took.startswith("moderate: strategy auto takes ")
        assert len(done.stdout.split()) == (80 - left_out) // 2


def test_auto_takes_from_presets_what_is_no_strategy_s_own(grays, moderate, monkeypatch):
    tried = []
    monkeypatch.setattr(
        "moderate_cli.evaluation.choose", lambda *_, **how: tried.append(how["selecting"]) or AUTO
    )
    for balance, config, scope in (
        ("sqrt", "paper", "class"),
        ("proportional", "paper", None),
        ("proportional", "balanced", "class"),
    ):
        args = ("--strategy", "auto", "--balance", balance, "--config", config)
        done = moderate("select", "-r", "0.5", *args, grays)
        assert (done.status, len(done.stdout.split())) == (0, 40)
        assert tried.pop() == {"scope": scope, "balance": balance, "min_per_class": 1}


AUTO = {Cell("moderate", "0.5", "", 0): [0.5]}


def test_auto_wants_two_classes(tmp_path, moderate):
    for image in range(6):
        paint(tmp_path / "one" / "a" / f"{image}.png", 9 * image)
    done = moderate("select", "-r", "0.5", "--strategy", "auto", tmp_path / "one")
    assert (done.status, done.stdout) == (2, "")
    assert "there is one class only" in done.stderr


def test_auto_wants_labels(grays, moderate):
    done = moderate("select", "-r", "1", "--strategy", "auto", "--labels", "kmeans:2", grays)
    assert done.status == 2
    assert "--strategy auto and --labels kmeans:K exclude each other" in done.stderr


def test_a_picture_that_cannot_be_drawn_is_refused_at_once(grays, moderate, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = moderate("evaluate", grays, "-o", "c.png")
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr == (
        "moderate: c.png: wants the extra 'report'; pip install altair jinja2 vl-convert-python\n"
    )
    assert not (grays.parent / "grays.moderate").exists()  # nothing was embedded


def test_what_cannot_be_held_out_is_said(moderate, tmp_path):
    for name in "ab":
        for image in range(4):
            paint(tmp_path / "few" / name / f"{image}.png", 9 * image)
    for args in (("evaluate",), ("select", "-r", "1", "--strategy", "auto")):
        done = moderate(*args, tmp_path / "few")
        assert (done.status, done.stdout) == (2, "")
        assert "no class has five images" in done.stderr
    done = moderate("evaluate", tmp_path / "few", "--test", tmp_path / "few", "--seeds", "1")
    assert done.status == 0


TRAIN = ("--with", "train", "--size", "8", "--seeds", "1", "--strategy", "easy", "-r", "0.5")


def test_a_network_learns_what_gray_levels_tell(grays, moderate, counted):
    started = counted(training, "TrainLearner")
    done = moderate("evaluate", grays, *TRAIN, "--steps", "60")
    assert (done.status, done.stderr) == (0, "")
    full, easy, _ = (line.split() for line in done.stdout.splitlines()[1:])
    assert float(full[5]) > 50  # a quarter would be chance
    assert easy[:4] == ["easy", "kept", "0.5", "32"]
    # What is finished is not run again; fewer steps are something else.
    assert moderate("evaluate", grays, *TRAIN, "--steps", "60") == done
    assert len(started) == 1
    moderate("evaluate", grays, *TRAIN, "--steps", "1")
    assert len(started) == 2


def test_networks_of_torchvision_are_trained_on_a_test_set(grays, moderate, tmp_path):
    paint(tmp_path / "test" / "a" / "x.png", 10)
    args = (*TRAIN[:3], "32", *TRAIN[4:], "--steps", "1", "--test", tmp_path / "test")
    done = moderate("evaluate", grays, *args, "--network", "mobilenet_v3_small")
    assert done.status == 0
    done = moderate("evaluate", grays, *args, "--network", "vit_b_16")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr == (
        "moderate: --network vit_b_16: does not work on pictures of 32 pixels; try --size 224\n"
    )


def learner(grays, recipe):
    """Pictures of a dataset, and what is trained on them."""
    dataset = scan(grays)
    pictures = read_pictures(dataset, dataset.labels, np.ones(80, dtype=bool), recipe)
    return pictures, TrainLearner(pictures, None, recipe)


ROWS, HELD_OUT = np.arange(0, 80, 2), np.arange(1, 80, 2)


@pytest.mark.parametrize("step", ["forward", "backward"])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RuntimeError("CUDA error: device-side assert triggered\nCompile with"),
            "the GPU failed (CUDA error: device-side assert triggered); --device cpu does without"
            " it",
        ),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to"),
            "the GPU is out of memory; a smaller --size or network takes less",
        ),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"),
            "out of memory; a smaller --size or network takes less",
        ),
    ],
)
def test_what_a_device_says_is_not_put_down_to_the_size_of_pictures(
    error, said, step, grays, monkeypatch
):
    def fail(*_):
        raise error

    _, learn = learner(grays, Recipe(steps=3, size=8, device="cpu"))
    place = {"forward": (TrainLearner, "_run"), "backward": (torch.Tensor, "backward")}[step]
    monkeypatch.setattr(*place, fail)
    with pytest.raises(DeviceError) as caught:
        learn(ROWS, HELD_OUT, 1)
    assert str(caught.value) == said


def test_a_fault_of_the_program_is_not_put_down_to_the_size_of_pictures(grays, monkeypatch):
    def fail(*_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    _, learn = learner(grays, Recipe(steps=3, size=8, device="cpu"))
    monkeypatch.setattr(TrainLearner, "_run", fail)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        learn(ROWS, HELD_OUT, 1)


def test_a_torch_that_was_built_without_onednn_trains(grays, monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    _, learn = learner(grays, Recipe(steps=1, size=8, device="cpu"))
    assert learn(ROWS, HELD_OUT, 1).shape == (40,)


def test_pictures_that_do_not_fit_in_memory_are_told_of(grays):
    dataset, recipe = scan(grays), Recipe(size=10_000_000, device="cpu")
    with pytest.raises(DeviceError) as caught:
        read_pictures(dataset, dataset.labels, np.ones(80, dtype=bool), recipe)
    assert str(caught.value) == (
        "out of memory; 80 pictures take 24000000.0 GB, and a smaller --size less"
    )


def test_a_picture_that_is_gone_is_named_and_not_taken_to_be_black(grays):
    dataset = scan(grays)
    (grays / dataset.paths[7]).unlink()
    with pytest.raises(DatasetError) as caught:
        read_pictures(dataset, dataset.labels, np.arange(80) != 3, Recipe(size=8, device="cpu"))
    assert str(caught.value) == (
        f"{grays}/{dataset.paths[7]}: No such file or directory; run again to leave it out"
    )


def test_a_seed_that_torch_does_not_take_is_refused(grays):
    _, learn = learner(grays, Recipe(steps=1, size=8, device="cpu"))
    with pytest.raises(ArgumentError, match="is more than 18446744073709551615"):
        learn(ROWS, HELD_OUT, 2**64)


def test_a_seed_makes_a_network_of_its_own_each_time_the_same(grays):
    pictures, learn = learner(grays, Recipe(steps=3, size=8, device="cpu"))
    assert pictures.pixels[:, 0, 0, 0].tolist() == [
        50 * (n // 20) + 3 * (n % 20) for n in range(80)
    ]
    first, other = learn(ROWS, HELD_OUT, 1), learn(ROWS, HELD_OUT, 2)
    assert np.array_equal(learn(ROWS, HELD_OUT, 1), first)
    assert not np.array_equal(other, first)
    assert first.shape == other.shape == (40,)


def test_options_of_training_want_training(grays, moderate):
    done = moderate("evaluate", grays, "--steps", "7")
    assert done.status == 2
    assert "--with probe and --steps exclude each other" in done.stderr


def test_fine_tuning_goes_on_from_the_weights_of_the_features(grays, moderate, tmp_path):
    torch.manual_seed(0)
    torch.save(models.resnet18(num_classes=7).state_dict(), tmp_path / "own.pt")
    args = ("evaluate", grays, "--with", "fine-tune", "--seeds", "1", "--strategy", "easy")
    args += ("-r", "0.5", "--backbone", "resnet18", "--weights", tmp_path / "own.pt")
    done = moderate(*args, "--steps", "30", "--size", "32")
    assert (done.status, done.stderr) == (0, "")
    full, easy, _ = (line.split() for line in done.stdout.splitlines()[1:])
    assert float(full[5]) > 50  # a quarter would be chance
    assert easy[:4] == ["easy", "kept", "0.5", "32"]


def test_what_cannot_be_fine_tuned_is_refused(grays, moderate):
    done = moderate("evaluate", grays, "--with", "fine-tune")
    assert done.status == 2
    assert "--with fine-tune wants one --backbone, with weights" in done.stderr
    done = moderate("evaluate", grays, "--with", "fine-tune", "--network", "cnn")
    assert "--with fine-tune and --network exclude each other" in done.stderr
