"""Chart of images as points on a plane, placed by their features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from moderate_cli.charts.drawing import COLORS, INK, MARKS

if TYPE_CHECKING:
    import altair as alt

MOST_IN_LEGEND = 24
LOOKS = len(COLORS) * len(MARKS)


def map_chart(
    points: Sequence[Mapping[str, Any]], classes: Sequence[str]
) -> alt.LayerChart | alt.FacetChart:
    """Return the chart: color and mark show the class; pale points are dropped.

    Parameters
    ----------
    points
        For each image: its place, `x` and `y` from 0 to 1; `member`, the number of its class;
        `class`, one of `classes`; whether it is `kept`, and a `suspect`. Other entries stay in
        the data of the chart. Later points cover earlier ones.
    classes
        At most `LOOKS` names; a legend shows up to `MOST_IN_LEGEND` of them.
    """
    import altair as alt

    colors = [COLORS[number % len(COLORS)] for number in range(len(classes))]
    marks = [MARKS[number // len(COLORS) % len(MARKS)] for number in range(len(classes))]
    legend = alt.Legend(symbolOpacity=1) if len(classes) <= MOST_IN_LEGEND else None
    chosen = alt.param(name="chosen", value=-1)
    seen = "(chosen < 0 || datum.member == chosen)"
    opacity = f"{seen} ? (datum.kept ? 0.9 : 0.2) : 0.04"
    base = alt.Chart(alt.InlineData(values=points, name="map")).encode(
        alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, 1], padding=8, nice=False)),
        alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[0, 1], padding=8, nice=False)),
    )
    marked = base.mark_point(filled=True, size=34).encode(
        alt.Color(
            "class:N", title=None, scale=alt.Scale(domain=classes, range=colors), legend=legend
        ),
        alt.Shape(
            "class:N", title=None, scale=alt.Scale(domain=classes, range=marks), legend=legend
        ),
        opacity=alt.OpacityValue(alt.expr(opacity)),
        tooltip="class:N",
    )
    rings = (
        base.transform_filter("datum.suspect")
        .mark_point(filled=False, size=110, strokeWidth=1.2, color=INK)
        .encode(opacity=alt.OpacityValue(alt.expr(f"{seen} ? 1 : 0.05")), tooltip="class:N")
    )
    return alt.layer(marked, rings).add_params(chosen)
