"""The images that a report shows: all, or a sample of many."""

from __future__ import annotations

import numpy as np

from moderate_cli.arrays import Rows
from moderate_cli.reporting.subject import Subject

MOST_IMAGES = 20_000
# Of more images than there is room for, those to look at come first.
MOST_SUSPECTS, MOST_PAIRS = 1_000, 200


def sample(subject: Subject) -> Rows:
    """Return the images to show, int64 (m,), the most important first.

    They are the surest suspects; near duplicates with the images that they resemble, those with
    another label first; and images of each class at random, the first of each before the second
    of any. A page shows as many of them as it has room for.
    """
    suspects = subject.suspected[:MOST_SUSPECTS]
    first = np.concatenate([suspects, _pairs(subject)])
    _, at = np.unique(first, return_index=True)
    first = first[np.sort(at)]
    rows = np.flatnonzero(subject.readable)
    rest = _by_turns(subject, rows[~np.isin(rows, first)])
    return np.concatenate([first, rest])[:MOST_IMAGES]


def sample_note(subject: Subject, shown: int) -> str:
    """Say how many images a page shows, and which, where it does not show all."""
    images = int(np.count_nonzero(subject.readable))
    if shown == images:
        return ""
    parts = []
    if suspects := min(shown, MOST_SUSPECTS, len(subject.suspected)):
        parts.append(f"the {suspects:,} surest likely label errors")
    if len(_pairs(subject)):
        parts.append("near duplicates")
    rest = "a random sample of each class"
    which = f"{', '.join(parts)}, and {rest}" if parts else rest
    return f"The page has room for {shown:,} of {images:,} images: {which}."


def _pairs(subject: Subject) -> Rows:
    """Return near duplicates, each followed by the image that it resembles."""
    found = subject.duplicates
    if found is None:
        return np.empty(0, np.int64)
    order = np.lexsort((found.rows, -found.similarity, ~subject.torn))[:MOST_PAIRS]
    return np.stack([found.rows[order], found.survivors[order]], axis=1).ravel()


def _by_turns(subject: Subject, rows: Rows) -> Rows:
    """Order images at random, the first of each class before the second of any."""
    drawn = np.random.default_rng(subject.choice.seed).permutation(rows)
    members = subject.members[drawn]
    order = np.argsort(members, kind="stable")
    sizes = np.bincount(members, minlength=len(subject.labels))
    turns = np.arange(len(drawn)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return drawn[order][np.argsort(turns, kind="stable")]
