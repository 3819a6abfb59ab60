"""The distribution of scores in a report: of all images, and of each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from moderate_cli.arrays import Mask, Rows
from moderate_cli.charts.histogram import histogram, places
from moderate_cli.charts.scores import Bin, score_chart
from moderate_cli.reporting.subject import Subject

if TYPE_CHECKING:
    import altair as alt

BINS = 60
MOST_CLASSES = 200  # that have a histogram of their own, the largest ones


def score_bins(subject: Subject, members: Rows | None = None) -> list[list[Bin]]:
    """Count the images by score and fate, in bins as of `moderate score --histogram`.

    Parameters
    ----------
    subject
        The selection.
    members
        int64 (c,), positions of classes, ascending: one list of bins for each. None for one list,
        of all images.
    """
    values = subject.scores.values
    rows = np.flatnonzero(subject.readable)
    edges = histogram(values[rows], BINS).edges
    suspect = np.zeros(len(values), dtype=bool)
    suspect[subject.suspected] = True
    fates: tuple[Mask, ...] = (
        subject.kept & ~suspect,
        ~subject.kept & ~suspect,
        suspect,
    )
    if members is None:
        of_rows, classes = np.zeros(len(rows), dtype=np.int64), 1
    else:
        of_rows, classes = np.searchsorted(members, subject.members[rows]), len(members)
        inside = np.isin(subject.members[rows], members)
        rows, of_rows = rows[inside], of_rows[inside]
    bins = len(edges) - 1
    at = of_rows * bins + places(values[rows], edges)
    counts = [np.bincount(at[mask[rows]], minlength=classes * bins) for mask in fates]
    table = np.stack(counts, axis=1).reshape(classes, bins, len(fates)).tolist()
    ends = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    return [
        [Bin(*pair, *numbers) for pair, numbers in zip(ends, of_class, strict=True)]
        for of_class in table
    ]


def chart_of_scores(subject: Subject) -> alt.LayerChart | alt.FacetChart:
    """Draw the distribution of all images."""
    (bins,) = score_bins(subject)
    median = float(np.median(subject.scores.values[subject.readable]))
    return score_chart(bins, median, subject.measure)


def class_bins(subject: Subject) -> dict[int, list[list[int]]]:
    """Return the bins of the largest classes: position -> [bin, kept, dropped, suspect] each."""
    sizes = np.bincount(subject.members[subject.readable], minlength=len(subject.labels))
    largest = np.sort(np.argsort(-sizes, kind="stable")[:MOST_CLASSES])
    found: dict[int, Any] = {}
    for member, bins in zip(largest.tolist(), score_bins(subject, largest), strict=True):
        filled = [[at, *one[2:]] for at, one in enumerate(bins) if any(one[2:])]
        found[member] = filled
    return found
