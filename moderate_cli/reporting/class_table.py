"""Each class of a report in numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Counts, Doubles
from moderate_cli.errors import ArgumentError
from moderate_cli.reporting.subject import Subject

MOST_CLASSES = 65_536  # more make the page larger than a mail may be


class ClassRow(NamedTuple):
    """One class.

    Attributes
    ----------
    name
        As it is shown.
    images, kept, suspects
        Number of images: readable, kept, and with a label that is probably wrong.
    low, median, high
        Quartiles of the scores.
    """

    name: str
    images: int
    kept: int
    suspects: int
    low: float
    median: float
    high: float


def class_table(subject: Subject) -> list[ClassRow]:
    """Return a row for each class that occurs.

    Raises
    ------
    ArgumentError
        If there are more classes than a page can show.
    """
    every, members = len(subject.labels), subject.members
    if every > MOST_CLASSES:
        raise ArgumentError(f"report: {every:,} classes; a page shows at most {MOST_CLASSES:,}")
    images = np.bincount(members[subject.readable], minlength=every)
    kept = np.bincount(members[subject.kept], minlength=every)
    suspects = np.bincount(members[subject.suspected], minlength=every)
    quartiles = _quartiles(subject, images)
    return [
        ClassRow(name, *counts, *(float(f"{value:.6g}") for value in of_class))
        for name, counts, of_class in zip(
            subject.class_names(),
            np.stack([images, kept, suspects], axis=1).tolist(),
            quartiles.tolist(),
            strict=True,
        )
    ]


def _quartiles(subject: Subject, images: Counts) -> Doubles:
    """Return the quartiles of the scores of each class (c, 3), interpolated linearly."""
    rows = np.flatnonzero(subject.readable)
    values = subject.scores.values[rows]
    ordered = values[np.lexsort((values, subject.members[rows]))]
    ranks = np.outer(images - 1, (0.25, 0.5, 0.75))
    firsts = (np.cumsum(images) - images)[:, None]
    low, high = (ordered[firsts + near(ranks).astype(np.int64)] for near in (np.floor, np.ceil))
    quartiles: Doubles = low + (ranks % 1) * (high - low)
    return quartiles
