"""The figures of a dataset: means over seeds, differences, intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from moderate_cli.evaluation import FULL, Cell, Result
from moderate_cli.evaluation.estimates import Estimate, estimate
from moderate_cli.exporting import Table
from tests.benchmarks.tables.judges import JUDGES
from tests.benchmarks.tables.measuring import RATIOS, SOUND, Records
from tests.benchmarks.tables.scenarios import SCENARIOS
from tests.benchmarks.tables.ways import RANDOM, RANDOM_IN_CLASS, WAYS

HEADER = (
    "judge", "scenario", "ratio", "way", "seeds", "images", "accuracy", "accuracy_half",
    "worst_class", "to_random", "to_random_half", "to_random_in_class", "to_random_in_class_half",
    "spoiled",
)  # fmt: skip
NONE_SHARED = 0.0  # for `estimate`: pools are drawn anew, and the test set is not held out of them
Results = Mapping[str, Mapping[Cell, Result]]


def figures_of(data: str, folder: Path, seeds: int) -> Table:
    """Return all finished cells of a dataset, as fractions of one.

    Differences are between ways on the same pools: of the seeds that both have.
    """
    records = Records(folder)
    rows = []
    for judge in JUDGES:
        for scenario in SCENARIOS:
            results, sound = (
                {way: records.ledger(way, data, scenario, one).results for way in (FULL, *WAYS)}
                for one in (judge, SOUND)
            )
            for way, ratio in (
                (FULL, "1"), *((way, ratio) for ratio in RATIOS for way in WAYS)
            ):  # fmt: skip
                cells = [Cell(way, ratio, "", seed) for seed in range(seeds)]
                finished = [cell for cell in cells if cell in results[way]]
                if finished:
                    rows.append((judge, scenario, ratio, way, *_row(finished, results, sound[way])))
    return Table(HEADER, rows)


def beside(found: Table, before: Iterable[Mapping[str, str]]) -> Table:
    """Put figures beside those of an earlier table: of the judges that only that one has."""
    measured = {row[0] for row in found.rows}
    others = [tuple(line[name] for name in HEADER) for line in before]
    rows = [*found.rows, *(row for row in others if row[0] not in measured)]
    return Table(HEADER, sorted(rows, key=lambda row: list(JUDGES).index(str(row[0]))))


def _row(
    cells: list[Cell], results: Results, sound: Mapping[Cell, Result]
) -> Iterator[int | float | None]:
    own = results[cells[0].strategy]
    accuracy = estimate([own[cell].accuracy for cell in cells], NONE_SHARED)
    spoiled = [1 - sound[cell].accuracy for cell in cells if cell in sound]
    values = [
        *accuracy,
        sum(own[cell].worst_class for cell in cells) / len(cells),
        *_difference(cells, results, RANDOM),
        *_difference(cells, results, RANDOM_IN_CLASS),
        sum(spoiled) / len(spoiled) if spoiled else math.nan,
    ]
    yield from (len(cells), own[cells[0]].images)
    yield from (None if math.isnan(value) else round(value, 6) for value in values)


def _difference(cells: list[Cell], results: Results, other: str) -> Estimate:
    pairs = [(cell, cell._replace(strategy=other)) for cell in cells]
    found = [
        results[cell.strategy][cell].accuracy - results[other][base].accuracy
        for cell, base in pairs
        if base in results[other]
    ]
    return estimate(found, NONE_SHARED) if found else Estimate(math.nan, math.nan)
