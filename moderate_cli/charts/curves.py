"""Charts of an evaluation: accuracy against ratio, or a row of dots for one or two ratios."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from moderate_cli.charts.drawing import COLORS, INK, MARKS, REFERENCE, check_drawable, draw

if TYPE_CHECKING:
    import altair as alt

    Chart = alt.LayerChart | alt.FacetChart

WIDTH, HEIGHT = 480, 320
FEWEST_RATIOS = 3  # for a curve
ROW = 26  # pixels of a row of dots
FILTERED = [5, 3]  # dashes of selections with a label filter
NAMED = [color for color in COLORS if color != REFERENCE]  # of strategies other than random
APART = 0.055  # of the height, between labels of lines


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


def draw_curves(
    destination: str | os.PathLike[str], points: Sequence[Point], about: Sequence[str] = ()
) -> None:
    """Write the chart to a .png or .svg file; arguments as of `curves`.

    Raises
    ------
    OutputError
        If a library is missing, or the file cannot be written.
    """
    check_drawable(destination)
    draw(destination, curves(points, about).properties(width=WIDTH))


def curves(points: Sequence[Point], about: Sequence[str] = ()) -> Chart:
    """Return the chart: dots for one or two ratios, curves for more.

    Bands and whiskers are 95 % intervals over seeds. Random selection is gray, the full set is a
    horizontal or vertical line. Dashes and hollow dots are selections with a label filter.

    Parameters
    ----------
    points
        The accuracies.
    about
        Lines below the title: the data, the judge, the test images.
    """
    drawn = [_values(point) for point in points if not point.full]
    full = [_values(point) for point in points if point.full]
    ratios = {point["ratio"] for point in drawn}
    chart = _lines(drawn, full) if len(ratios) >= FEWEST_RATIOS else _dots(drawn, full)
    title: Any = {"text": "Accuracy of a classifier trained on each selection"}
    title |= {"subtitle": list(about), "subtitleColor": REFERENCE} if about else {}
    return chart.properties(title=title)


def _lines(drawn: list[dict[str, Any]], full: list[dict[str, Any]]) -> Chart:
    """Draw a line per way to select, its band, and its name at the end."""
    # Altair takes half a second to load.
    import altair as alt

    low = min(point["low"] for point in [*drawn, *full])
    high = max(point["high"] for point in [*drawn, *full])
    most = max(point["ratio"] for point in drawn)
    base = alt.Chart(alt.InlineData(values=drawn)).encode(
        alt.X(
            "ratio:Q",
            title="fraction kept",
            axis=alt.Axis(format="~g", values=sorted({point["ratio"] for point in drawn})),
            scale=alt.Scale(domain=[0, round(1.35 * most, 6)]),  # names stand to the right
        ),
        _color(drawn),
        detail="way:N",
    )
    accuracy = alt.Y("accuracy:Q", title="accuracy, %", scale=alt.Scale(domain=[low, high]))
    labels = alt.Chart(alt.InlineData(values=_labels(drawn, full, high - low)))
    return alt.layer(
        *_reference(full, "y", low, high, most),
        base.mark_area(opacity=0.14).encode(alt.Y("low:Q").title("accuracy, %"), alt.Y2("high")),
        base.mark_line(strokeWidth=1.8).encode(accuracy, strokeDash=_dash(drawn)),
        base.mark_point(size=45, filled=True, opacity=1).encode(
            accuracy, shape=_shape(drawn), tooltip=TOOLTIP
        ),
        labels.mark_text(align="left", baseline="middle", dx=8, fontSize=11).encode(
            alt.X("ratio:Q"), alt.Y("place:Q"), _color(drawn), text="way:N"
        ),
    ).properties(height=HEIGHT)


def _dots(drawn: list[dict[str, Any]], full: list[dict[str, Any]]) -> Chart:
    """Draw a row per selection, the most accurate first: a dot, and its interval."""
    import altair as alt

    low = min(point["low"] for point in [*drawn, *full])
    high = max(point["high"] for point in [*drawn, *full])
    many = len({point["ratio"] for point in drawn}) > 1
    for point in drawn:
        point["row"] = f"{point['way']}, {point['ratio']:g}" if many else point["way"]
    ordered = sorted(drawn, key=lambda point: (point["ratio"], -point["accuracy"]))
    rows = list(dict.fromkeys(point["row"] for point in ordered))
    row = alt.Y(
        "row:N",
        title=None,
        sort=rows,
        axis=alt.Axis(grid=True, labelLimit=260, ticks=False, domain=False),
    )
    where = "" if many else f", {100 * drawn[0]['ratio']:g} % kept" if drawn else ""
    base = alt.Chart(alt.InlineData(values=drawn)).encode(row, _color(drawn))
    scale = alt.Scale(domain=[low, high], nice=True)
    dots = base.encode(
        alt.X("accuracy:Q", title=f"accuracy, %{where}", scale=scale), tooltip=TOOLTIP
    )
    return alt.layer(
        *_reference(full, "x", low, high),
        base.mark_rule(strokeWidth=2).encode(alt.X("low:Q", scale=scale), alt.X2("high")),
        dots.transform_filter("datum.label_filter == 'off'").mark_point(
            size=80, filled=True, opacity=1
        ),
        dots.transform_filter("datum.label_filter != 'off'").mark_point(
            size=80, fill="white", opacity=1, strokeWidth=2
        ),
    ).properties(height=ROW * max(len(rows), 1))


TOOLTIP = ["strategy:N", "label_filter:N", "ratio:Q", "images:Q", "accuracy:Q", "half:Q"]


def _reference(
    full: list[dict[str, Any]], axis: str, low: float, high: float, most: float = 0.0
) -> list[alt.Chart | alt.LayerChart]:
    """Draw the full set: a line, its band, and its name; along x only up to the largest ratio."""
    import altair as alt

    if not full:
        return []
    base = alt.Chart(alt.InlineData(values=full))
    scale = alt.Scale(domain=[low, high], nice=axis == "x")
    side = alt.Y if axis == "y" else alt.X
    ends = {"y": alt.Y2("high"), "x": alt.X2("high")}[axis]
    band: Any = base.mark_rect(color=INK, opacity=0.07).encode(side("low:Q", scale=scale), ends)
    rule: Any = base.mark_rule(color=INK, strokeWidth=1.2).encode(side("accuracy:Q", scale=scale))
    if axis == "y":
        across = {"x": alt.datum(0), "x2": alt.datum(most)}
        band, rule = band.encode(**across), rule.encode(**across)
    at: dict[str, Any] = {"x": 4, "dy": -5} if axis == "y" else {"y": -6}
    name = base.mark_text(
        align="left" if axis == "y" else "center", baseline="bottom", color=INK, fontSize=11, **at
    ).encode(side("accuracy:Q", scale=scale), text="way:N")
    return [band, rule, name]


def _labels(
    drawn: list[dict[str, Any]], full: list[dict[str, Any]], span: float
) -> list[dict[str, Any]]:
    """Place the names at the ends of the lines, moved apart where they would overlap."""
    ends = {point["way"]: point for point in sorted(drawn, key=lambda point: point["ratio"])}
    labels = sorted((dict(point) for point in ends.values()), key=lambda one: one["accuracy"])
    for label in labels:
        label["place"] = label["accuracy"]
    for _ in range(50):
        for one, other in pairwise(labels):
            overlap = APART * span - (other["place"] - one["place"])
            if overlap > 0:
                one["place"] -= overlap / 2
                other["place"] += overlap / 2
    return [{**label, "place": round(label["place"], 3)} for label in labels]


def _color(points: list[dict[str, Any]]) -> alt.Color:
    import altair as alt

    names = list(dict.fromkeys(point["strategy"] for point in points))
    others = [name for name in names if name != "random"]
    colors = {name: NAMED[number % len(NAMED)] for number, name in enumerate(others)}
    range_ = [colors.get(name, REFERENCE) for name in names]
    return alt.Color("strategy:N", legend=None, scale=alt.Scale(domain=names, range=range_))


def _shape(points: list[dict[str, Any]]) -> alt.Shape:
    import altair as alt

    names = list(dict.fromkeys(point["strategy"] for point in points))
    marks = [MARKS[number % len(MARKS)] for number in range(len(names))]
    return alt.Shape("strategy:N", legend=None, scale=alt.Scale(domain=names, range=marks))


def _dash(points: list[dict[str, Any]]) -> alt.StrokeDash:
    import altair as alt

    filters = sorted({point["label_filter"] for point in points}, key=lambda one: one != "off")
    dashes = [[1, 0] if name == "off" else FILTERED for name in filters]
    return alt.StrokeDash(
        "label_filter:N", legend=None, scale=alt.Scale(domain=filters, range=dashes)
    )


def _values(point: Point) -> dict[str, Any]:
    values = point._asdict()
    del values["full"]
    low, high = point.accuracy - point.half, point.accuracy + point.half
    filtered = point.label_filter
    name = point.strategy if filtered == "off" else f"{point.strategy} without suspects"
    if filtered not in ("off", "auto"):
        name = f"{point.strategy} without suspects ({filtered})"
    return {**values, "way": name, "low": round(low, 3), "high": round(high, 3)}
