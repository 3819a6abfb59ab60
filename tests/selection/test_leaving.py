"""Images that are left out before the selection: every strategy with every way to do so."""

from collections import Counter
from fractions import Fraction
from itertools import cycle, product

import numpy as np
import pytest
from shown import without_closing

from moderate_cli import results
from moderate_cli.evaluation.cells import FULL, Cell
from moderate_cli.evaluation.pools import Pool
from moderate_cli.inputs import Source
from moderate_cli.presets import bundled
from moderate_cli.selection import BALANCES, SCOPES, STRATEGIES, Choice
from moderate_cli.selection.leaving import leave_out

# Four classes of 20 images that are easy to tell apart, and one of two that look like the first.
# Three labels are wrong, and three images are copies of the one before, within their class; those
# of the small class are copies of images of the first.
LABELS = np.append(np.repeat(np.arange(4), 20), [4, 4])
WRONG = {3: 1, 23: 2, 43: 0}
COPIES = {5: 4, 25: 24, 65: 64, 80: 1, 81: 0}
# Suspects, the surest first, and copies: in the order in which they go. Images of the small class
# look wrong, since the same ones are in the first.
SUSPECTS = {"auto": [3, 81, 23, 80, 43], "0.1": [3, 81, 23, 80, 43, 1, 70, 8]}
DUPLICATES = [81, 80, 65, 25, 5]


def features():
    looks = np.append(np.repeat(np.arange(4), 20), [0, 0])
    looks[list(WRONG)] = list(WRONG.values())
    found = 3 * np.eye(8)[looks] + 0.3 * np.random.default_rng(3).normal(size=(82, 8))
    found[list(COPIES)] = found[list(COPIES.values())]
    return found


@pytest.fixture
def arrays(tmp_path, monkeypatch):
    """Files of features and labels; suspects of the same images are computed once."""
    np.save(tmp_path / "f.npy", features())
    np.save(tmp_path / "y.npy", LABELS)
    known = {}

    def once(features, labels, *, readable=None, on_progress=None):
        key = (labels.tobytes(), None if readable is None else readable.tobytes())
        if key not in known:
            known[key] = plain(features, labels, readable=readable)
        return known[key]

    plain = results.find_suspects
    monkeypatch.setattr(results, "find_suspects", once)
    return ("--features", tmp_path / "f.npy", "--labels", tmp_path / "y.npy")


WAYS = {
    "nothing": (),
    "suspects": ("--drop-suspects", "auto"),
    "a tenth": ("--drop-suspects", "0.1"),
    "copies": ("--dedup", "0.9999"),
    "suspects and copies": ("--drop-suspects", "auto", "--dedup", "0.9999"),
    "a tenth and copies": ("--drop-suspects", "0.1", "--dedup", "0.9999"),
}


# Amounts to keep, and the number of n images that each of them is.
AMOUNTS = {
    ("-r", "1/3"): lambda n: (2 * n + 3) // 6,  # rounded half up
    ("-r", "1"): lambda n: n,
    ("-r", "0.1"): lambda n: (n + 5) // 10,
    ("--count", "9"): lambda n: 9,
}


def left_out(way, preset, least):
    """Rows that go, by hand: of each class as many as leave it the least it keeps."""
    dropped = next((value for value in way if value in SUSPECTS), None)
    if dropped is None and preset == "noisy-labels":
        dropped = "auto"
    gone = set()
    sizes = Counter(LABELS.tolist())
    for row in SUSPECTS.get(dropped, []) + (DUPLICATES if "--dedup" in way else []):
        if row not in gone and sizes[LABELS[row]] > least:
            sizes[LABELS[row]] -= 1
            gone.add(row)
    return gone


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_goes_with_every_way_to_leave_images_out(
    strategy, way, arrays, moderate, monkeypatch
):
    every = product((None, *bundled()), (None, *SCOPES), BALANCES)
    # As many amounts as have no divisor in common with scopes and balances, so that all meet.
    for (preset, scope, balance), amount in zip(every, cycle(AMOUNTS), strict=False):
        args = ["select", *amount, "--strategy", strategy, "--balance", balance, *WAYS[way]]
        args += ["--scope", scope] if scope else []
        args += ["--config", preset] if preset else []
        within = STRATEGIES[strategy].within_classes
        if scope == "global" and (within or balance != "proportional"):
            with monkeypatch.context() as patch:
                patch.setattr("moderate_cli.api.select.open_source", None)  # before any work
                done = moderate(*args, *arrays)
            assert (done.status, done.stdout) == (2, ""), args
            other = f"--strategy {strategy}" if within else f"--balance {balance}"
            assert f"use {other} or --scope global, not both" in done.stderr
            continue
        done = moderate(*args, *arrays)
        assert done.status == 0, (args, done.stderr)
        least = 0 if preset == "released-code" else 1
        left = set(range(82)) - left_out(WAYS[way], preset, least)
        kept = list(map(int, done.stdout.split()))
        assert len(kept) == len(set(kept)) == AMOUNTS[amount](len(left)), args
        assert set(kept) <= left, args
        assert not least or set(LABELS[kept]) == set(range(5)), args


def test_suspects_are_those_that_were_planted():
    found = results.find_suspects(features(), LABELS)
    assert found.most_probable().tolist() == SUSPECTS["auto"]
    assert found.most_probable(Fraction(1, 10)).tolist() == SUSPECTS["0.1"]


def test_images_that_stay_for_their_class_are_counted(arrays, moderate):
    args = ("select", "-r", "1", *arrays)
    done = moderate(*args, "--drop-suspects", "0.1")
    assert without_closing(done.stderr).splitlines() == [
        "moderate: dropped 7 likely label errors; selecting from the remaining 75 images",
        "moderate: did not drop 1 likely label error, so that each class keeps --min-per-class 1:"
        " 4 1",
    ]
    done = moderate(*args, "--dedup", "0.9999", "--min-per-class", "20")
    assert without_closing(done.stderr).splitlines() == [
        "moderate: 5 near duplicates of 5 images",
        "moderate: warning: 2 pairs of near duplicates have different labels, so one label of each"
        " is wrong: 80 and 1, 81 and 0",
        "moderate: did not drop 5 near duplicates, so that each class keeps --min-per-class 20:"
        " 4 2, 0 1, 1 1, 3 1",
    ]
    assert len(done.stdout.split()) == 82
    # Without a floor all of a class may go, and that is said.
    done = moderate(*args, "--drop-suspects", "0.1", "--min-per-class", "0")
    assert without_closing(done.stderr).splitlines() == [
        "moderate: dropped 8 likely label errors; selecting from the remaining 74 images",
        "moderate: warning: 1 class had nothing but likely label errors, so no image is left: 4 2;"
        " --min-per-class 1 keeps one of each",
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


def test_an_evaluation_leaves_out_the_same_images_as_select():
    data = results.LabeledFeatures(features(), LABELS, np.ones(82, dtype=bool))
    pool = Pool(Source((data,)), 0)
    full, most = (
        pool.select(Cell(FULL, "1", dropped, 0), Choice(ratio=1)) for dropped in ("", "0.999")
    )
    # Of each class one image stays: its least suspect one.
    assert np.bincount(LABELS[full]).tolist() == [16, 16, 16, 16, 2]
    assert np.bincount(LABELS[most]).tolist() == [1, 1, 1, 1, 1]
    assert not set(WRONG) & set(most.tolist())


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ("--drop-suspects", "0.1"),
            "suspects: there is only one class, so no label can be wrong",
        ),
        (
            ("--criterion", "margin"),
            "criterion margin compares classes, and there is only one; choose another",
        ),
        (("--count", "6"), "count: 6 is not in [1, 5], the images to select from"),
    ],
)
def test_an_impossible_choice_is_refused_before_images_are_embedded(args, message, data, moderate):
    ratio = () if "--count" in args else ("-r", "0.5")
    done = moderate("select", *ratio, *args, data / "cat", "--store", data.parent / "store")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"moderate: error: {message}"
    assert not (data.parent / "store").exists()
