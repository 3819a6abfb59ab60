"""Strategies that match the center of a class: matching and herding."""

from __future__ import annotations

import numpy as np

from moderate_cli.arrays import Doubles, Points, Rows
from moderate_cli.scoring.centers import geometric_median

# Enough for a target: picks do not depend on its tenth digit.
TOLERANCE = 1e-6


def matching(points: Points, k: int) -> Rows:
    """GM Matching (Acharyya et al., arXiv 2406.17188, Algorithm 1).

    Herding towards the geometric median m instead of the mean, so that up to half of the class may
    be corrupted. Start with theta = m; k times, pick i = argmax <theta, z_i> of the remaining
    images, then theta += m - z_i.

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
    >>> matching(np.array([[0.0], [1.0], [2.0], [3.0], [100.0]]), 2)
    array([4, 0])
    """
    center = geometric_median(lambda: iter([points]), points.mean(axis=0), tolerance=TOLERANCE)
    return _match(points, center, k)


def herding(points: Points, k: int) -> Rows:
    """Kernel herding with the linear kernel (Welling, ICML 2009; Chen et al., UAI 2010, Eq. 8).

    As `matching`, but towards the mean: the mean of the picked images stays close to it.

    >>> herding(np.array([[0.0], [1.0], [2.0], [3.0], [4.0]]), 2)
    array([4, 0])
    """
    return _match(points, points.mean(axis=0), k)


def _match(points: Points, target: Doubles, k: int) -> Rows:
    # <theta, z_i> for all i; with the Gram matrix, a step of theta adds one row of it.
    pull = points @ target
    standing = pull.copy()
    gram = points @ points.T
    picked = np.empty(k, dtype=np.int64)
    for step in range(k):
        best = picked[step] = standing.argmax()
        standing += pull
        standing -= gram[best]
        standing[best] = -np.inf
    return picked
