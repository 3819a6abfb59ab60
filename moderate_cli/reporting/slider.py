"""What other ratios would keep: a table for the stops of the slider of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Rows
from moderate_cli.charts.scores import Band
from moderate_cli.reporting.distribution import band, distribution, quantile_of
from moderate_cli.reporting.subject import Subject
from moderate_cli.selection import Choice, Order, Window, class_shares, exact
from moderate_cli.selection.selecting import choose_from

STEPS = (1, 2, 5, 10)  # percent
MOST_WORK = 80_000_000  # images, summed over all stops: a few seconds
CLASS = 100  # images that a class counts as, because it takes room on the page at each stop


class Slider(NamedTuple):
    """Numbers of images kept at each stop.

    Attributes
    ----------
    percents
        The stops, ascending: percent of the images that could be kept.
    selected
        Position of the stop that is the selection.
    counts
        By stop, the number kept of each class.
    bins
        By stop, the number kept in each bin of the histogram; None where only `counts` are known.
    bands
        By stop, the window; None where no single one spans all classes.
    """

    percents: list[float]
    selected: int
    counts: list[list[int]]
    bins: list[list[int]] | None
    bands: list[Band] | None


def slider(subject: Subject) -> Slider:
    """Count the images that `moderate select` would keep at each stop.

    Strategies that pick from each class are not run, which would take long: how many images of a
    class are kept does not depend on which.
    """
    ratios, selected = _stops(subject)
    percents = [float(f"{float(100 * ratio):.4g}") for ratio in ratios]
    choice = subject.choice
    if choice.within_classes and not isinstance(choice.entry.function, Window):
        return Slider(percents, selected, _shares(subject, ratios), None, None)
    return Slider(percents, selected, *_selections(subject, ratios))


def _stops(subject: Subject) -> tuple[list[Fraction], int]:
    """Return the ratios, and the position of the selected one; of very many images fewer."""
    able, kept = (int(np.count_nonzero(mask)) for mask in (subject.eligible, subject.kept))
    work = able + CLASS * len(subject.labels)
    step = next((step for step in STEPS if 100 // step * work <= MOST_WORK), STEPS[-1])
    ratio = subject.choice.ratio
    selected = Fraction(kept, able) if ratio is None else exact(ratio)
    ratios = sorted({Fraction(percent, 100) for percent in range(step, 101, step)} | {selected})
    return ratios, ratios.index(selected)


def _rows(subject: Subject) -> Rows:
    """Return the images to select from; by score, which is faster, if only ranks matter."""
    rows, function = np.flatnonzero(subject.eligible), subject.choice.entry.function
    if not isinstance(function, Order) or function.by_rank:
        rows = rows[np.argsort(subject.scores.values[rows], kind="stable")]
    return rows


def _shares(subject: Subject, ratios: Sequence[Fraction]) -> list[list[int]]:
    """Return counts by class, of each selection."""
    rows = _rows(subject)
    values, members = subject.scores.values[rows], subject.members[rows]
    found = np.zeros((len(ratios), len(subject.labels)), dtype=np.int64)
    for counts, ratio in zip(found, ratios, strict=True):
        classes, shares = class_shares(_at(subject, ratio), values, members)
        counts[classes] = shares
    return [counts.tolist() for counts in found]


def _selections(
    subject: Subject, ratios: Sequence[Fraction]
) -> tuple[list[list[int]], list[list[int]], list[Band] | None]:
    """Return counts by class, counts by bin, and the window, of each selection."""
    rows, binned, quantile = _rows(subject), distribution(subject), quantile_of(subject)
    values, members = subject.scores.values[rows], subject.members[rows]
    counts, bins, bands = [], [], []
    for ratio in ratios:
        kept = choose_from(_at(subject, ratio), values, members)
        counts.append(np.bincount(members[kept], minlength=len(subject.labels)).tolist())
        bins.append(binned.counts(rows[kept]).tolist())
        if quantile is not None:
            bands.append(band(values, int(np.count_nonzero(kept)), quantile))
    return counts, bins, bands or None


def _at(subject: Subject, ratio: Fraction) -> Choice:
    return replace(subject.choice, ratio=ratio, count=None)
