"""The margin criterion: how much closer an image is to another class than to its own."""

from __future__ import annotations

import numpy as np

from moderate_cli.arrays import Doubles, Features, Rows, blocks, directions, read_rows
from moderate_cli.scoring.centers import class_centers

BLOCK_ROWS = 4096


def margins(
    features: Features, rows: Rows, classes: list[Rows], members: Rows, center: str, metric: str
) -> Doubles:
    """Distance to the own class center minus distance to the nearest other one.

    Negative for an image whose own center is the nearest; the higher, the more it looks like
    another class. (The negated margin of a nearest-centroid classifier.)

    Parameters
    ----------
    features
        (n, d) of any float type.
    rows, members
        int64 (m,), rows to score, ascending, and the class of each, numbered from 0.
    classes
        Rows of each class.
    center, metric
        Keys of `moderate_cli.scoring.centers.CENTERS` and `METRICS`.

    Returns
    -------
    float64 (m,)
    """
    centers = class_centers(features, classes, center)
    scores = np.empty(len(rows))
    for part in blocks(len(rows), BLOCK_ROWS):
        with np.errstate(invalid="ignore", over="ignore"):
            distances = _distances(read_rows(features, rows[part]), centers, metric)
        every = np.arange(len(distances))
        own = distances[every, members[part]]
        distances[every, members[part]] = np.inf
        scores[part] = own - distances.min(axis=1)
    return scores


def _distances(points: Doubles, centers: Doubles, metric: str) -> Doubles:
    """Return the distance of each point to each center, (m, c)."""
    if metric == "cosine":
        cosine: Doubles = directions(points) @ directions(centers).T
        return 1.0 - cosine.clip(-1.0, 1.0)
    squares = np.vecdot(points, points)[:, None] + np.vecdot(centers, centers)
    distances: Doubles = np.sqrt(np.maximum(squares - 2 * (points @ centers.T), 0))
    return distances
