"""Run the stages that are named, or all, and print their tables."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click

from tests.benchmarks.page import PAGE, write_option
from tests.benchmarks.stages import STAGES, Comparison
from tests.benchmarks.tables.command import main as tables
from tests.marked import parts, put_row


class Times(NamedTuple):
    """Seconds of both ways, of each run, and the most memory that ours took, in MB."""

    ours: list[float]
    baseline: list[float]
    peak: float | None


class Layout(NamedTuple):
    """A table of the results: its name, a row of it, and how many cells name the row."""

    table: str
    row: Callable[[Comparison, Times], str]
    keys: int


@click.command()
@click.argument("stages", nargs=-1, type=click.Choice(list(STAGES)))
@click.option("--runs", default=3, show_default=True, help="Pairs of runs of each stage.")
@click.option("--data", type=click.Path(exists=True), help="Photos for embed, an ImageFolder.")
@write_option
def main(stages: tuple[str, ...], runs: int, data: str | None, write: bool) -> None:
    """Time each stage against its baseline, in turn, and print the ratios."""
    shown = None
    for name in stages or STAGES:
        layout = LAYOUTS.get(name, SPEED)
        if layout is not shown:
            print("\n".join(parts(PAGE.read_text())[layout.table].splitlines()[:2]))
            shown = layout
        with tempfile.TemporaryDirectory() as folder:
            for comparison in STAGES[name](Path(folder), data):
                row = layout.row(comparison, _times(comparison, runs))
                print(row, flush=True)
                if write:
                    put_row(PAGE, layout.table, row, layout.keys)


def _times(comparison: Comparison, runs: int) -> Times:
    if comparison.once:
        runs = 1
    else:
        comparison.ours()  # once to warm up, not counted
        comparison.baseline()
    pairs = [(comparison.ours(), comparison.baseline()) for _ in range(runs)]
    ours, baseline = map(list, zip(*pairs, strict=True))
    return Times(ours, baseline, comparison.peak() if comparison.peak else None)


def _speed(comparison: Comparison, times: Times) -> str:
    ratios = [ours / baseline for ours, baseline in zip(times.ours, times.baseline, strict=True)]
    ours, baseline = statistics.median(times.ours), statistics.median(times.baseline)
    spread = f"{min(ratios):.3f}, {statistics.median(ratios):.3f}, {max(ratios):.3f}"
    peak = "" if times.peak is None else f"{times.peak:.0f} "
    return (
        f"| {comparison.stage} | {comparison.against} | {ours:.3f} | {baseline:.3f}"
        f" | {spread} | {peak}| {comparison.aim}{' ' if comparison.aim else ''}|"
    )


def _full_size(comparison: Comparison, times: Times) -> str:
    ours, baseline = times.ours[0], times.baseline[0]
    return (
        f"| {comparison.stage} | {comparison.against} | {ours:.0f} | {baseline:.0f}"
        f" | {ours / baseline:.2f} | {times.peak:.0f} | {comparison.aim} |"
    )


def _strategies(comparison: Comparison, times: Times) -> str:
    return f"| {comparison.stage} | {times.ours[0]:.0f} | {times.peak:.0f} |"


SPEED = Layout("speed", _speed, 2)
LAYOUTS = {
    "full-size": Layout("full size", _full_size, 1),
    "strategies": Layout("strategies", _strategies, 1),
}


if __name__ == "__main__":
    if sys.argv[1:2] == ["tables"]:  # has options of its own
        tables(sys.argv[2:], prog_name="python -m tests.benchmarks tables")
    else:
        main()
