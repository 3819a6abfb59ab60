"""The charts of a report: the same in the page and in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from moderate_cli.arrays import Doubles
from moderate_cli.charts.drawing import COLORS, DROPPED, INK, KEPT, MARKS, REFERENCE
from moderate_cli.charts.histogram import histogram
from moderate_cli.reporting.facts import ClassFacts, Subject
from moderate_cli.reporting.projection import Projection
from moderate_cli.selection import WINDOWS, select

if TYPE_CHECKING:
    import altair as alt

BINS = 60
MOST_IN_LEGEND = 24
MOST_BARS = 60
Points = list[dict[str, Any]]


def score_chart(subject: Subject) -> alt.LayerChart | alt.FacetChart:
    """Draw the distribution of scores: what is kept of it, and the window that this lies in."""
    import altair as alt

    values = subject.scores.values
    x = alt.X(
        "from:Q",
        bin="binned",
        title=subject.measure,
        axis=alt.Axis(tickCount=8),
        scale=alt.Scale(nice=False),
    )
    fates = alt.Scale(domain=["kept", "dropped"], range=[KEPT, DROPPED])
    bars = (
        alt.Chart(alt.InlineData(values=score_bins(subject), name="bins"))
        .transform_fold(["kept", "dropped"], as_=["fate", "images"])
        .mark_bar(binSpacing=1)
        .encode(
            x,
            alt.X2("to:Q"),
            alt.Y("images:Q", title="images", axis=alt.Axis(tickCount=5)),
            alt.Color("fate:N", title=None, scale=fates, legend=alt.Legend(orient="top", offset=4)),
            alt.Order("fate:N", sort="descending"),
            tooltip=["from:Q", "to:Q", "fate:N", "images:Q"],
        )
    )
    band = window_of(subject)
    window = (
        alt.Chart(alt.InlineData(values=band, name="window"))
        .mark_rect(color=KEPT, opacity=0.2)
        .encode(x, alt.X2("to:Q"))
    )
    middle = [{"from": float(np.median(values[subject.readable])), "text": "median"}]
    median = alt.Chart(alt.InlineData(values=middle, name="median")).encode(alt.X("from:Q"))
    return alt.layer(
        *([window] if band else []),
        bars,
        median.mark_rule(color=REFERENCE, strokeDash=[4, 3]),
        median.mark_text(align="left", baseline="top", dx=4, y=0, color=REFERENCE).encode(
            text="text:N"
        ),
    )


def score_bins(subject: Subject) -> Points:
    """Count what is kept and what is dropped over the range of scores.

    Each bin has its range, both counts, and how many of its images could be kept.
    """
    values = subject.scores.values
    found = histogram(values[subject.readable], BINS)
    kept, eligible = (
        _counts(values[mask], found.edges) for mask in (subject.kept, subject.eligible)
    )
    return [
        {"from": low, "to": high, "kept": inside, "dropped": count - inside, "eligible": able}
        for low, high, inside, able, count in zip(
            found.edges[:-1].tolist(),
            found.edges[1:].tolist(),
            kept,
            eligible,
            found.counts.tolist(),
            strict=True,
        )
    ]


def _counts(values: Doubles, edges: Doubles) -> list[int]:
    """Count values between edges, as `histogram` does."""
    positions = np.searchsorted(edges, values, side="right") - 1
    counts = np.bincount(positions.clip(0, len(edges) - 2), minlength=len(edges) - 1)
    return [int(count) for count in counts]


def window_of(subject: Subject) -> Points:
    """Return the range of scores that one window over all images spans, where there is one."""
    if subject.how["strategy"] not in WINDOWS or subject.how["scope"] == "class":
        return []
    values = np.where(subject.eligible, subject.scores.values, np.nan)
    # Without the images that classes are saved by, which lie outside.
    plain = select(values, subject.scores.labels, **{**subject.how, "min_per_class": 0})
    return [{"from": float(values[plain].min()), "to": float(values[plain].max())}]


def class_chart(classes: Sequence[ClassFacts]) -> alt.LayerChart | alt.FacetChart:
    """Draw how many of each class are kept; of many classes the largest."""
    import altair as alt

    largest = sorted(range(len(classes)), key=lambda at: (-classes[at].images, at))[:MOST_BARS]
    rows = [
        {
            "place": place,
            "class": classes[at].name,
            "images": classes[at].images,
            "kept": classes[at].kept,
            "text": f"{classes[at].kept:,} of {classes[at].images:,}",
        }
        for place, at in enumerate(largest)
    ]
    names = [classes[at].name for at in largest]
    y = alt.Y(
        "class:N",
        title=None,
        sort=names,
        scale=alt.Scale(paddingInner=0.3),
        axis=alt.Axis(grid=False, labelLimit=180, labelPadding=6),
    )
    base = alt.Chart(alt.InlineData(values=rows, name="classes")).encode(y)
    return alt.layer(
        base.mark_bar(color=DROPPED).encode(alt.X("images:Q", title="images")),
        base.mark_bar(color=KEPT).encode(alt.X("kept:Q")),
        base.mark_text(align="left", dx=5, fontSize=10, color="#444").encode(
            alt.X("images:Q"), text="text:N"
        ),
    )


def map_chart(
    subject: Subject, projection: Projection, more: Sequence[Mapping[str, Any]] | None = None
) -> alt.LayerChart | alt.FacetChart:
    """Draw images by their features: color and mark for the class, pale what is dropped.

    Parameters
    ----------
    subject
        What is shown.
    projection
        Where its images lie.
    more
        What else each point is to know.
    """
    import altair as alt

    names = _marked(subject)
    colors = [COLORS[number % len(COLORS)] for number in range(len(names))]
    marks = [MARKS[number // len(COLORS) % len(MARKS)] for number in range(len(names))]
    legend = alt.Legend(symbolOpacity=1) if len(names) <= MOST_IN_LEGEND else None
    chosen = alt.param(name="chosen", value=-1)
    seen = "(chosen < 0 || datum.member == chosen)"
    opacity = f"{seen} ? (datum.kept ? 0.9 : 0.2) : 0.04"
    base = alt.Chart(alt.InlineData(values=_places(subject, projection, more), name="map")).encode(
        alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, 1], padding=8, nice=False)),
        alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[0, 1], padding=8, nice=False)),
    )
    points = base.mark_point(filled=True, size=34).encode(
        alt.Color(
            "class:N", title=None, scale=alt.Scale(domain=names, range=colors), legend=legend
        ),
        alt.Shape("class:N", title=None, scale=alt.Scale(domain=names, range=marks), legend=legend),
        opacity=alt.OpacityValue(alt.expr(opacity)),
        tooltip="class:N",
    )
    rings = (
        base.transform_filter("datum.suspect")
        .mark_point(filled=False, size=110, strokeWidth=1.2, color=INK)
        .encode(opacity=alt.OpacityValue(alt.expr(f"{seen} ? 1 : 0.05")), tooltip="class:N")
    )
    return alt.layer(points, rings).add_params(chosen)


def _marked(subject: Subject) -> list[str]:
    """Return what the marks of a map are told apart by: class names while a legend shows them."""
    names = subject.class_names()
    return names if len(names) <= MOST_IN_LEGEND else list(map(str, range(len(names))))


def _places(
    subject: Subject, projection: Projection, more: Sequence[Mapping[str, Any]] | None
) -> Points:
    """Return the points of a map, those that are dropped first, so that none hides what is kept."""
    names, rows = _marked(subject), projection.rows
    suspects = np.isin(rows, subject.suspected)
    order = np.argsort(subject.kept[rows], kind="stable").tolist()
    return [
        {
            "x": round(float(projection.points[at, 0]), 4),
            "y": round(float(projection.points[at, 1]), 4),
            "member": int(subject.members[rows[at]]),
            "class": names[subject.members[rows[at]]],
            "kept": bool(subject.kept[rows[at]]),
            "suspect": bool(suspects[at]),
            **({} if more is None else more[at]),
        }
        for at in order
    ]
