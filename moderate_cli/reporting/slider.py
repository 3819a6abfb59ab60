"""What other ratios would keep: a table for the stops of the slider of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Mask, Rows
from moderate_cli.reporting.subject import Subject
from moderate_cli.selection import Choice, Order, class_shares, exact, kept_count
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
    """

    percents: list[float]
    selected: int
    counts: list[list[int]]


def slider(subject: Subject) -> Slider:
    """Count the images that `moderate select` would keep at each stop.

    Strategies that pick from each class are not run, which would take long: how many images of a
    class are kept does not depend on which.
    """
    ratios, selected = _stops(subject)
    percents = [float(f"{float(100 * ratio):.4g}") for ratio in ratios]
    count = _shares if subject.choice.within_classes else _selections
    return Slider(percents, selected, count(subject, ratios))


def _stops(subject: Subject) -> tuple[list[Fraction], int]:
    """Return the ratios, and the position of the selected one; of very many images fewer."""
    able, kept = (int(np.count_nonzero(mask)) for mask in (subject.eligible, subject.kept))
    work = able + CLASS * len(subject.labels)
    step = next((step for step in STEPS if 100 // step * work <= MOST_WORK), STEPS[-1])
    ratio = subject.choice.ratio
    selected = Fraction(kept, able) if ratio is None else exact(ratio)
    least = int(np.count_nonzero(_fixed(subject)))
    stops = (Fraction(percent, 100) for percent in range(step, 101, step))
    ratios = sorted({one for one in stops if kept_count(able, one) >= least} | {selected})
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
    fixed = _fixed(subject)[rows]
    found = np.zeros((len(ratios), len(subject.labels)), dtype=np.int64)
    for counts, ratio in zip(found, ratios, strict=True):
        classes, shares = class_shares(_at(subject, ratio), values, members, fixed)
        counts[classes] = shares
    return [counts.tolist() for counts in found]


def _selections(subject: Subject, ratios: Sequence[Fraction]) -> list[list[int]]:
    """Return counts by class, of each selection from all images together."""
    rows = _rows(subject)
    values, members = subject.scores.values[rows], subject.members[rows]
    fixed = _fixed(subject)[rows]
    found = []
    for ratio in ratios:
        kept = choose_from(_at(subject, ratio), values, members, fixed=fixed)
        found.append(np.bincount(members[kept], minlength=len(subject.labels)).tolist())
    return found


def _fixed(subject: Subject) -> Mask:
    """Return the images that each stop keeps, bool (n,): those of an earlier selection."""
    earlier = subject.selection.earlier
    return np.zeros_like(subject.kept) if earlier is None else earlier.mask


def _at(subject: Subject, ratio: Fraction) -> Choice:
    return replace(subject.choice, ratio=ratio, count=None)
