"""Tables of the documentation, made from the code and from the results."""

from __future__ import annotations

import csv
import textwrap
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from moderate_cli.cli.help import pages
from moderate_cli.dataset.image_formats import HEIF_EXTENSIONS, IMAGE_EXTENSIONS, MORE_EXTENSIONS
from moderate_cli.networks.table import BACKBONES
from moderate_cli.scoring import CRITERIA
from moderate_cli.selection import AUTO, STRATEGIES
from moderate_cli.selection.strategies import AUTO_FOR, AUTO_KEEPS, AUTO_NOT
from tests.marked import parts

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "tests" / "benchmarks" / "results"
WIDTH = 80  # columns of a terminal, where `moderate help` shows pages as they are

COLUMNS = ("fashion-mnist-60000", "fashion-mnist", "clothing")  # of the summary
HEADER = ("strategy", "network, 60,000", "network, 6,000", "probe, 3,068")


def table(name: str) -> str:
    """Return a table by the name that its marker has."""
    return "".join(f"{line}\n" for line in TABLES[name]())


def _strategies() -> Iterator[str]:
    entries = [
        (one.name, one.keeps, one.source, one.for_, one.not_for) for one in STRATEGIES.values()
    ]
    for name, keeps, source, good, bad in [*entries, (AUTO, AUTO_KEEPS, "", AUTO_FOR, AUTO_NOT)]:
        yield from _item(f"- **`{name}`**: {_cited(keeps, source)}", "  ")
        yield from _item(f"  - For: {good}.", "    ")
        if bad:
            yield from _item(f"  - Not for: {bad}.", "    ")


def _criteria() -> Iterator[str]:
    for one in CRITERIA.values():
        yield from _item(f"- **`{one.name}`**: {_cited(one.measures, one.source)}", "  ")


def _cited(text: str, source: str) -> str:
    return f"{text} ({source})" if source else text


def _backbones() -> Iterator[str]:
    yield "```text"
    yield from textwrap.wrap(" ".join(BACKBONES), WIDTH)
    yield "```"


def _formats() -> Iterator[str]:
    for title, suffixes in (
        ("Read as ImageFolder reads them", IMAGE_EXTENSIONS),
        ("Read by `moderate` only; of several frames the first", MORE_EXTENSIONS),
        ("With `pip install '.[heif]'`, otherwise counted", HEIF_EXTENSIONS),
    ):
        yield from _item(f"- {title}: `{' '.join(suffixes)}`", "  ")


def _presets() -> Iterator[str]:
    for path in sorted((ROOT / "configs").glob("*.toml")):
        text = path.read_text()
        about = " ".join(line[2:] for line in text.splitlines() if line.startswith("# "))
        options = ", ".join(f"{key} {value}" for key, value in tomllib.loads(text).items())
        yield from _item(f"- **`{path.stem}`**: {about}", "  ")
        yield from _item(f"  - Sets: {options}.", "    ")


def _topics() -> Iterator[str]:
    for name, about in pages().items():
        yield f"- [`moderate help {name}`](moderate_cli/docs/{name}.md): {about}"


def _summary() -> Iterator[str]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for column in COLUMNS:
        for way, differences in differences_to_random(column).items():
            found[way][column] = in_short(differences)
    rows = [(way, *(cells.get(column, "") for column in COLUMNS)) for way, cells in found.items()]
    yield from _aligned([HEADER, *sorted(rows, key=lambda row: row[1] == "")])


def differences_to_random(name: str) -> dict[str, list[tuple[float, float]]]:
    """Return, of each way to select, the differences of accuracy, and half of their intervals."""
    with (RESULTS / f"{name}.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["ratio"] != "1"]
    found = defaultdict(list)
    for row in rows:
        way = row["strategy"] + (", suspects dropped" if row["drop_suspects"] else "")
        if way != "random":
            found[way].append((float(row["to_random"]), float(row["to_random_half"])))
    return found


def in_short(differences: list[tuple[float, float]]) -> str:
    """Return the mean in points, and how often it is ahead and behind beyond the interval.

    >>> in_short([(0.03, 0.01), (-0.01, 0.02), (0.04, 0.01)])
    '+2.0 (2 / 0)'
    """
    mean = sum(mean for mean, _ in differences) / len(differences)
    ahead = sum(mean > half for mean, half in differences)
    behind = sum(mean < -half for mean, half in differences)
    return f"{100 * mean:+.1f} ({ahead} / {behind})"


def _label_errors() -> Iterator[str]:
    page = parts((RESULTS / "README.md").read_text())
    rows = []
    for data in ("clothing", "Fashion-MNIST"):
        for line in page[f"suspects: {data}"].splitlines()[2:]:
            noise, way, _, precision, recall, *_ = (cell.strip() for cell in line.split("|")[1:])
            if precision:
                figures = (float(cell.split()[0]) for cell in (precision, recall))
                rows.append((data, noise, way, " / ".join(f"{value:.2f}" for value in figures)))
    ways = dict.fromkeys(way for _, _, way, _ in rows)
    cells: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for data, noise, way, figures in rows:
        cells[data, noise][way] = figures
    yield from _aligned(
        [("data", "wrong labels", *ways), *((*key, *row.values()) for key, row in cells.items())]
    )


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a table whose columns have one width each."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = tuple("-" * width for width in widths)
    for row in (rows[0], rule, *rows[1:]):
        yield f"| {' | '.join(map(str.ljust, row, widths))} |"


def _item(text: str, indent: str) -> Iterable[str]:
    """Wrap an item of a list."""
    return textwrap.wrap(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


TABLES = {
    "strategies": _strategies,
    "criteria": _criteria,
    "backbones": _backbones,
    "formats": _formats,
    "presets": _presets,
    "topics": _topics,
    "summary": _summary,
    "label errors": _label_errors,
}
