"""Histogram of scores: kept and dropped images, and suspects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from moderate_cli.charts.drawing import DROPPED, INK, KEPT, SUSPECT

if TYPE_CHECKING:
    import altair as alt

FATES = {"kept": KEPT, "dropped": DROPPED, "suspect": SUSPECT}


class Bin(NamedTuple):
    """A range of scores, with its numbers of images: kept, dropped, and suspects of either kind."""

    low: float
    high: float
    kept: int
    dropped: int
    suspect: int = 0


def score_chart(
    bins: Sequence[Bin], median: float, measure: str
) -> alt.LayerChart | alt.FacetChart:
    """Return the chart.

    Parameters
    ----------
    bins
        From the lowest score to the highest.
    median
        Of all scores.
    measure
        The name of the score.
    """
    import altair as alt

    ends = [bins[0].low, bins[-1].high]
    x = alt.X(
        "low:Q",
        bin="binned",
        title=measure,
        axis=alt.Axis(tickCount=8),
        scale=alt.Scale(nice=False, domain=ends),
    )
    shown = [name for name in FATES if any(getattr(one, name) for one in bins)]
    fates = alt.Scale(domain=shown, range=[FATES[name] for name in shown])
    tooltip = [alt.Tooltip("low:Q", title="from"), alt.Tooltip("high:Q", title="to")]
    bars = (
        alt.Chart(alt.InlineData(values=[one._asdict() for one in bins], name="bins"))
        .transform_fold(list(FATES), as_=["fate", "images"])
        .mark_bar(binSpacing=1)
        .encode(
            x,
            alt.X2("high:Q"),
            alt.Y("images:Q", title="images", axis=alt.Axis(tickCount=5)),
            alt.Color(
                "fate:N", title=None, scale=fates, legend=alt.Legend(orient="top", offset=22)
            ),
            alt.Order("fate:N", sort="descending"),
            tooltip=[*tooltip, "fate:N", "images:Q"],
        )
    )
    middle = alt.InlineData(values=[{"low": median, "text": "median"}], name="median")
    line = alt.Chart(middle).encode(alt.X("low:Q"))
    return alt.layer(
        bars,
        line.mark_rule(color=INK, strokeDash=[4, 3]),
        # Above the frame, where no bar is.
        line.mark_text(baseline="bottom", y=-4, color=INK).encode(text="text:N"),
    )
