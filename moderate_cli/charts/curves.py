"""Chart of accuracy against ratio, one line per strategy."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from moderate_cli.charts.drawing import COLORS, MARKS, REFERENCE, check_drawable, draw

if TYPE_CHECKING:
    import altair as alt

WIDTH, HEIGHT = 480, 320
DASHES = [[1, 0], [5, 3], [2, 2], [8, 3, 2, 3]]  # solid is no label filter


class Point(NamedTuple):
    """Accuracy of a classifier trained on one selection.

    Attributes
    ----------
    strategy
        Name of its line.
    label_filter
        Suspects dropped first: "off", "auto" or a fraction.
    ratio
        Fraction kept.
    images
        Number kept.
    accuracy, half
        Mean over seeds, and half of its 95 % interval, in percent.
    full
        Whether it is the full set.
    """

    strategy: str
    label_filter: str
    ratio: float
    images: int
    accuracy: float
    half: float
    full: bool = False


def draw_curves(destination: str | os.PathLike[str], points: Sequence[Point]) -> None:
    """Write the chart to a .png or .svg file.

    Raises
    ------
    OutputError
        If a library is missing, or the file cannot be written.
    """
    check_drawable(destination)
    draw(destination, curves(points).properties(width=WIDTH, height=HEIGHT))


def curves(points: Sequence[Point]) -> alt.LayerChart | alt.FacetChart:
    """Return the chart.

    Whiskers are 95 % intervals over seeds. Dashed lines are selections with a label filter. The
    horizontal line is the full set.
    """
    # Altair takes half a second to load.
    import altair as alt

    drawn = [_values(point) for point in points if not point.full]
    full = [_values(point) for point in points if point.full]
    _set_side_by_side(drawn)
    names = list(dict.fromkeys(point["strategy"] for point in drawn))
    colors = [COLORS[number % len(COLORS)] for number in range(len(names))]
    marks = [MARKS[number % len(MARKS)] for number in range(len(names))]
    filters = sorted(
        {point["label_filter"] for point in drawn}, key=lambda name: (name != "off", name)
    )
    both = len(filters) > 1
    base = alt.Chart(alt.InlineData(values=drawn)).encode(
        alt.X("place:Q", title="fraction kept", axis=alt.Axis(format="~g", tickCount=6)),
        alt.Color("strategy:N", title=None, scale=alt.Scale(domain=names, range=colors)),
    )
    accuracy = alt.Y("accuracy:Q", title="accuracy, %", scale=alt.Scale(zero=False))
    dash = alt.StrokeDash(
        "label_filter:N",
        scale=alt.Scale(domain=filters, range=DASHES[: len(filters)]),
        legend=alt.Legend(title="label filter", symbolType="stroke") if both else None,
    )
    shape = alt.Shape("strategy:N", title=None, scale=alt.Scale(domain=names, range=marks))
    tooltip = ["strategy:N", "label_filter:N", "ratio:Q", "images:Q", "accuracy:Q", "half:Q"]
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
    """Shift each point a little from its ratio, so that whiskers do not overlap."""
    ways = list(dict.fromkeys((point["strategy"], point["label_filter"]) for point in points))
    widest = max((point["ratio"] for point in points), default=0.0)
    for point in points:
        aside = ways.index((point["strategy"], point["label_filter"])) - (len(ways) - 1) / 2
        point["place"] = round(point["ratio"] + 0.006 * widest * aside, 6)


def _values(point: Point) -> dict[str, Any]:
    values = point._asdict()
    del values["full"]
    low, high = point.accuracy - point.half, point.accuracy + point.half
    return {**values, "low": round(low, 3), "high": round(high, 3)}
