"""A report as files: a page, and plots."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from moderate_cli.charts.class_bars import ClassBar, class_chart
from moderate_cli.charts.curves import HEIGHT, WIDTH
from moderate_cli.charts.drawing import SUFFIXES, check_drawable, draw
from moderate_cli.errors import OutputError
from moderate_cli.evaluation import Comparison
from moderate_cli.files.atomic import new_file
from moderate_cli.reporting.class_table import class_table
from moderate_cli.reporting.distribution import chart_of_scores
from moderate_cli.reporting.feature_map import chart_of_map
from moderate_cli.reporting.page import render
from moderate_cli.reporting.projection import Projection
from moderate_cli.reporting.subject import Subject


def write_report(
    destination: str | os.PathLike[str],
    subject: Subject,
    projection: Projection,
    evaluations: Mapping[str, Comparison],
) -> None:
    """Write one HTML page that shows a selection, whole or not at all.

    Parameters
    ----------
    destination
        The file.
    subject
        The selection.
    projection
        From `map_of`.
    evaluations
        Results of each evaluation, by its title; from `evaluations_in`.

    Raises
    ------
    OutputError
        If libraries are missing, or the file cannot be written.
    """
    check_drawable(destination)
    page = render(subject, projection, evaluations)
    with new_file(destination) as file:
        file.write(page)


def write_plots(
    folder: str | os.PathLike[str],
    subject: Subject,
    projection: Projection,
    evaluations: Mapping[str, Comparison],
) -> list[str]:
    """Write the charts of a page as .png and .svg files; return their names.

    Each is written whole or not at all; other files in the folder stay.

    Parameters
    ----------
    folder
        Made if it does not exist.
    subject, projection, evaluations
        As in `write_report`.

    Raises
    ------
    OutputError
        If libraries are missing, or a file cannot be written.
    """
    check_drawable(folder)
    bars = [ClassBar(one.name, one.images, one.kept) for one in class_table(subject)]
    charts = {
        "scores": chart_of_scores(subject).properties(width=WIDTH, height=200),
        "classes": class_chart(bars).properties(width=360),
        "map": chart_of_map(subject, projection).properties(width=400, height=400),
    }
    for number, comparison in enumerate(evaluations.values(), 1):
        name = "accuracy" if len(evaluations) == 1 else f"accuracy-{number}"
        charts[name] = comparison.curves().properties(width=WIDTH, height=HEIGHT)
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{os.fspath(folder)}: cannot be made ({error.strerror})") from None
    written = []
    for name, chart in charts.items():
        for suffix in SUFFIXES:
            draw(target / f"{name}{suffix}", chart)
            written.append(f"{name}{suffix}")
    return written
