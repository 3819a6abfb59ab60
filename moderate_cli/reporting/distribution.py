"""The distribution of scores in a report: bins of a histogram, and the selection window."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from moderate_cli.arrays import Counts, Doubles, Mask, Rows
from moderate_cli.charts.histogram import histogram, places
from moderate_cli.charts.scores import Band, Bin, score_chart
from moderate_cli.reporting.subject import Subject
from moderate_cli.selection import Window
from moderate_cli.selection.windows import window_start

if TYPE_CHECKING:
    import altair as alt

BINS = 60


class Distribution(NamedTuple):
    """Bins of scores.

    Attributes
    ----------
    edges
        float64 (b + 1,), ascending.
    places
        int64 (n,), the bin of each readable image.
    """

    edges: Doubles
    places: Rows

    def counts(self, images: Mask | Rows) -> Counts:
        """int64 (b,), how many of some images are in each bin."""
        return np.bincount(self.places[images], minlength=len(self.edges) - 1)


def distribution(subject: Subject) -> Distribution:
    """Bin the scores as `moderate score --histogram` does."""
    values = subject.scores.values
    edges = histogram(values[subject.readable], BINS).edges
    return Distribution(edges, places(values, edges))


def score_bins(subject: Subject) -> list[Bin]:
    """Count the images kept and dropped in each bin."""
    found = distribution(subject)
    kept, images = (found.counts(mask) for mask in (subject.kept, subject.readable))
    columns = (found.edges[:-1], found.edges[1:], kept, images - kept)
    return [Bin(*one) for one in zip(*(column.tolist() for column in columns), strict=True)]


def chart_of_scores(subject: Subject) -> alt.LayerChart | alt.FacetChart:
    """Draw the distribution."""
    median = float(np.median(subject.scores.values[subject.readable]))
    return score_chart(score_bins(subject), band_of(subject), median, subject.measure)


def band_of(subject: Subject) -> Band | None:
    """Return the window of the selection, if a single one spans all classes."""
    quantile = quantile_of(subject)
    if quantile is None:
        return None
    ordered = np.sort(subject.scores.values[subject.eligible])
    return band(ordered, int(np.count_nonzero(subject.kept)), quantile)


def quantile_of(subject: Subject) -> Fraction | None:
    """Return the quantile that a single window is around; None where there is no such window."""
    choice = subject.choice
    if choice.within_classes or not isinstance(choice.entry.function, Window):
        return None
    fixed = choice.entry.function.quantile
    return choice.window_quantile if fixed is None else fixed


def band(ordered: Doubles, k: int, quantile: Fraction) -> Band:
    """Return the window of k of the scores (m,), ascending; minimums per class are not applied.

    >>> band(np.array([1.0, 2.0, 3.0, 5.0]), 2, Fraction(1, 2))
    Band(low=2.0, high=3.0)
    """
    start = window_start(len(ordered), k, quantile)
    return Band(float(ordered[start]), float(ordered[start + k - 1]))
