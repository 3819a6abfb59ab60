"""Histogram of scores for a notebook, with or without the kept images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from moderate_cli.arrays import Doubles, Mask
from moderate_cli.charts.drawing import KEPT, REFERENCE, check_drawable
from moderate_cli.charts.histogram import histogram, places
from moderate_cli.charts.scores import Bin, score_chart

if TYPE_CHECKING:
    import altair as alt

    Chart = alt.LayerChart | alt.FacetChart

BINS = 40
WIDTH, HEIGHT = 480, 240


def distribution(values: Doubles, measure: str, kept: Mask | None = None) -> Chart:
    """Return a histogram of scores, and their median.

    Parameters
    ----------
    values
        (n,); NaN is left out.
    measure
        The name of the score.
    kept
        bool (n,), images in another color than the others; None for one color.

    Raises
    ------
    OutputError
        If a library is missing.
    """
    check_drawable("chart")
    readable = ~np.isnan(values)
    found, mask = values[readable], None if kept is None else kept[readable]
    median = float(np.median(found))
    if mask is None:
        chart = _plain(_bins(found, np.zeros(len(found), dtype=np.bool_)), median, measure)
    else:
        chart = score_chart(_bins(found, mask), median, measure)
    return chart.properties(width=WIDTH, height=HEIGHT)


def _bins(values: Doubles, kept: Mask) -> list[Bin]:
    edges = histogram(values, BINS).edges
    found = places(values, edges)
    counts, all_of_them = (
        np.bincount(one, minlength=len(edges) - 1) for one in (found[kept], found)
    )
    columns = (edges[:-1], edges[1:], counts, all_of_them - counts, np.zeros_like(counts))
    return [Bin(*one) for one in zip(*(column.tolist() for column in columns), strict=True)]


def _plain(bins: list[Bin], median: float, measure: str) -> Chart:
    import altair as alt

    values = [{"low": one.low, "high": one.high, "images": one.dropped} for one in bins]
    x = alt.X("low:Q", bin="binned", title=measure, scale=alt.Scale(nice=False))
    bars = alt.Chart(alt.InlineData(values=values, name="bins")).mark_bar(binSpacing=1, color=KEPT)
    middle = alt.Chart(alt.InlineData(values=[{"low": median}], name="median"))
    return alt.layer(
        bars.encode(x, alt.X2("high:Q"), alt.Y("images:Q", title="images"), tooltip=["images:Q"]),
        middle.mark_rule(color=REFERENCE, strokeDash=[4, 3]).encode(
            alt.X("low:Q"), tooltip=[alt.Tooltip("low:Q", title="median")]
        ),
    )
