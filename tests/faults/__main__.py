"""Try every fault many times, and print a table of what was lost."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import numpy as np

from tests.marked import parts, put_row

from .damage import damaged, damaged_images
from .scenarios import Bench, changed, killed, raced, starved, unread

# Scenario -> how many times as often as the others it is tried.
SCENARIOS = {
    killed: 1,
    starved: 1,
    unread: 1,
    raced: 1,
    changed: 1,
    damaged: 20,
    damaged_images: 100,
}
PAGE = Path(__file__).with_name("README.md")
NAMES = {scenario.__name__: scenario for scenario in SCENARIOS}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(NAMES)))
@click.option("--times", default=100, show_default=True, help="Trials of each fault.")
@click.option("--seed", default=0, show_default=True, help="Of the random moments.")
@click.option("--write", is_flag=True, help="Write the table to the README beside this file.")
def main(names: tuple[str, ...], times: int, seed: int, write: bool) -> None:
    """Try each fault, and fail at the first loss."""
    print("\n".join(parts(PAGE.read_text())["faults"].splitlines()[:2]))
    for name in names or NAMES:
        with tempfile.TemporaryDirectory() as folder:
            scenario = NAMES[name]
            rng = np.random.default_rng(seed)
            for outcome in scenario(Bench(Path(folder)), times * SCENARIOS[scenario], rng):
                row = f"| {outcome.tried} | {outcome.times} | {outcome.lost} |"
                print(row, flush=True)
                if write:
                    put_row(PAGE, "faults", row)


if __name__ == "__main__":
    main()
