"""Accuracy against ratio as a picture, one line per strategy."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from moderate_cli.charts.drawing import COLORS, MARKS, REFERENCE, check_drawable, draw
from moderate_cli.evaluation import FULL
from moderate_cli.evaluation.summary import Line
from moderate_cli.selection import exact

if TYPE_CHECKING:
    import altair as alt

WIDTH, HEIGHT = 480, 320


def draw_curves(destination: str | os.PathLike[str], lines: Sequence[Line]) -> None:
    """Write a .png or .svg picture of what `summarize` found.

    Raises
    ------
    OutputError
        If libraries are missing, or the file cannot be written.
    """
    check_drawable(destination)
    draw(destination, curves(lines).properties(width=WIDTH, height=HEIGHT))


def curves(lines: Sequence[Line]) -> alt.LayerChart | alt.FacetChart:
    """Return the chart of what `summarize` found.

    Whiskers are 95 % intervals over seeds; broken lines stand for suspects left out; the horizontal
    line is the full set.
    """
    # It takes half a second to load.
    import altair as alt

    points = [_point(line) for line in lines if line.cell.strategy != FULL]
    full = [_point(line) for line in lines if line.cell.strategy == FULL]
    _set_side_by_side(points)
    names = list(dict.fromkeys(point["strategy"] for point in points))
    colors = [COLORS[number % len(COLORS)] for number in range(len(names))]
    marks = [MARKS[number % len(MARKS)] for number in range(len(names))]
    both = len({point["suspects"] for point in points}) > 1
    base = alt.Chart(alt.InlineData(values=points)).encode(
        alt.X("place:Q", title="fraction kept", axis=alt.Axis(format="~g", tickCount=6)),
        alt.Color("strategy:N", title=None, scale=alt.Scale(domain=names, range=colors)),
    )
    accuracy = alt.Y("accuracy:Q", title="accuracy, %", scale=alt.Scale(zero=False))
    dash = alt.StrokeDash(
        "suspects:N",
        scale=alt.Scale(domain=["kept", "dropped"], range=[[1, 0], [5, 3]]),
        legend=alt.Legend(title="suspects", symbolType="stroke") if both else None,
    )
    shape = alt.Shape("strategy:N", title=None, scale=alt.Scale(domain=names, range=marks))
    tooltip = ["strategy:N", "suspects:N", "ratio:Q", "images:Q", "accuracy:Q", "half:Q"]
    reference = alt.Chart(alt.InlineData(values=full)).encode(accuracy)
    return alt.layer(
        reference.mark_rule(color=REFERENCE, strokeWidth=1.2).encode(strokeDash=dash),
        alt.Chart(alt.InlineData(values=full[:1]))
        .mark_text(align="left", baseline="top", x=4, dy=4, color=REFERENCE, fontSize=11)
        .encode(accuracy, text="strategy:N"),
        base.mark_rule(strokeWidth=1).encode(
            alt.Y("low:Q", scale=alt.Scale(zero=False)), y2="high"
        ),
        base.mark_line(strokeWidth=1.8).encode(accuracy, strokeDash=dash),
        base.mark_point(size=55, filled=True, opacity=1).encode(
            accuracy, shape=shape, tooltip=tooltip
        ),
    )


def _set_side_by_side(points: list[dict[str, Any]]) -> None:
    """Give each a place a little beside its ratio, so that whiskers do not cover each other."""
    ways = list(dict.fromkeys((point["strategy"], point["suspects"]) for point in points))
    widest = max((point["ratio"] for point in points), default=0.0)
    for point in points:
        aside = ways.index((point["strategy"], point["suspects"])) - (len(ways) - 1) / 2
        point["place"] = round(point["ratio"] + 0.006 * widest * aside, 6)


def _point(line: Line) -> dict[str, Any]:
    """Numbers of one way to select, in percent."""
    mean, half = (100 * value for value in line.accuracy)
    half = 0.0 if math.isnan(half) else half
    dropped = "dropped" if line.cell.dropped else "kept"
    return {
        "strategy": line.cell.name,
        "suspects": dropped,
        "ratio": float(exact(line.cell.ratio)),
        "images": line.images,
        "accuracy": round(mean, 3),
        "half": round(half, 3),
        "low": round(mean - half, 3),
        "high": round(mean + half, 3),
    }
