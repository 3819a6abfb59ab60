"""Run the stages that are named, or all, and print one table."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import click

from tests.benchmarks.stages import STAGES, Comparison

HEADER = (
    "| stage | baseline | ours, s | baseline, s | ours / baseline: min, median, max | peak, MB"
    " | aim: at most |"
)


@click.command()
@click.argument("stages", nargs=-1, type=click.Choice(list(STAGES)))
@click.option("--runs", default=3, show_default=True, help="Pairs of runs of each stage.")
@click.option("--data", type=click.Path(exists=True), help="Photos for embed, an ImageFolder.")
def main(stages: tuple[str, ...], runs: int, data: str | None) -> None:
    """Time each stage against its baseline, in turn, and print the ratios."""
    print(HEADER)
    print("| --- | --- | ---: | ---: | --- | ---: | --- |")
    for name in stages or STAGES:
        with tempfile.TemporaryDirectory() as folder:
            for comparison in STAGES[name](Path(folder), data):
                print(_row(comparison, runs), flush=True)


def _row(comparison: Comparison, runs: int) -> str:
    if comparison.once:
        runs = 1
    else:
        comparison.ours()  # once to warm up, not counted
        comparison.baseline()
    pairs = [(comparison.ours(), comparison.baseline()) for _ in range(runs)]
    ratios = [ours / baseline for ours, baseline in pairs]
    ours, baseline = (statistics.median(column) for column in zip(*pairs, strict=True))
    spread = f"{min(ratios):.3f}, {statistics.median(ratios):.3f}, {max(ratios):.3f}"
    peak = f"{comparison.peak():.0f}" if comparison.peak else ""
    return (
        f"| {comparison.stage} | {comparison.against} | {ours:.3f} | {baseline:.3f}"
        f" | {spread} | {peak} | {comparison.aim} |"
    )


if __name__ == "__main__":
    main()
