"""The map of a report: images by their features, similar ones close together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from moderate_cli.charts.feature_map import LOOKS, MOST_IN_LEGEND, map_chart
from moderate_cli.reporting.pictures import image_facts
from moderate_cli.reporting.projection import Projection, project
from moderate_cli.reporting.subject import Subject

if TYPE_CHECKING:
    import altair as alt

MOST_POINTS = 2_500


def map_of(subject: Subject) -> Projection:
    """Place the images of a selection, or a sample of them, by their features."""
    rows = np.flatnonzero(subject.readable & subject.data.readable)
    subject.data.check()
    return project(subject.data.features, rows, MOST_POINTS, seed=subject.choice.seed)


def chart_of_map(subject: Subject, projection: Projection) -> alt.LayerChart | alt.FacetChart:
    """Draw the map; each point also carries the facts of its image that a page shows."""
    rows, names = projection.rows, subject.class_names()
    if len(names) > MOST_IN_LEGEND:  # classes that look the same need no names of their own
        names = [str(member % LOOKS) for member in range(len(names))]
    members, suspects = subject.members[rows].tolist(), np.isin(rows, subject.suspected)
    points = [
        {
            "x": round(float(projection.points[at, 0]), 4),
            "y": round(float(projection.points[at, 1]), 4),
            "member": members[at],
            "class": names[members[at]],
            "kept": bool(subject.kept[rows[at]]),
            "suspect": bool(suspects[at]),
            **image_facts(subject, int(rows[at])),
        }
        # Dropped images first, so that none hides a kept one.
        for at in np.argsort(subject.kept[rows], kind="stable").tolist()
    ]
    return map_chart(points, names[:LOOKS])


def map_note(subject: Subject, projection: Projection) -> str:
    """Say how to read the map."""
    images, points = int(np.count_nonzero(subject.readable)), len(projection.rows)
    sample = "All images" if points == images else f"A random sample of {points:,} images"
    circles = " Suspects are circled." if len(subject.suspected) else ""
    return (
        f"{sample}, placed by {projection.method} of their features: similar images are close"
        f" together. Dropped images are pale.{circles}"
    )
