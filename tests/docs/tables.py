"""Tables of the documentation, made from the code and from the results."""

from __future__ import annotations

import textwrap
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from moderate_cli.cli.help import pages
from moderate_cli.dataset.image_formats import HEIF_EXTENSIONS, IMAGE_EXTENSIONS, MORE_EXTENSIONS
from moderate_cli.scoring import CRITERIA
from moderate_cli.selection import STRATEGIES
from tests.benchmarks.tables.judges import HEAD, PATCHES
from tests.benchmarks.tables.pages import RESULTS, in_short
from tests.marked import parts

ROOT = Path(__file__).parents[2]
WIDTH = 80  # columns of a terminal, where `moderate help` shows pages as they are

HEADER = ("way to select", "mean", "lowest", "ahead / behind")  # of a summary
MEASURED = {
    "adaptive": "**`--strategy adaptive`**",
    "matching": "`--strategy matching`",
    "random in each class": "`--strategy random`",
    "moderate in each class": "the default",
    "moderate": "the paper's window, `--scope global`",
}
SUBSETS = ("5 x 20", "20 x 20", "20 x 100", "100 x 20", "100 x 100")  # of label errors


def table(name: str) -> str:
    """Return a table by the name that its marker has."""
    return "".join(f"{line}\n" for line in TABLES[name]())


def _strategies() -> Iterator[str]:
    for one in STRATEGIES.values():
        yield from _item(f"- **`{one.name}`**: {_cited(one.keeps, one.source)}", "  ")
        yield from _item(f"  - For: {one.for_}.", "    ")
        if one.not_for:
            yield from _item(f"  - Not for: {one.not_for}.", "    ")


def _criteria() -> Iterator[str]:
    for one in CRITERIA.values():
        yield from _item(f"- **`{one.name}`**: {_cited(one.measures, one.source)}", "  ")


def _cited(text: str, source: str) -> str:
    return f"{text} ({source})" if source else text


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


def _summary(judge: str) -> Iterator[str]:
    rows = [(way, *cells) for way, cells in in_short(judge).items()]
    yield from _aligned([HEADER, *rows]) if rows else ["Not measured yet."]


def _measured() -> Iterator[str]:
    """Mean and lowest difference to random selection, of both judges."""
    head, scratch = in_short(HEAD), in_short(PATCHES)
    yield "| points of accuracy to random selection | linear probe | learner from scratch |"
    yield "| --- | ---: | ---: |"
    for way, options in MEASURED.items():
        cells = (f"{mean}, lowest {lowest}" for mean, lowest, _ in (head[way], scratch[way]))
        yield f"| {options} | {' | '.join(cells)} |"


def _label_errors() -> Iterator[str]:
    """F1 of confident learning / of suspects; flagged percent, where labels are clean."""
    page = parts((RESULTS / "README.md").read_text())
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for line in page["suspects"].splitlines()[2:]:
        kind, size, noise, *rest = (cell.strip() for cell in line.strip("|").split("|"))
        if kind == "strong" and size in SUBSETS:
            at, unit = (0, 100) if noise == "clean" else (3, 1)
            both = (unit * float(rest[place].split()[0]) for place in (at, at + 4))
            words = " / ".join(f"{value:.1f} %" if unit > 1 else f"{value:.2f}" for value in both)
            found[noise][size] = words
    header = ("wrong labels", *SUBSETS)
    yield from _aligned([header, *((noise, *row.values()) for noise, row in found.items())])


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
    "formats": _formats,
    "presets": _presets,
    "topics": _topics,
    "measured": _measured,
    "summary, head": partial(_summary, HEAD),
    "summary, patches": partial(_summary, PATCHES),
    "label errors": _label_errors,
}
