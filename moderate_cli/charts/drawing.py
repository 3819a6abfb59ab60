"""Write charts of Altair to files, all in one style."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Any

from moderate_cli.errors import OutputError
from moderate_cli.files.atomic import new_file

if TYPE_CHECKING:
    import altair as alt

SUFFIXES = (".png", ".svg")
# Colors that readers with any color vision can tell apart (Okabe and Ito, 2008), and marks.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A8F98")
MARKS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
KEPT, DROPPED, SUSPECT = COLORS[0], "#C3CAD4", COLORS[1]
REFERENCE, INK = "#8A8F98", "#333333"

MODULES = ("altair", "jinja2", "vl_convert")
PIXELS_PER_INCH = 300
STYLE = {
    "background": "white",
    "font": "Liberation Sans, Arial, Helvetica, sans-serif",
    "view": {"stroke": None},
    "axis": {"labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal",
             "labelColor": "#222", "titleColor": "#222", "domainColor": "#888",
             "tickColor": "#888"},
    "axisX": {"grid": False},
    "axisY": {"gridColor": "#E6E8EB", "domain": False, "ticks": False},
    "legend": {"labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal",
               "labelLimit": 220, "labelColor": "#222", "titleColor": "#222"},
    "title": {"fontSize": 13, "fontWeight": "normal", "anchor": "start", "offset": 10},
}  # fmt: skip


def check_drawable(destination: str | os.PathLike[str]) -> None:
    """Check that the drawing libraries are installed, before any work.

    Raises
    ------
    OutputError
        If a library is missing.
    """
    if not all(map(importlib.util.find_spec, MODULES)):
        raise OutputError(
            f"{os.fspath(destination)}: needs missing packages; pip install 'moderate-cli[report]'"
        )


def draw(destination: str | os.PathLike[str], chart: alt.TopLevelMixin) -> None:
    """Write a chart to a .png or .svg file; the same chart gives the same bytes.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import vl_convert

    specification: dict[str, Any] = chart.to_dict() | {"config": STYLE}
    version = vega_lite_version()
    with new_file(destination) as file:
        if os.fspath(destination).lower().endswith(".svg"):
            file.write(vl_convert.vegalite_to_svg(specification, vl_version=version).encode())
        else:
            file.write(
                vl_convert.vegalite_to_png(specification, vl_version=version, ppi=PIXELS_PER_INCH)
            )


def vega_lite_version() -> str:
    """Return the version of Vega-Lite that Altair's charts are made for, such as "6.4"."""
    import altair as alt

    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
