"""The command that measures the tables."""

from __future__ import annotations

from pathlib import Path

import click

from moderate_cli.evaluation.recipe import SMALL
from moderate_cli.exporting import write_table
from moderate_cli.networks.table import BACKBONES, DEFAULT_BACKBONE
from tests.benchmarks.page import PAGE, write_option
from tests.benchmarks.tables.data import Data
from tests.benchmarks.tables.figures import beside, figures_of
from tests.benchmarks.tables.judges import HEAD, JUDGES, NETWORK, PATCHES
from tests.benchmarks.tables.kinds import KINDS
from tests.benchmarks.tables.measuring import run_all, run_for, tasks_of
from tests.benchmarks.tables.pages import RESULTS, TABLES, in_short, lines_of, shown
from tests.benchmarks.tables.scenarios import SCENARIOS
from tests.marked import fill

_folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("tables")
@click.option("--cifar100", type=_folder, help="CIFAR-100: ImageFolders train and test.")
@click.option("--fashion", type=_folder, help="Fashion-MNIST: ImageFolders train and test.")
@click.option("--clothing", type=_folder, help="Photos of clothing: ImageFolders train and test.")
@click.option("--work", type=click.Path(path_type=Path), default="tables", show_default=True,
              help="Folder of features and finished cells.")  # fmt: skip
@click.option("--backbone", type=click.Choice(list(BACKBONES)), default=DEFAULT_BACKBONE,
              show_default=True, metavar="NAME")  # fmt: skip
@click.option("--learner", "learners", type=click.Choice([HEAD, PATCHES, NETWORK]), multiple=True,
              default=(HEAD, PATCHES), show_default=True,
              help="Judge of the selections; repeat for several.")  # fmt: skip
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True,
              help="Processes, of one thread each.")  # fmt: skip
@click.option("--gpu-minutes", type=click.FloatRange(0, min_open=True), metavar="N",
              help="Train ResNet-18 on a GPU for N minutes; a later run goes on.")  # fmt: skip
@click.option("--finished", is_flag=True, help="Measure nothing; show the finished cells.")
@write_option
def main(
    work: Path,
    backbone: str,
    learners: tuple[str, ...],
    seeds: int,
    jobs: int,
    gpu_minutes: float | None,
    finished: bool,
    write: bool,
    **folders: Path | None,
) -> None:
    """Measure the tables, cell by cell, and print their summary.

    A dataset that is not named is left out; if none is named, those of the last run are taken.
    """
    every = _datasets(folders, work, backbone)
    if not every:
        raise click.UsageError("name a dataset: --cifar100, --fashion or --clothing")
    judges = ["resnet18"] if gpu_minutes else [SMALL if one == NETWORK else one for one in learners]
    tasks = list(tasks_of(every, judges, seeds))
    if gpu_minutes and not finished:
        run_for(tasks, work / "ways", gpu_minutes)
    elif not finished:
        for data, part in dict.fromkeys((one.data, SCENARIOS[one.scenario].part) for one in tasks):
            _prepare(data, part, judges)  # before several processes need it
        run_all(tasks, work / "ways", jobs)
    _write(every, work, seeds, write=write)


def _datasets(folders: dict[str, Path | None], work: Path, backbone: str) -> list[Data]:
    """Return the named datasets, and remember where they are."""
    for name, folder in folders.items():
        if folder is not None:
            (work / name).mkdir(parents=True, exist_ok=True)
            link = work / name / "data"
            link.unlink(missing_ok=True)
            link.symlink_to(folder.absolute())
    return [
        Data(name, (work / name / "data").resolve(), work / name, backbone)
        for name in KINDS
        if (folders[name] or not any(folders.values())) and (work / name / "data").exists()
    ]


def _prepare(data: Data, drawn_from: str, judges: list[str]) -> None:
    for part in (drawn_from, "test"):
        data.features(part)
        if PATCHES in judges:
            data.encoded(part)


def _write(every: list[Data], work: Path, seeds: int, *, write: bool) -> None:
    """Write figures and tables, and print what they say in short; other judges' figures stay."""
    folder = RESULTS if write else work
    for one in every:
        found = figures_of(one.name, work / "ways", seeds)
        write_table(folder / f"{one.name}.csv", beside(found, lines_of(one.name, folder)))
    for name, (data, judge) in TABLES.items() if write else ():
        fill(PAGE, name, f"{shown(data, judge)}\n")
    for judge in JUDGES:
        ways = in_short(judge, folder)
        if ways:
            print(f"\n{judge}: {JUDGES[judge]}; points to random: mean, lowest, ahead / behind")
        for way, (mean, lowest, sure) in ways.items():
            print(f"{way:40} {mean:>6} {lowest:>6}  {sure}")
