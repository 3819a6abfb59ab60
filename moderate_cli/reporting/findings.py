"""Problems of the data that a report looks for by itself: label errors and near duplicates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from moderate_cli.label_errors.suspects import Suspects
from moderate_cli.results import LabeledFeatures
from moderate_cli.selection.duplicates import Duplicates, find_duplicates

NEAR = 0.95  # minimum cosine similarity of near duplicates
MOST_COMPARED = 20_000  # images: the time to compare all pairs grows with the square


def suspects_in(
    data: LabeledFeatures, *, on_progress: Callable[[int, int], None] | None = None
) -> Suspects | None:
    """Find likely label errors; None where labels are clusters, or all the same."""
    if data.labeling or len(np.unique(data.labels[data.readable])) < 2:
        return None
    return data.suspects(on_progress=on_progress)


def duplicates_in(
    data: LabeledFeatures, *, on_progress: Callable[[int, int], None] | None = None
) -> Duplicates | None:
    """Find near duplicates; None where there are too many images to compare."""
    rows = np.flatnonzero(data.readable)
    if len(rows) > MOST_COMPARED:
        return None
    data.check()
    return find_duplicates(data.features, rows, NEAR, on_progress)
