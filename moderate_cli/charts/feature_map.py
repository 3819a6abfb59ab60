"""Chart of images as points on a plane, placed by their features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from moderate_cli.charts.palette import OTHER, PALETTE

if TYPE_CHECKING:
    import altair as alt

SIZES, OPACITIES = (48, 26), (0.95, 0.45)  # of kept and of dropped images


def map_chart(
    points: Sequence[Mapping[str, Any]], groups: Sequence[str], *, legend: bool = True
) -> alt.LayerChart | alt.FacetChart:
    """Return the chart: the color is the class; a ring is a suspect, in that of the class seen.

    Parameters
    ----------
    points
        For each image: its place, `x` and `y` from 0 to 1; the number of its class, `member`; the
        position of its class in `groups`, `group`, and of the class that a suspect looks like,
        `like`, -1 for others; whether it is `kept`. Other entries stay in the data of the chart.
        Later points cover earlier ones.
    groups
        Classes, each with a color of its own; one more than `PALETTE` has is all others.
    legend
        Whether to draw one. A page has its own, which also sets `chosen`, positions in `groups`,
        and `member`: other points are pale then.
    """
    import altair as alt

    colors = [PALETTE[at] if at < len(PALETTE) else OTHER for at in range(len(groups))]
    scale = alt.Scale(domain=list(range(len(groups))), range=colors)
    # Names of classes are text of users: they are looked up here, not written into an expression.
    names = alt.Legend(labelExpr="groups[datum.value]", symbolOpacity=1, title=None)
    chosen = alt.param(name="chosen", value=[])
    member = alt.param(name="member", value=-1)
    looked_up = alt.param(name="groups", value=list(groups))
    seen = (
        "(member < 0 || datum.member == member)"
        " && (chosen.length == 0 || indexof(chosen, datum.group) >= 0)"
    )
    base = alt.Chart(alt.InlineData(values=points, name="map")).encode(
        alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, 1], padding=10, nice=False)),
        alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[0, 1], padding=10, nice=False)),
    )
    size, opacity = (f"datum.kept ? {kept} : {dropped}" for kept, dropped in (SIZES, OPACITIES))
    marked = base.mark_point(filled=True).encode(
        alt.Color("group:N", title=None, scale=scale, legend=names if legend else None),
        size=alt.SizeValue(alt.expr(size)),
        opacity=alt.OpacityValue(alt.expr(f"{seen} ? ({opacity}) : 0.04")),
        tooltip="group:N",
    )
    rings = (
        base.transform_filter("datum.like >= 0")
        .mark_point(filled=False, size=130, strokeWidth=2)
        .encode(
            alt.Color("like:N", scale=scale, legend=None),
            opacity=alt.OpacityValue(alt.expr(f"{seen} ? 1 : 0.04")),
            tooltip="group:N",
        )
    )
    return alt.layer(marked, rings).add_params(chosen, member, looked_up)
