"""Scores, selections, suspects and near duplicates with more threads than processors.

python -m tests.benchmarks cores

One thread per processor is right only if more do no harm, for a container may tell of more
processors than it gives. Seconds are those of all threads together, which other work on the machine
hardly changes: the least of the runs, which take turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import click
import numpy as np

from moderate_cli import find_suspects, score_features, select_scores, threads
from moderate_cli.scoring import CENTERS, centers, of_features
from moderate_cli.selection import STRATEGIES
from moderate_cli.selection.duplicates import find_duplicates
from moderate_cli.selection.strategies import Pick
from tests.benchmarks.page import PAGE, write_option
from tests.benchmarks.peers.data import LARGE, SMALL, Size, draw
from tests.marked import put_row

COUNTS = (2, 4, 8, 16)
LARGE_CLASSES = Size("100 classes of ImageNet's size", 100 * 1281, 100, 1280)
AIM = 1.1


class Taken(NamedTuple):
    """Seconds of all threads together, and by the clock."""

    cpu: float
    wall: float


@click.command()
@click.argument("names", nargs=-1)
@click.option("--runs", default=3, show_default=True, help="Runs on each number of threads.")
@write_option
def main(names: tuple[str, ...], runs: int, write: bool) -> None:
    """Time each computation on 2, 4, 8 and 16 threads, in turn, and print the ratios."""
    print("| what | CPU s, 2 threads | 4 | 8 | 16 | wall s, 2 threads | 16 |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, work in _works():
        if names and not name.replace("`", "").startswith(names):
            continue
        taken = {count: [] for count in COUNTS}
        for _ in range(runs):
            for count, found in taken.items():
                found.append(_time(work, count))
        cpu = {count: min(one.cpu for one in found) for count, found in taken.items()}
        wall = {count: min(one.wall for one in found) for count, found in taken.items()}
        ratios = " | ".join(f"{cpu[count] / cpu[2]:.2f}" for count in COUNTS[1:])
        row = f"| {name} | {cpu[2]:.2f} | {ratios} | {wall[2]:.2f} | {wall[16] / wall[2]:.2f} |"
        print(row, flush=True)
        if write:
            put_row(PAGE, "cores", row)


def _works() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield computations: the quick ones, of which the start of threads is a part, on more data."""
    features, labels = draw(LARGE)
    for center in CENTERS:
        yield (
            f"`center`, {center}",
            lambda center=center: score_features(features, labels, center=center),
        )
    yield from _selections(LARGE, lambda _: True)
    yield from _selections(LARGE_CLASSES, lambda function: not isinstance(function, Pick))
    features, labels = draw(SMALL)
    for criterion in of_features():
        if criterion != "center":
            yield (
                f"`{criterion}`",
                lambda criterion=criterion: score_features(features, labels, criterion=criterion),
            )
    yield "suspects", lambda: find_suspects(features, labels)
    yield "near duplicates", lambda: find_duplicates(features, np.arange(len(labels)), 0.95)


def _selections(
    size: Size, chosen: Callable[[object], bool]
) -> Iterator[tuple[str, Callable[[], object]]]:
    features, labels = draw(size)
    values = np.random.default_rng(0).standard_normal(len(labels))
    where = "" if size is LARGE else f", {size.name}"
    for strategy, entry in STRATEGIES.items():
        if entry.within_classes and chosen(entry.function):
            how = {"strategy": strategy, "criterion": entry.criterion, "features": features}
            yield (
                f"`{strategy}`{where}",
                lambda how=how: select_scores(values, labels, ratio=0.1, **how),
            )


def _time(work: Callable[[], object], count: int) -> Taken:
    for module in (threads, centers):
        module.processors = lambda: count
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Taken(time.process_time() - cpu, time.perf_counter() - wall)
