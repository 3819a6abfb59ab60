"""A report as files: a page, and plots."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from moderate_cli.charts.class_bars import ClassBar, class_chart
from moderate_cli.charts.curves import HEIGHT, WIDTH
from moderate_cli.charts.drawing import SUFFIXES, check_drawable, draw
from moderate_cli.errors import OutputError
from moderate_cli.files.atomic import new_file
from moderate_cli.images.thumbnails import Progress
from moderate_cli.reporting.class_table import class_table
from moderate_cli.reporting.distribution import chart_of_scores
from moderate_cli.reporting.evaluations import Evaluation
from moderate_cli.reporting.feature_map import chart_of_map
from moderate_cli.reporting.page import render
from moderate_cli.reporting.projection import Projection
from moderate_cli.reporting.subject import Subject


def write_report(
    destination: str | os.PathLike[str],
    subject: Subject,
    projection: Projection,
    evaluations: Sequence[Evaluation],
    *,
    on_progress: Progress | None = None,
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
        From `evaluations_in`.
    on_progress
        As in `render`.

    Raises
    ------
    OutputError
        If libraries are missing, or the file cannot be written.
    """
    check_drawable(destination)
    page = render(subject, projection, evaluations, on_progress=on_progress)
    with new_file(destination) as file:
        file.write(page)


def write_plots(
    folder: str | os.PathLike[str],
    subject: Subject,
    projection: Projection,
    evaluations: Sequence[Evaluation],
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
    name, kept = subject.name, f"{len(subject.selection.rows):,} kept images"
    pale = "Pale: dropped. Ring: likely label error, in the color of the class it looks like."
    charts = {
        "scores": chart_of_scores(subject).properties(
            width=WIDTH, height=200, title=f"{name}: scores"
        ),
        "classes": class_chart(bars).properties(
            width=360, title={"text": f"{name}: {kept}", "subtitle": "Blue: kept. Gray: dropped."}
        ),
        "map": chart_of_map(subject, projection).properties(
            width=400, height=400, title={"text": f"{name}: features", "subtitle": pale}
        ),
    }
    for number, one in enumerate(evaluations, 1):
        name = "accuracy" if len(evaluations) == 1 else f"accuracy-{number}"
        charts[name] = one.comparison.chart().properties(width=WIDTH, height=HEIGHT)
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
