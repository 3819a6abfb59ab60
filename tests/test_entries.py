"""A strategy and a criterion are one entry each: made-up ones are known everywhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LEVELS, paint
from shown import table

ROOT = Path(__file__).parent.parent
# What somebody who adds them would write into the tables, and what uses them.
CODE = """
import contextlib, io, json, sys

import numpy as np

from moderate_cli.scoring.criteria import CRITERIA, Criterion
from moderate_cli.selection.strategies import STRATEGIES, Order, Pick, Strategy


def last(values, k, rng):
    return np.arange(len(values))[::-1]


def darkest(points, k, values):
    return np.argsort(values, kind="stable")[:k]


def level(task):
    return task.features[task.rows].mean(axis=1, dtype=float).round(3)


STRATEGIES["last"] = Strategy("last", "the last images", "tests", "work", Order(last), "Doe, 2026")
STRATEGIES["darkest"] = Strategy("darkest", "dark images", "nights", "", Pick(darkest),
                                 criterion="level")
CRITERIA["level"] = Criterion("level", "mean of the features", "Roe, 2026", level, compares=True)

import moderate_cli
from moderate_cli.cli import _run, cli
from tests.docs.tables import table


def run(*args):
    streams = [io.TextIOWrapper(io.BytesIO()) for _ in "oe"]
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        status = _run(args)
    for stream in streams:
        stream.seek(0)
    return status, streams[0].read(), streams[1].read()


NAMES = ("strategy", "criterion")
commands, kept = json.load(sys.stdin)
found = {name: run(*args) for name, args in commands.items()}
pixels = {"backbone": "pixels", "dtype": "float32", "runtime": "torch"}
chosen = {name: moderate_cli.select("data", ratio=0.5, strategy=name, **pixels) for name in kept}
found["library"] = {name: one.paths for name, one in chosen.items()}
found["criterion"] = chosen["darkest"].scores.criterion
found["tables"] = {name: table(name) for name in ("strategies", "criteria")}
options = cli.get_command(None, "select").params
found["choices"] = {one.name: [*one.type.choices] for one in options if one.name in NAMES}
json.dump(found, sys.stdout)
"""
COMMANDS = {
    "last": ("select", "data", "-r", "0.5", "--strategy", "last"),
    "darkest": ("select", "data", "-r", "0.5", "--strategy", "darkest"),
    "score": ("score", "data", "--criterion", "level"),
    "near": ("select", "data", "-r", "0.5", "--strategy", "lats"),
    "far": ("score", "data", "--criterion", "x"),
    "scope": ("select", "data", "-r", "0.5", "--strategy", "darkest", "--scope", "global"),
    "quantile": ("select", "data", "-r", "0.5", "--strategy", "last", "--quantile", "0.3"),
    "metric": ("score", "data", "--criterion", "level", "--metric", "cosine"),
    "scores": ("select", "--scores", "s.npy", "-r", "0.5", "--strategy", "darkest"),
    "one class": ("score", "data/cat", "--store", "store", "--criterion", "level"),
    "evaluate": ("evaluate", "data", "-r", "0.5", "--strategy", "last,darkest", "--seeds", "1"),
}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Outcomes of commands, and of the library, in a process with both entries."""
    folder = tmp_path_factory.mktemp("entries")
    for name, levels in LEVELS.items():
        for number, gray in enumerate(levels):
            paint(folder / "data" / name / f"{number}.png", gray)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests"))),
        "MODERATE_BACKBONE": "pixels",
        "MODERATE_DTYPE": "float32",
        "MODERATE_RUNTIME": "torch",
        "COLUMNS": "80",
    }
    process = subprocess.run(
        [sys.executable, "-c", CODE], input=json.dumps([COMMANDS, ["last", "darkest"]]),
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def test_an_entry_is_in_the_choices(done):
    assert done["choices"]["strategy"][-2:] == ["last", "darkest"]
    assert done["choices"]["criterion"][-1] == "level"


def test_a_name_that_is_nearly_an_entry_is_recognized(done):
    assert done["near"] == [
        2, "",
        "moderate: error: --strategy: 'lats' is unknown; did you mean last?"
        " `moderate help strategies` lists all (see 'moderate select --help')\n",
    ]  # fmt: skip
    assert done["far"] == [
        2, "",
        "moderate: error: --criterion: 'x' is unknown; choose one of center,"
        " margin, neighbors, el2n, grand, forgetting, aum, prototypes, fitted-el2n, fitted-grand,"
        " fitted-forgetting, fitted-aum, level (see 'moderate score --help')\n",
    ]  # fmt: skip


def test_an_entry_selects_and_scores_in_the_command_line_and_in_python(done):
    # Of each class its share: the last ones, or the darkest.
    last = ["cat/3.png", "cat/4.png", "dog/1.png", "owl/0.png"]
    darkest = ["cat/0.png", "cat/1.png", "dog/0.png", "owl/0.png"]
    for name, paths in (("last", last), ("darkest", darkest)):
        told = f"Kept 4 of 8 images in 3 classes (50 % of the 8; 0 dropped first) with {name}"
        assert done[name] == [0, "".join(f"{path}\n" for path in paths), f"moderate: {told}\n"]
    assert done["library"] == {"last": last, "darkest": darkest}
    assert done["criterion"] == "level"
    status, lines, _ = done["score"]
    assert (status, lines.splitlines()[:2]) == (0, ["0\tcat/0.png", "0.2\tcat/1.png"])


def test_refusals_follow_from_an_entry(done):
    told = {name: done[name][2] for name in ("scope", "quantile", "metric", "scores", "one class")}
    advice = {name: f" (see 'moderate {name} --help')" for name in ("select", "score")}
    assert {name: text.splitlines()[-1] for name, text in told.items()} == {
        "scope": "moderate: error: use --strategy darkest or --scope global, not both"
        + advice["select"],
        "quantile": "moderate: error: use --strategy last or --quantile 0.3, not both"
        + advice["select"],
        "metric": "moderate: error: use --criterion level or --metric, not both" + advice["score"],
        "scores": "moderate: error: --strategy darkest needs features, not --scores"
        + advice["select"],
        "one class": "moderate: error: criterion level compares classes, and there is only one;"
        " choose another",
    }
    assert {done[name][0] for name in told} == {2}


def test_an_entry_can_be_evaluated(done):
    status, text, stderr = done["evaluate"]
    assert status == 0, stderr
    assert [row[0] for row in table(text) if row[1] == "0.5"] == [
        "last", "darkest", "adaptive", "random"
    ]  # fmt: skip


def test_an_entry_is_in_the_tables_of_the_documentation(done):
    strategies = done["tables"]["strategies"]
    assert (
        "- **`last`**: the last images (Doe, 2026)\n  - For: tests.\n  - Not for: work.\n"
        "- **`darkest`**: dark images\n  - For: nights.\n"
    ) in strategies
    assert done["tables"]["criteria"].endswith(
        "\n- **`level`**: mean of the features (Roe, 2026)\n"
    )
