"""Run the cells that are missing, and keep each as soon as it is finished."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import NamedTuple

from moderate_cli.evaluation import FULL, Cell
from moderate_cli.evaluation.ledger import Ledger
from tests.benchmarks.tables.data import Data
from tests.benchmarks.tables.judges import (
    NETWORK_DATA,
    NETWORK_RATIOS,
    NETWORK_SCENARIOS,
    RECIPES,
)
from tests.benchmarks.tables.problem import Problem
from tests.benchmarks.tables.scenarios import SCENARIOS
from tests.benchmarks.tables.ways import WAYS

RATIOS = ("0.05", "0.1", "0.2", "0.3", "0.5", "0.7")
SOUND = "sound"  # the share of images that are not spoiled, kept as the judges' results are


class Task(NamedTuple):
    """The cells of one dataset, scenario and seed."""

    data: Data
    scenario: str
    seed: int
    judges: tuple[str, ...]


class Records:
    """Results of all cells, in a folder with a folder for each way.

    Parameters
    ----------
    folder
        The folder; `folder / way / cells.jsonl` has the results, other files the selections.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, way: str) -> Path:
        """Return the folder of a way."""
        return self._folder / way.replace(" ", "-")

    def ledger(self, way: str, data: str, scenario: str, judge: str) -> Ledger:
        """Open the results of a way."""
        context: dict[str, object] = {"data": data, "scenario": scenario, "judge": judge}
        if judge in RECIPES:
            context["with"] = RECIPES[judge].changes
        return Ledger(self.of(way) / "cells.jsonl", context)


def tasks_of(every: Sequence[Data], judges: Sequence[str], seeds: int) -> Iterator[Task]:
    """Yield tasks: all datasets and scenarios of a seed, then the next seed."""
    for seed in range(seeds):
        for scenario in SCENARIOS:
            for data in every:
                wanted = [one for one in judges if cells_of(data.name, scenario, one, seed)]
                if wanted:
                    yield Task(data, scenario, seed, tuple(wanted))


def cells_of(data: str, scenario: str, judge: str, seed: int) -> list[Cell]:
    """List the cells of a judge; the strategy of a cell is a way."""
    ratios = RATIOS
    if judge in RECIPES:
        chosen = data in NETWORK_DATA and scenario in NETWORK_SCENARIOS
        ratios = NETWORK_RATIOS if chosen else ()
    cells = [Cell(way, ratio, "", seed) for ratio in ratios for way in WAYS]
    return [Cell(FULL, "1", "", seed), *cells] if cells else []


def run(task: Task, folder: Path, until: float = float("inf")) -> int:
    """Run the missing cells of a task until a time of the monotonic clock; return their number."""
    data, scenario, seed, judges = task
    records, problem, done = Records(folder), None, 0
    ledgers = {
        (way, judge): records.ledger(way, data.name, scenario, judge)
        for way in (FULL, *WAYS)
        for judge in (*judges, SOUND)
    }
    wanted = {judge: cells_of(data.name, scenario, judge, seed) for judge in judges}
    for cell in dict.fromkeys(cell for cells in wanted.values() for cell in cells):
        missing = [
            judge
            for judge in judges
            if cell in wanted[judge] and cell not in ledgers[cell.strategy, judge].results
        ]
        if not missing:
            continue
        if time.monotonic() > until:
            break
        problem = problem or Problem(data, scenario, seed)
        kept = problem.select(cell, records.of(cell.strategy))
        records.of(cell.strategy).mkdir(parents=True, exist_ok=True)
        for judge in missing:
            ledgers[cell.strategy, judge].add(cell, problem.judge(judge, kept))
            done += 1
        if cell not in ledgers[cell.strategy, SOUND].results:
            ledgers[cell.strategy, SOUND].add(cell, problem.sound(kept))
    return done


def run_all(tasks: Sequence[Task], folder: Path, jobs: int) -> None:
    """Run tasks in several processes of one thread each, and tell of each that is finished."""
    os.environ["OMP_NUM_THREADS"] = "1"  # for the libraries of the processes that follow
    with ProcessPoolExecutor(jobs, get_context("spawn"), _begin) as pool:
        begin = time.monotonic()
        running = {pool.submit(run, task, folder): task for task in tasks}
        try:
            for done in as_completed(running):
                if cells := done.result():
                    tell(running[done], cells, begin)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def run_for(tasks: Sequence[Task], folder: Path, minutes: float) -> None:
    """Run tasks in this process until the time is over."""
    begin = time.monotonic()
    for task in tasks:
        if cells := run(task, folder, begin + 60 * minutes):
            tell(task, cells, begin)


def tell(task: Task, cells: int, begin: float) -> None:
    """Print that a task is finished."""
    minutes = (time.monotonic() - begin) / 60
    name = f"{task.data.name}, {task.scenario}, seed {task.seed}"
    print(f"{minutes:6.1f} min: {name}: {cells} cells", flush=True)


def _begin() -> None:
    """Prepare a process: one thread computes, one ends it if the command is killed."""
    import torch

    torch.set_num_threads(1)
    end_with_parent()


def end_with_parent() -> None:
    """End this process when the command that started it is killed."""

    def wait() -> None:
        parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
