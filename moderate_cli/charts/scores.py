"""Histogram of scores: kept and dropped images, and the selection window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from moderate_cli.charts.drawing import DROPPED, KEPT, REFERENCE

if TYPE_CHECKING:
    import altair as alt


class Bin(NamedTuple):
    """A range of scores, with the numbers of images kept and dropped in it."""

    low: float
    high: float
    kept: int
    dropped: int


class Band(NamedTuple):
    """The lowest and the highest score in a window."""

    low: float
    high: float


def score_chart(
    bins: Sequence[Bin], band: Band | None, median: float, measure: str
) -> alt.LayerChart | alt.FacetChart:
    """Return the chart.

    Parameters
    ----------
    bins
        From the lowest score to the highest.
    band
        The window, if there is one.
    median
        Of all scores.
    measure
        The name of the score.
    """
    import altair as alt

    x = alt.X(
        "low:Q",
        bin="binned",
        title=measure,
        axis=alt.Axis(tickCount=8),
        scale=alt.Scale(nice=False),
    )
    fates = alt.Scale(domain=["kept", "dropped"], range=[KEPT, DROPPED])
    tooltip = [alt.Tooltip("low:Q", title="from"), alt.Tooltip("high:Q", title="to")]
    bars = (
        alt.Chart(alt.InlineData(values=[one._asdict() for one in bins], name="bins"))
        .transform_fold(["kept", "dropped"], as_=["fate", "images"])
        .mark_bar(binSpacing=1)
        .encode(
            x,
            alt.X2("high:Q"),
            alt.Y("images:Q", title="images", axis=alt.Axis(tickCount=5)),
            alt.Color("fate:N", title=None, scale=fates, legend=alt.Legend(orient="top", offset=4)),
            alt.Order("fate:N", sort="descending"),
            tooltip=[*tooltip, "fate:N", "images:Q"],
        )
    )
    layers: list[alt.Chart] = []
    if band is not None:
        window = alt.Chart(alt.InlineData(values=[band._asdict()], name="band"))
        layers.append(window.mark_rect(color=KEPT, opacity=0.2).encode(x, alt.X2("high:Q")))
    middle = [{"low": median, "text": "median"}]
    line = alt.Chart(alt.InlineData(values=middle, name="median")).encode(alt.X("low:Q"))
    return alt.layer(
        *layers,
        bars,
        line.mark_rule(color=REFERENCE, strokeDash=[4, 3]),
        line.mark_text(align="left", baseline="top", dx=4, y=0, color=REFERENCE).encode(
            text="text:N"
        ),
    )
