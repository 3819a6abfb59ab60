"""Run the stages that are named, or all, and print their tables."""

from __future__ import annotations

import importlib
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click

from tests.benchmarks.page import PAGE, write_option
from tests.benchmarks.stages import STAGES, Comparison
from tests.marked import parts, put_row


class Times(NamedTuple):
    """Seconds of both ways, of each run; memory, in MB, and processor seconds of ours."""

    ours: list[float]
    baseline: list[float]
    peak: float | None
    cpu: float | None = None


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
    peak, cpu = (one() if one else None for one in (comparison.peak, comparison.cpu))
    return Times(ours, baseline, peak, cpu)


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
    return f"| {comparison.stage} | {times.ours[0]:.0f} | {times.cpu:.0f} | {times.peak:.0f} |"


SPEED = Layout("speed", _speed, 2)
COMMANDS = {
    "gpu": "tests.benchmarks.gpu.command",
    "tables": "tests.benchmarks.tables.command",
    "cores": "tests.benchmarks.cores",
    "peers": "tests.benchmarks.peers.command",
}
LAYOUTS = {
    "full-size": Layout("full size", _full_size, 1),
    "strategies": Layout("strategies", _strategies, 1),
}


if __name__ == "__main__":
    # Commands with options of their own; imported when they are run, for their imports.
    name = sys.argv[1] if sys.argv[1:2] and sys.argv[1] in COMMANDS else ""
    command = importlib.import_module(COMMANDS[name]).main if name else main
    command(sys.argv[2 if name else 1 :], prog_name=f"python -m tests.benchmarks {name}".rstrip())
