"""The tables as text, from the figures in the folder of results."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

from moderate_cli.evaluation import FULL
from tests.benchmarks.page import PAGE
from tests.benchmarks.tables.judges import JUDGES, NETWORK_DATA, RECIPES
from tests.benchmarks.tables.kinds import KINDS
from tests.benchmarks.tables.scenarios import SCENARIOS
from tests.benchmarks.tables.ways import RANDOM

RESULTS = PAGE.parent
# Tables of the page of results: name, and dataset and judge.
TABLES = {
    f"{data}: {judge}": (data, judge)
    for data in KINDS
    for judge in JUDGES
    if judge not in RECIPES or data in NETWORK_DATA
}
Line = dict[str, str]


def shown(data: str, judge: str, folder: Path = RESULTS) -> str:
    """Return the tables of a dataset and judge: differences to random selection.

    One table a scenario, in points of accuracy; bold where the 95 % interval excludes zero.
    """
    lines = [line for line in lines_of(data, folder) if line["judge"] == judge]
    tables = [
        _table(SCENARIOS[scenario].title, list(group))
        for scenario, group in itertools.groupby(lines, key=lambda line: line["scenario"])
    ]
    return "\n\n".join(tables) or "Not measured yet."


def lines_of(data: str, folder: Path = RESULTS) -> list[Line]:
    """Read the figures of a dataset; none if it was not measured."""
    path = folder / f"{data}.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def in_short(judge: str, folder: Path = RESULTS) -> dict[str, tuple[str, str, str]]:
    """Return, of each way, mean and lowest difference to random in points, and how often it is
    ahead / behind beyond the interval; over all cells of all datasets.
    """
    ways: dict[str, list[Line]] = {}
    for data in KINDS:
        for line in lines_of(data, folder):
            if line["judge"] == judge and line["way"] not in (FULL, RANDOM) and line["to_random"]:
                ways.setdefault(line["way"], []).append(line)
    return {way: _summary(lines) for way, lines in ways.items()}


def _summary(lines: list[Line]) -> tuple[str, str, str]:
    found = [float(line["to_random"]) for line in lines]
    sure = [value for line, value in zip(lines, found, strict=True) if _is_sure(line)]
    ahead = sum(value > 0 for value in sure)
    mean, lowest = sum(found) / len(found), min(found)
    counts = (
        f"{ahead} / {len(sure) - ahead}" if any(line["to_random_half"] for line in lines) else ""
    )
    return f"{100 * mean:+.1f}", f"{100 * lowest:+.1f}", counts


def _table(title: str, lines: list[Line]) -> str:
    ratios = list(dict.fromkeys(line["ratio"] for line in lines if line["way"] != FULL))
    ways: dict[str, dict[str, Line]] = {}
    for line in lines:
        ways.setdefault(line["way"], {})[line["ratio"]] = line
    full, random = ways.pop(FULL, {}), ways.pop(RANDOM, {})
    with_all = f", of {_accuracy(full['1'])} with all" if full else ""
    rows = [
        f"{title}, kept | {' | '.join(ratios)}",
        f"---{' | ---:' * len(ratios)}",
        _row(f"random{with_all}", [_accuracy(random.get(ratio)) for ratio in ratios]),
        *(_row(way, [_difference(at.get(ratio)) for ratio in ratios]) for way, at in ways.items()),
    ]
    return "\n".join(f"| {row} |" for row in rows)


def _row(name: str, cells: list[str]) -> str:
    return " | ".join([name, *cells])


def _accuracy(line: Line | None) -> str:
    return f"{100 * float(line['accuracy']):.1f}" if line else ""


def _difference(line: Line | None) -> str:
    if line is None or not line["to_random"]:
        return ""
    points = f"{100 * float(line['to_random']):+.1f}"
    return f"**{points}**" if _is_sure(line) else points


def _is_sure(line: Line) -> bool:
    """Whether the interval of the difference excludes zero; there is none for few seeds."""
    half = line["to_random_half"]
    return half != "" and abs(float(line["to_random"])) > float(half)
