"""Report: a page, and plots, that show what is kept and why."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from moderate_cli.charts.curves import HEIGHT, WIDTH, curves
from moderate_cli.charts.drawing import SUFFIXES, check_drawable, draw
from moderate_cli.errors import OutputError
from moderate_cli.evaluation.summary import Line
from moderate_cli.files.atomic import new_file
from moderate_cli.reporting.charts import class_chart, map_chart, score_chart
from moderate_cli.reporting.facts import Subject, class_facts
from moderate_cli.reporting.page import render
from moderate_cli.reporting.projection import Projection, project

__all__ = ["Subject", "map_of", "write_plots", "write_report"]

MOST_POINTS = 2_500  # on the map


def map_of(subject: Subject) -> Projection:
    """Lay out the images of a selection, or a sample of them, by their features."""
    rows = np.flatnonzero(subject.readable & subject.data.readable)
    subject.data.check()
    return project(subject.data.features, rows, MOST_POINTS, seed=subject.how["seed"])


def write_report(
    destination: str | os.PathLike[str],
    subject: Subject,
    projection: Projection,
    evaluations: Mapping[str, Sequence[Line]],
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
        What `summarize` found of each evaluation, by what it is to be called; may be empty.

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
    evaluations: Mapping[str, Sequence[Line]],
) -> list[str]:
    """Write the charts of a page as .png and .svg files; return their names.

    Each is written whole or not at all; other files in the folder stay.

    Raises
    ------
    OutputError
        If libraries are missing, or a file cannot be written.
    """
    check_drawable(folder)
    charts = {
        "scores": score_chart(subject).properties(width=WIDTH, height=200),
        "classes": class_chart(class_facts(subject)).properties(width=360),
        "map": map_chart(subject, projection).properties(width=400, height=400),
    }
    for number, lines in enumerate(evaluations.values(), 1):
        name = "accuracy" if len(evaluations) == 1 else f"accuracy-{number}"
        charts[name] = curves(lines).properties(width=WIDTH, height=HEIGHT)
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
