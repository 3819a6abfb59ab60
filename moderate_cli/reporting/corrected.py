"""The earlier corrections of a dataset, which the CSV of a page has beside the new ones."""

from __future__ import annotations

import numpy as np

from moderate_cli.dataset import Dataset
from moderate_cli.reporting.pictures import base64_of

MOST_FOR_CORRECTIONS = 4_000_000  # bytes


def corrected_before(dataset: Dataset) -> list[list[str]] | None:
    """Return path, given class and label of each corrected image, in base64; "" leaves it out.

    None if a page has no room for them.
    """
    before, classes = dataset.corrections, dataset.classes
    if before is None:
        return []
    found, room = [], MOST_FOR_CORRECTIONS
    for row in np.flatnonzero(before.corrected != before.given).tolist():
        label = "" if before.left_out[row] else classes[before.labels[row]]
        texts = dataset.paths[row], classes[before.given[row]], label
        found.append(list(map(base64_of, texts)))
        room -= sum(map(len, found[-1])) + 12  # quotes, commas and brackets
        if room < 0:
            return None
    return found
