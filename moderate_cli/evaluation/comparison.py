"""The outcome of an evaluation: a table, advice, and curves."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from moderate_cli.charts.curves import Point, curves
from moderate_cli.evaluation.about import About
from moderate_cli.evaluation.cells import FULL, Cell, Result
from moderate_cli.evaluation.estimates import (
    FEWEST_SEEDS,
    PAIRED,
    Estimate,
    Line,
    nearest,
    smallest_within,
    summarize,
)
from moderate_cli.evaluation.verdict import Pick, in_points, picks, say_picks, to_paste
from moderate_cli.exporting.html import html_table
from moderate_cli.exporting.tables import Table
from moderate_cli.selection import Choice, exact
from moderate_cli.text import aligned, counted, named

if TYPE_CHECKING:
    import altair as alt

FILTER = "label filter"
HEADER = ("strategy", FILTER, "ratio", "images", "accuracy", "vs random", "worst class", "")
WIDTH = 80  # of the verdict


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Accuracies of classifiers, one trained on each selection.

    Attributes
    ----------
    results
        The accuracy of each selection, for each seed.
    base
        The options that all selections share.
    held_out
        Whether the test images were held out of the data; it decides what an interval is about
        (`moderate_cli.evaluation.estimates`).
    about
        What it is about, for readers.

    Examples
    --------
    >>> results = {Cell(FULL, "1", "", 0): Result(8, 0.5, 0.5)}
    >>> results[Cell("random", "0.5", "", 0)] = Result(4, 0.25, 0.0)
    >>> Comparison(results, Choice(ratio=1)).table().rows[1][:4]
    ('random', '', '0.5', 4)
    """

    results: Mapping[Cell, Result]
    base: Choice
    held_out: bool = False
    about: About | None = None

    def __repr__(self) -> str:
        """Return the text that `moderate evaluate` prints: a table in percent, and a verdict."""
        return self.text()

    def text(self, *, with_command: bool = True) -> str:
        """Return header, table and verdict, and the command that makes the selection to take."""
        about = named(self.about.facts()) if self.about else ""
        verdict = textwrap.fill(f"Verdict: {self.verdict}.", WIDTH, break_on_hyphens=False)
        command = f"  {self.command}\n" if with_command and self.command else ""
        return f"{about}\n{self.shown()}\n{verdict}\n{command}".lstrip("\n")

    def shown(self) -> str:
        """Return the table in percent; marks the rows to take."""
        marked = [pick.line for pick in self.picks]
        rows = [(*_shown(line), "take" * (line in marked)) for line in self.lines]
        filtered = any(line.cell.drop_suspects for line in self.lines)
        columns = [at for at, name in enumerate(HEADER) if filtered or name != FILTER]
        header, *rows = [tuple(row[at] for at in columns) for row in (HEADER, *rows)]
        return aligned(header, rows)

    @cached_property
    def picks(self) -> list[Pick]:
        """The selection to take at each ratio."""
        paired = PAIRED if self.held_out else 0.0
        unknown = not math.isnan(self._head_accuracy)
        return list(picks(self.results, self.lines, paired, hardly_known=unknown))

    @property
    def verdict(self) -> str:
        """Which selection to take, by how much it is ahead, and how sure that is."""
        if not self.picks:
            return "only the full set was judged"
        fit = self.about is not None and self.about.fit
        return say_picks(self.picks, self._head_accuracy, fit=fit)

    @property
    def _head_accuracy(self) -> float:
        return math.nan if self.about is None else self.about.head_accuracy

    @property
    def command(self) -> str:
        """The command that makes the selection to take; "" if nothing names the data."""
        return self._command(to_paste(self.picks).line.cell) if self.picks else ""

    def _command(self, cell: Cell) -> str:
        if self.about is None:
            return ""
        return self.about.command(replace(cell.choice(self.base), seed=self.base.seed))

    def _repr_html_(self) -> str:
        """Return the same table for a notebook."""
        seeds = counted(len({cell.seed for cell in self.results}), "seed")
        return html_table(
            f"Accuracy in percent, {seeds}", Table(HEADER, [_shown(line) for line in self.lines])
        )

    @cached_property
    def lines(self) -> list[Line]:
        """Means over seeds of each selection, with 95 % intervals if there are seeds enough."""
        return summarize(self.results, held_out=self.held_out)

    def table(self) -> Table:
        """Return all figures, as fractions of one; None where there is no interval."""
        header = ["strategy", "drop_suspects", "ratio", "images"]
        for name in ("accuracy", "worst_class", "to_random", "to_full"):
            header += [name, f"{name}_half"]
        rows = []
        for line in self.lines:
            cell = line.cell
            figures = (line.accuracy, line.worst_class, line.to_random, line.to_full)
            values = [None if math.isnan(v) else round(v, 6) for found in figures for v in found]
            rows.append((cell.name, cell.drop_suspects, cell.ratio, line.images, *values))
        return Table(tuple(header), rows)

    def advice(self, within: float) -> str:
        """Name the smallest selection whose accuracy is reliably near that of the full set.

        Parameters
        ----------
        within
            Largest loss of accuracy, as a fraction: 0.01 is one point.
        """
        amount = f"{100 * within:g}"
        limit = f"{amount} {'point' if amount == '1' else 'points'} of the full set's accuracy"
        best = smallest_within(self.lines, within)
        if best is not None:
            name, command = best.cell.name, self._command(best.cell)
            then = f"; to make it: {command}" if command else ""
            return (
                f"{name} at {best.cell.ratio} stays within {limit}: {in_points(best.to_full)}{then}"
            )
        closest = nearest(self.lines)
        if closest is None or math.isnan(closest.to_full.half):
            return f"{FEWEST_SEEDS} seeds are needed to tell which selection stays within {limit}"
        name, ratio = closest.cell.name, closest.cell.ratio
        seeds = 2 * len({cell.seed for cell in self.results})
        return (
            f"no selection is reliably within {limit}; closest: {name} at {ratio},"
            f" {in_points(closest.to_full)}; try larger ratios, or --seeds {seeds}"
        )

    def chart(self) -> alt.LayerChart | alt.FacetChart:
        """Return a chart of accuracy against ratio; needs the `report` extra."""
        return curves(self.points, self.subtitle)

    @property
    def subtitle(self) -> list[str]:
        """What a reader of a chart should know: the data, the judge, the test images."""
        if self.about is None:
            return []
        return [fact for _, fact in self.about.facts()]

    @property
    def points(self) -> list[Point]:
        """The points of the curves, in percent."""
        return [_point(line) for line in self.lines]


def _shown(line: Line) -> tuple[str, ...]:
    return (
        line.cell.name,
        _label_filter(line.cell),
        line.cell.ratio,
        str(line.images),
        _percent(line.accuracy),
        "" if line.cell.is_baseline else in_points(line.to_random),
        f"{100 * line.worst_class.mean:.1f}",
    )


def _label_filter(cell: Cell) -> str:
    return cell.drop_suspects or "off"


def _percent(estimate: Estimate) -> str:
    half = "" if math.isnan(estimate.half) else f" ± {100 * estimate.half:.1f}"
    return f"{100 * estimate.mean:.1f}{half}"


def _point(line: Line) -> Point:
    mean, half = (100 * value for value in line.accuracy)
    return Point(
        line.cell.name,
        _label_filter(line.cell),
        float(exact(line.cell.ratio)),
        line.images,
        round(mean, 3),
        0.0 if math.isnan(half) else round(half, 3),
        full=line.cell.strategy == FULL,
    )
