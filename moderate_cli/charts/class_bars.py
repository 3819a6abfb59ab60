"""Bar chart of classes: their images, and the kept part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from moderate_cli.charts.drawing import DROPPED, KEPT

if TYPE_CHECKING:
    import altair as alt

MOST_BARS = 60


class ClassBar(NamedTuple):
    """A class, its number of images, and the number kept."""

    name: str
    images: int
    kept: int


def class_chart(classes: Sequence[ClassBar]) -> alt.LayerChart | alt.FacetChart:
    """Return the chart of at most `MOST_BARS` classes, the largest ones."""
    import altair as alt

    # A stable sort: classes of equal size keep their order.
    largest = sorted(classes, key=lambda one: -one.images)[:MOST_BARS]
    rows = [one._asdict() | {"text": f"{one.kept:,} of {one.images:,}"} for one in largest]
    y = alt.Y(
        "name:N",
        title=None,
        sort=[one.name for one in largest],
        scale=alt.Scale(paddingInner=0.3),
        axis=alt.Axis(grid=False, labelLimit=180, labelPadding=6),
    )
    base = alt.Chart(alt.InlineData(values=rows, name="classes")).encode(y)
    return alt.layer(
        base.mark_bar(color=DROPPED).encode(
            alt.X("images:Q", title="images", axis=alt.Axis(tickCount=5))
        ),
        base.mark_bar(color=KEPT).encode(alt.X("kept:Q")),
        base.mark_text(align="left", dx=5, fontSize=10, color="#444").encode(
            alt.X("images:Q"), text="text:N"
        ),
    )
