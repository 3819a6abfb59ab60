"""What is left out before anything is chosen: every strategy with every way to leave images out."""

import re
from collections import Counter
from fractions import Fraction
from itertools import cycle, product

import numpy as np
import pytest

from moderate_cli import evaluation, results
from moderate_cli.cli import auto, choosing, config
from moderate_cli.selection import BALANCES, PICKS, SCOPES, STRATEGIES
from moderate_cli.selection.leaving import leave_out

# Four classes of 20 images that are easy to tell apart, and one of two that look like the first.
# Three labels are wrong, and three images are copies of the one before, within their class; those
# of the small class are copies of images of the first.
LABELS = np.append(np.repeat(np.arange(4), 20), [4, 4])
WRONG = {3: 1, 23: 2, 43: 0}
COPIES = {5: 4, 25: 24, 65: 64, 80: 1, 81: 0}
# Suspects, the surest first, and copies: in the order in which they go.
SUSPECTS = {"auto": [3, 23, 43], "0.1": [3, 23, 43, 81, 80, 1, 0, 10]}
DUPLICATES = [81, 80, 65, 25, 5]


def features():
    looks = np.append(np.repeat(np.arange(4), 20), [0, 0])
    looks[list(WRONG)] = list(WRONG.values())
    found = 3 * np.eye(8)[looks] + 0.3 * np.random.default_rng(3).normal(size=(82, 8))
    found[list(COPIES)] = found[list(COPIES.values())]
    return found


@pytest.fixture
def arrays(tmp_path, monkeypatch):
    """Files of features and labels; what was found of the same images is not found again."""
    np.save(tmp_path / "f.npy", features())
    np.save(tmp_path / "y.npy", LABELS)
    known = {}

    def once(features, labels, *, seed=0, readable=None, on_progress=None):
        key = (labels.tobytes(), seed, None if readable is None else readable.tobytes())
        if key not in known:
            known[key] = plain(features, labels, seed=seed, readable=readable)
        return known[key]

    plain = results.find_suspects
    monkeypatch.setattr(results, "find_suspects", once)
    monkeypatch.setattr(evaluation, "find_suspects", once)
    monkeypatch.setattr(auto, "SEEDS", 1)
    return ("--features", tmp_path / "f.npy", "--labels", tmp_path / "y.npy")


WAYS = {
    "nothing": (),
    "suspects": ("--drop-suspects", "auto"),
    "a tenth": ("--drop-suspects", "0.1"),
    "copies": ("--dedup", "0.9999"),
    "suspects and copies": ("--drop-suspects", "auto", "--dedup", "0.9999"),
    "a tenth and copies": ("--drop-suspects", "0.1", "--dedup", "0.9999"),
}


# What is asked for, and how many of so many images that is.
AMOUNTS = {
    ("-r", "1/3"): lambda n: (2 * n + 3) // 6,  # rounded half up
    ("-r", "1"): lambda n: n,
    ("-r", "0.1"): lambda n: (n + 5) // 10,
    ("--count", "9"): lambda n: 9,
}


def left_out(way, strategy, preset, least):
    """Rows that go, by hand: of each class as many as leave it the least it keeps."""
    dropped = next((value for value in way if value in SUSPECTS), None)
    if dropped is None and (strategy == "trimmed" or preset == "noisy-labels"):
        dropped = "auto"
    gone = set()
    sizes = Counter(LABELS.tolist())
    for row in SUSPECTS.get(dropped, []) + (DUPLICATES if "--dedup" in way else []):
        if row not in gone and sizes[LABELS[row]] > least:
            sizes[LABELS[row]] -= 1
            gone.add(row)
    return gone


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("strategy", [*STRATEGIES, "auto"])
def test_every_strategy_goes_with_every_way_to_leave_images_out(
    strategy, way, arrays, moderate, monkeypatch
):
    every = product((None, *config.bundled()), (None, *SCOPES), BALANCES)
    # As many amounts as have no divisor in common with scopes and balances, so that all meet.
    for (preset, scope, balance), amount in zip(every, cycle(AMOUNTS), strict=False):
        args = ["select", *amount, "--strategy", strategy, "--balance", balance, *WAYS[way]]
        args += ["--scope", scope] if scope else []
        args += ["--config", preset] if preset else []
        if scope == "global" and (strategy in PICKS or balance != "proportional"):
            with monkeypatch.context() as patch:
                patch.setattr(choosing, "source_from", None)  # refused before any work
                done = moderate(*args, *arrays)
            assert (done.status, done.stdout) == (2, ""), args
            assert "--scope global exclude each other" in done.stderr
            continue
        done = moderate(*args, *arrays)
        assert done.status == 0, (args, done.stderr)
        taken = strategy
        if strategy == "auto":
            taken = re.search(r"strategy auto takes ([a-z-]+)", done.stderr)[1]
        least = 0 if preset == "released-code" else 1
        left = set(range(82)) - left_out(WAYS[way], taken, preset, least)
        kept = list(map(int, done.stdout.split()))
        assert len(kept) == len(set(kept)) == AMOUNTS[amount](len(left)), args
        assert set(kept) <= left, args
        assert not least or set(LABELS[kept]) == set(range(5)), args


def test_suspects_are_those_that_were_planted():
    found = results.find_suspects(features(), LABELS)
    assert found.most_probable().tolist() == SUSPECTS["auto"]
    assert found.most_probable(Fraction(1, 10)).tolist() == SUSPECTS["0.1"]


def test_what_stays_for_its_class_is_named(arrays, moderate):
    args = ("select", "-r", "1", *arrays)
    done = moderate(*args, "--drop-suspects", "0.1")
    assert done.stderr.splitlines() == [
        "moderate: 7 suspects are left out",
        "moderate: 1 suspect stays, so that each class keeps --min-per-class 1: 4 1",
    ]
    done = moderate(*args, "--dedup", "0.9999", "--min-per-class", "20")
    assert done.stderr.splitlines() == [
        "moderate: 5 near duplicates of 5 images",
        "moderate: 2 pairs have different classes: 80 and 1, 81 and 0",
        "moderate: 5 near duplicates stay, so that each class keeps --min-per-class 20: 4 2, 0 1,"
        " 1 1, 3 1",
    ]
    assert len(done.stdout.split()) == 82
    # Without a floor all of a class may go, and that is said.
    done = moderate(*args, "--drop-suspects", "0.1", "--min-per-class", "0")
    assert done.stderr.splitlines() == [
        "moderate: 8 suspects are left out",
        "moderate: no image is left of 1 class without suspects: 4 2; --min-per-class 1 keeps one"
        " of each",
    ]


def test_the_first_ones_go_and_the_last_ones_stay():
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    eligible = np.array([1, 1, 1, 1, 1, 1, 1, 0], dtype=bool)
    rows = np.array([2, 6, 4, 5, 3, 0])
    found = leave_out(rows, labels, eligible, 1)
    assert (found.rows.tolist(), found.spared.tolist()) == ([2, 6, 4, 0], [5, 3])
    found = leave_out(rows, labels, eligible, 2)
    assert (found.rows.tolist(), found.spared.tolist()) == ([2], [6, 4, 5, 3, 0])
    found = leave_out(rows, labels, eligible, 0)
    assert (found.rows.tolist(), found.spared.tolist()) == (rows.tolist(), [])
    none = leave_out(rows[:0], labels, eligible, 1)
    assert (none.rows.tolist(), none.spared.tolist()) == ([], [])


def test_an_evaluation_leaves_out_what_select_leaves_out():
    data = results.LabeledFeatures(features(), LABELS, np.ones(82, dtype=bool))
    pool = evaluation.Pool(data, 0, {})
    full, most = (
        pool.select(evaluation.Cell(evaluation.FULL, "1", dropped, 0), {})
        for dropped in ("", "0.999")
    )
    # Of each class one image stays: its least suspect one.
    assert np.bincount(LABELS[full]).tolist() == [16, 16, 16, 16, 2]
    assert np.bincount(LABELS[most]).tolist() == [1, 1, 1, 1, 1]
    assert not set(WRONG) & set(most.tolist())


def test_auto_says_once_what_is_left_out(arrays, moderate, monkeypatch):
    monkeypatch.setattr(evaluation, "CANDIDATES", (("trimmed", "0.5"),))
    args = ("select", "-r", "0.1,1/2", "--strategy", "auto", "--drop-suspects", "auto", "-n")
    done = moderate(*args, *arrays)
    assert done.status == 0
    assert done.stderr.splitlines()[0] == "moderate: 3 suspects are left out"
    assert [line.split()[1] for line in done.stderr.splitlines()[1:]] == ["strategy", "strategy"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--strategy", "auto"), "evaluation: there is one class only, so no strategy can be"),
        (("--strategy", "trimmed"), "criterion margin: there is one class only; it compares two"),
        (("--drop-suspects", "0.1"), "suspects: there is one class only, so no label can be wrong"),
        (("--criterion", "margin"), "criterion margin: there is one class only; it compares two"),
        (("--count", "6"), "count: 6 is not in [1, 5], the images to select from"),
    ],
)
def test_what_the_list_of_images_tells_is_said_before_they_are_embedded(
    args, message, data, moderate
):
    ratio = () if "--count" in args else ("-r", "0.5")
    done = moderate("select", *ratio, *args, data / "cat", "--store", data.parent / "store")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.startswith(f"moderate: {message}")
    assert not (data.parent / "store").exists()
