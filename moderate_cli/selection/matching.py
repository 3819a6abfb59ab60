"""Strategies whose picks follow a target, step by step: matching and herding."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Doubles, Points, Rows, directions
from moderate_cli.scoring.centers import geometric_median

# Enough for a target: picks do not depend on its tenth digit.
TOLERANCE = 1e-6


class Picked(NamedTuple):
    """The images picked from one part of a class.

    Attributes
    ----------
    rows
        int64 (k,), in the order picked; ties go to the first row.
    left
        float64 (d,), what the next part has to make up for: the targets of all steps so far, minus
        the picked features.
    """

    rows: Rows
    left: Doubles


def matching(points: Points, k: int, left: Doubles | float = 0.0) -> Picked:
    """GM Matching (Acharyya et al., arXiv 2406.17188), in the form of its released code.

    Features and their geometric median m are scaled to length 1. Start with theta = m; k times,
    pick i = argmax <theta, z_i> of the remaining images, then theta += m - z_i.

    Up to half of the class may be corrupted before m is far off. The mean of the features is
    shorter than m, because they differ; so no selection reaches the target, and images that point
    the way of m are preferred. That makes this form nearly blind to wrong labels, and less diverse
    than `matching_unscaled`, the form of the paper, whose target is in the middle of the features.

    Parameters
    ----------
    points
        float64 (n, d), the features of one class or a part of it. Rows of zeros stay zeros.
    k
        Number to pick, at most n.
    left
        float64 (d,), from the part before; 0 for the first part.

    Examples
    --------
    >>> matching(np.array([[1.0, 0.0], [1.0, 0.2], [1.0, 0.4], [0.0, 1.0]]), 2).rows
    array([1, 2])
    """
    unit = directions(points)
    return _follow(unit, directions(_median(unit)[None])[0], k, left)


def matching_unscaled(points: Points, k: int, left: Doubles | float = 0.0) -> Picked:
    """GM Matching as in the paper (arXiv 2406.17188, Algorithm 1): as `matching`, but unscaled.

    The mean of the picked images follows the geometric median.

    >>> matching_unscaled(np.array([[0.0], [1.0], [2.0], [3.0], [100.0]]), 2).rows
    array([4, 0])
    """
    return _follow(points, _median(points), k, left)


def herding(points: Points, k: int, left: Doubles | float = 0.0) -> Picked:
    """Herding in the form of iCaRL (Rebuffi et al., CVPR 2017, Algorithm 4).

    Each step picks the image that brings the mean of the picked ones nearest to the mean mu of the
    class: i = argmax <(t + 1) mu - s, z_i> - |z_i|^2 / 2, where s is the sum of the t picked so
    far. Kernel herding (Welling, ICML 2009) leaves out the last term, which is right only for
    features of equal length.

    Parameters and result as of `matching`.

    >>> herding(np.array([[0.0], [1.0], [2.0], [3.0], [4.0]]), 3).rows
    array([2, 1, 3])
    """
    return _follow(points, points.mean(axis=0), k, left, np.vecdot(points, points) / 2)


def _median(points: Points) -> Doubles:
    return geometric_median(lambda: iter([points]), points.mean(axis=0), tolerance=TOLERANCE)


def _follow(
    points: Points, target: Doubles, k: int, left: Doubles | float, cost: Doubles | float = 0.0
) -> Picked:
    # <theta, z_i> for all i; with the Gram matrix, a step of theta adds one row of it.
    pull = points @ target
    standing = points @ (left + target) - cost
    gram = points @ points.T
    picked = np.empty(k, dtype=np.int64)
    for step in range(k):
        best = picked[step] = standing.argmax()
        standing += pull
        standing -= gram[best]
        standing[best] = -np.inf
    return Picked(picked, left + k * target - points[picked].sum(axis=0))
