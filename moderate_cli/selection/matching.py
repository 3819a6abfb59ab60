"""Strategies whose picks follow a target, step by step: matching and herding."""

from __future__ import annotations

import math

import numpy as np

from moderate_cli.arrays import Doubles, directions
from moderate_cli.scoring.centers import geometric_median
from moderate_cli.selection.following import Picked, follow
from moderate_cli.selection.scaled import Scaled

# Enough for a target: picks do not depend on its tenth digit.
TOLERANCE = 1e-6
# Steps in single precision, which takes a fifth of the time. Squared distances to the median that
# are a smaller share of the squared length of features lose too many digits in it.
MOST_STEPS, APART = 30, 1 / 64


def matching(points: Scaled, k: int, left: Doubles | None = None) -> Picked:
    """GM Matching (Acharya et al., arXiv 2406.17188), in the form of its released code.

    Features and their geometric median m are scaled to length 1. Start with theta = m; k times,
    pick i = argmax <theta, z_i> of the remaining images, then theta += m - z_i.

    Up to half of the class may be corrupted before m is far off. The mean of the features is
    shorter than m, because they differ; so no selection reaches the target, and images that point
    the way of m are preferred. That makes this form nearly blind to wrong labels, and less diverse
    than `matching_unscaled`, the form of the paper, whose target is in the middle of the features.

    Parameters
    ----------
    points
        Features of one class, or of a part of it, (n, d).
    k
        Number to pick, at most n.
    left
        float64 (d,), from the part before; None for the first part.

    Examples
    --------
    >>> matching(Scaled(np.array([[1.0, 0.0], [1.0, 0.2], [1.0, 0.4], [0.0, 1.0]])), 2).rows
    array([1, 2])
    """
    unit = points.directions()
    return follow(unit, directions(median(unit)[None])[0], k, left)


def matching_unscaled(points: Scaled, k: int, left: Doubles | None = None) -> Picked:
    """GM Matching as in the paper (arXiv 2406.17188, Algorithm 1): as `matching`, but unscaled.

    The mean of the picked images follows the geometric median.

    >>> matching_unscaled(Scaled(np.array([[0.0], [1.0], [2.0], [3.0], [100.0]])), 2).rows
    array([4, 0])
    """
    return follow(points, median(points), k, left)


def herding(points: Scaled, k: int, left: Doubles | None = None) -> Picked:
    """Herding in the form of iCaRL (Rebuffi et al., CVPR 2017, Algorithm 4).

    Each step picks the image that brings the mean of the picked ones nearest to the mean mu of the
    class: i = argmax <(t + 1) mu - s, z_i> - |z_i|^2 / 2, where s is the sum of the t picked so
    far. Kernel herding (Welling, ICML 2009) leaves out the last term, which is right only for
    features of equal length.

    Parameters and result as of `matching`.

    >>> herding(Scaled(np.array([[0.0], [1.0], [2.0], [3.0], [4.0]])), 3).rows
    array([2, 1, 3])
    """
    return follow(points, points.mean(), k, left, costly=True)


def adaptive(points: Scaled, k: int, left: Doubles | None = None) -> Picked:
    """Herding of features that are scaled to length 1; parameters and result as of `matching`."""
    unit = points.directions()
    return follow(unit, unit.mean(), k, left, costly=True)


def median(points: Scaled) -> Doubles:
    """Return the geometric median, by Weiszfeld's iteration in single precision if that does."""
    features, squares, scales = points.single, points.squares, points.scales
    n = len(points)
    if scales is None:
        scales = np.ones_like(squares)
    twice = 2 * scales
    least = APART * points.largest
    estimate = (scales / n) @ features
    for _ in range(MOST_STEPS):
        apart = features @ estimate
        apart *= twice
        np.subtract(squares, apart, out=apart)
        apart += estimate @ estimate
        if apart.min() <= least:
            break
        weights = 1 / np.sqrt(apart)
        total = weights.sum()
        weights *= scales
        moved = (weights @ features) / total - estimate
        estimate += moved
        if math.sqrt(moved @ moved) <= TOLERANCE * n / total:  # of the harmonic mean of distances
            return estimate.astype(np.float64)
    start = estimate.astype(np.float64)
    return geometric_median(points.blocks, start, tolerance=TOLERANCE)
