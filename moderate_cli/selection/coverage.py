"""The strategy facility-location: cover each class by similarity."""

from __future__ import annotations

import numpy as np

from moderate_cli.arrays import Points, Rows

DIGITS = 9  # decimals of a gain that are compared


def facility_location(points: Points, k: int) -> Rows:
    """Greedy facility location (Nemhauser et al., 1978), by lazy evaluation (Minoux, 1978).

    Each step adds the image that increases sum_i max_j s(i, j) most, where j are the picked images
    and s is one plus the cosine similarity. The result is within 1 - 1/e of the optimum.

    Parameters
    ----------
    points
        float64 (n, d), the features of one class.
    k
        Number to pick, at most n.

    Returns
    -------
    int64 (k,)
        Rows in the order picked; ties go to the first row.

    Examples
    --------
    >>> facility_location(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]]), 2)
    array([1, 2])
    """
    similarity = points @ points.T
    lengths = np.sqrt(similarity.diagonal())
    inverse = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    similarity *= inverse
    similarity *= inverse[:, None]
    similarity += 1
    reached = np.zeros(len(points))  # similarity of each image to its nearest picked image
    # The gain of an image only shrinks as others are picked, so an old gain is an upper bound. Two
    # images that are nearest to each other have equal gains; rounding gives such ties to the first.
    bounds = similarity.sum(axis=1).round(DIGITS)
    picked = np.empty(k, dtype=np.int64)
    stale, count = np.zeros(len(points), dtype=np.bool_), 1
    for step in range(k):
        count = max(1, count // 4)
        while stale[best := int(bounds.argmax())]:
            # As many bounds together as the step before needed, more if that decides nothing.
            old = np.flatnonzero(stale)
            if count < len(old):
                old = old[np.argpartition(bounds[old], -count)[-count:]]
            gain = np.maximum(similarity[old] - reached, 0).sum(axis=1)
            bounds[old] = gain.round(DIGITS)
            stale[old] = False
            count *= 2
        picked[step] = best
        np.maximum(reached, similarity[best], out=reached)
        bounds[best] = -np.inf
        stale = bounds > -np.inf
    return picked
