"""The map of a report: images by their features, similar ones close together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from moderate_cli.arrays import Rows
from moderate_cli.charts.feature_map import map_chart
from moderate_cli.charts.palette import PALETTE
from moderate_cli.reporting.projection import Projection, project
from moderate_cli.reporting.subject import Subject

if TYPE_CHECKING:
    import altair as alt

MOST_POINTS = 2_500
OTHERS = "other classes"


class Groups(NamedTuple):
    """Classes that have a color of their own on the map.

    Attributes
    ----------
    names
        As they are shown; "other classes" is the last one, if there are more than colors.
    of_class
        int64 (c,), the group of each class.
    """

    names: list[str]
    of_class: Rows


def map_of(subject: Subject, method: str = "pca") -> Projection:
    """Place the images of a selection, or a sample of them, by their features."""
    rows = np.flatnonzero(subject.readable & subject.data.readable)
    subject.data.check()
    seed = subject.choice.seed
    return project(subject.data.features, rows, MOST_POINTS, method=method, seed=seed)


def groups_of(subject: Subject) -> Groups:
    """Return the largest classes, as many as there are colors, in the order of classes."""
    names, most = subject.class_names(), len(PALETTE)
    if len(names) <= most:
        return Groups(names, np.arange(len(names)))
    sizes = np.bincount(subject.members[subject.readable], minlength=len(names))
    largest = np.sort(np.argsort(-sizes, kind="stable")[:most])
    of_class = np.full(len(names), most)
    of_class[largest] = np.arange(most)
    return Groups([*(names[at] for at in largest.tolist()), OTHERS], of_class)


def chart_of_map(
    subject: Subject,
    projection: Projection,
    places: Mapping[int, int] | None = None,
    *,
    legend: bool = True,
) -> alt.LayerChart | alt.FacetChart:
    """Draw the map.

    Parameters
    ----------
    subject, projection
        The selection, and its images on the map.
    places
        Row -> position of an image among those of a page, `at` in the data of the chart.
    legend
        Whether to draw one.
    """
    groups, members = groups_of(subject), subject.members
    suspects = subject.suspects
    points = []
    # Dropped images first, so that none hides a kept one.
    for at in np.argsort(subject.kept[projection.rows], kind="stable").tolist():
        row = int(projection.rows[at])
        like = -1
        if suspects is not None and suspects.probability[row] > 0.5:
            seen = int(np.searchsorted(subject.labels, suspects.looks_like[row]))
            like = int(groups.of_class[seen])
        point = {
            "x": round(float(projection.points[at, 0]), 4),
            "y": round(float(projection.points[at, 1]), 4),
            "member": int(members[row]),
            "group": int(groups.of_class[members[row]]),
            "like": like,
            "kept": bool(subject.kept[row]),
        }
        points.append(point if places is None else {**point, "at": places[row]})
    return map_chart(points, groups.names, legend=legend)


def map_note(subject: Subject, projection: Projection) -> str:
    """Say how to read the map."""
    images, points = int(np.count_nonzero(subject.readable)), len(projection.rows)
    sample = "All images" if points == images else f"A random sample of {points:,} images"
    rings = " A ring is a suspect, in the color of the class that it looks like."
    return (
        f"{sample}, placed by {projection.method} of their features: similar images are close"
        f" together. Dropped images are small and pale.{rings if len(subject.suspected) else ''}"
    )
