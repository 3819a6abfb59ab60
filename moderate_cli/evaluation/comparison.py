"""The outcome of an evaluation: a table, advice, and curves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from moderate_cli.charts.curves import Point, curves
from moderate_cli.evaluation.cells import FULL, Cell, Result
from moderate_cli.evaluation.estimates import (
    FEWEST_SEEDS,
    Estimate,
    Line,
    nearest,
    smallest_within,
    summarize,
)
from moderate_cli.exporting.tables import Table
from moderate_cli.selection import Choice, exact
from moderate_cli.text import aligned

if TYPE_CHECKING:
    import altair as alt

HEADER = ("strategy", "label filter", "ratio", "images", "accuracy", "vs random", "worst class")


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

    def __repr__(self) -> str:
        """Return the table that `moderate evaluate` prints, in percent."""
        return aligned(HEADER, [_shown(line) for line in self.lines])

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
        points = f"{100 * within:g}"
        limit = f"{points} {'point' if points == '1' else 'points'} of the full set's accuracy"
        best = smallest_within(self.lines, within)
        if best is not None:
            found = _percent(best.to_full, sign="+")
            return f"{self._options(best.cell)} stays within {limit}: {found}"
        closest = nearest(self.lines)
        if closest is None or math.isnan(closest.to_full.half):
            return f"{FEWEST_SEEDS} seeds are needed to tell which selection stays within {limit}"
        text = f"no selection is reliably within {limit}"
        found = _percent(closest.to_full, sign="+")
        return f"{text}; closest: {closest.cell.name} at {closest.cell.ratio}, {found}"

    def curves(self) -> alt.LayerChart | alt.FacetChart:
        """Return a chart of accuracy against ratio; needs the `report` extra."""
        return curves(self.points)

    @property
    def points(self) -> list[Point]:
        """The points of the curves, in percent."""
        return [_point(line) for line in self.lines]

    def _options(self, cell: Cell) -> str:
        """Return the options of `moderate select` that make the same selection."""
        choice = cell.choice(self.base)
        asked: dict[str, object] = {"ratio": cell.ratio, "strategy": cell.strategy}
        if cell.quantile != "0.5":
            asked["quantile"] = cell.quantile
        if cell.drop_suspects:
            asked["drop-suspects"] = cell.drop_suspects
        for name in ("scope", "criterion", "center", "metric"):
            value = getattr(choice, name)
            if value != getattr(_PLAIN, name):
                asked[name] = value
        if self.base.seed:
            asked["seed"] = self.base.seed
        return " ".join(f"--{name} {value}" for name, value in asked.items())


_PLAIN = Choice(ratio=Fraction(1))


def _shown(line: Line) -> tuple[str, ...]:
    return (
        line.cell.name,
        _label_filter(line.cell),
        line.cell.ratio,
        str(line.images),
        _percent(line.accuracy),
        "" if line.cell.is_baseline else _percent(line.to_random, sign="+"),
        f"{100 * line.worst_class.mean:.1f}",
    )


def _label_filter(cell: Cell) -> str:
    return cell.drop_suspects or "off"


def _percent(estimate: Estimate, sign: str = "") -> str:
    half = "" if math.isnan(estimate.half) else f" ± {100 * estimate.half:.1f}"
    return f"{100 * estimate.mean:{sign}.1f}{half}"


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
