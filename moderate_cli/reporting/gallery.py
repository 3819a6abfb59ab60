"""The gallery of a report: which images of each class it shows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Rows
from moderate_cli.reporting.subject import Subject

MOST_IMAGES, MOST_CLASSES = 3_000, 500
MOST_ON_A_SHELF = 12


class Shelf(NamedTuple):
    """Images of a class that have something in common.

    Attributes
    ----------
    title
        What they have in common.
    rows
        The images, in the order that they are shown.
    """

    title: str
    rows: Rows


def gallery(subject: Subject) -> dict[int, list[Shelf]]:
    """Choose images of each class, by its position; of many classes only the largest have any.

    They are the nearest to the class center, those at the median and the farthest; kept and
    dropped ones, evenly over the scores; and suspects, the most probable first.
    """
    rows = np.flatnonzero(subject.readable)
    order = np.lexsort((rows, subject.scores.values[rows], subject.members[rows]))
    rows = rows[order]
    sizes = np.bincount(subject.members[rows], minlength=len(subject.labels))
    groups = np.split(rows, np.cumsum(sizes)[:-1])
    largest = np.sort(np.argsort(-sizes, kind="stable")[:MOST_CLASSES]).tolist()
    room = max(1, min(MOST_ON_A_SHELF, MOST_IMAGES // (6 * len(largest))))
    suspected = subject.members[subject.suspected]
    return {
        member: _shelves(subject, groups[member], subject.suspected[suspected == member], room)
        for member in largest
    }


def gallery_note(subject: Subject, classes: int) -> str:
    """Say how many classes the gallery shows, where it does not show all."""
    if classes == len(subject.labels):
        return ""
    return f"The {classes:,} largest of {len(subject.labels):,} classes are shown."


def _shelves(subject: Subject, ranked: Rows, suspected: Rows, room: int) -> list[Shelf]:
    """Choose from the images of a class, given in the order of their scores."""
    kept = subject.kept[ranked]
    middle = max(0, (len(ranked) - room + 1) // 2)
    far = subject.measure.startswith("distance")
    found = [
        Shelf("Nearest to the center" if far else "Lowest scores", ranked[:room]),
        Shelf("At the median", ranked[middle : middle + room]),
        Shelf("Farthest from the center" if far else "Highest scores", ranked[::-1][:room]),
        Shelf("Kept, from low to high", _spread(ranked[kept], room)),
        Shelf("Dropped, from low to high", _spread(ranked[~kept], room)),
        Shelf("Suspects", suspected[:room]),
    ]
    return [shelf for shelf in found if len(shelf.rows)]


def _spread(rows: Rows, room: int) -> Rows:
    """Take so many rows, as evenly as can be.

    >>> _spread(np.arange(9), 3).tolist(), _spread(np.arange(2), 3).tolist()
    ([1, 4, 7], [0, 1])
    """
    if len(rows) <= room:
        return rows
    return rows[((2 * np.arange(room) + 1) * len(rows)) // (2 * room)]
