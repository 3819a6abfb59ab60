"""The head of a report in numbers and words."""

from __future__ import annotations

import numpy as np

from moderate_cli.reporting.subject import Subject
from moderate_cli.selection import MEDIAN


def tiles(subject: Subject) -> dict[str, str]:
    """Count the images by their fate, and the problems found."""
    readable = int(np.count_nonzero(subject.readable))
    kept = int(np.count_nonzero(subject.kept))
    removed = readable - int(np.count_nonzero(subject.eligible))
    numbers: dict[str, int | None] = {
        "Images": readable,
        "Classes": len(subject.labels),
        "Kept": kept,
        "Dropped": readable - kept - removed,
        "Removed beforehand": removed or None,
        "Unreadable": len(subject.unreadable) or None,
        "Suspects": None if subject.suspects is None else len(subject.suspected),
        "Near duplicates": None if subject.duplicates is None else len(subject.duplicates.rows),
    }
    return {name: f"{number:,}" for name, number in numbers.items() if number is not None}


def middle(subject: Subject) -> str:
    """Name the middle of the window of strategy moderate."""
    quantile = subject.choice.window_quantile
    return "the median" if quantile == MEDIAN else f"the {float(quantile):g} quantile"
