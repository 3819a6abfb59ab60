"""Strategies whose picks follow a target, step by step: matching and herding."""

from __future__ import annotations

import numpy as np

from moderate_cli.arrays import Doubles, Features, directions
from moderate_cli.scoring.centers import geometric_median
from moderate_cli.selection.following import Picked, Scaled, follow

# Enough for a target: picks do not depend on its tenth digit.
TOLERANCE = 1e-6
FIRST_STEPS = 5
TINY = np.finfo(np.float64).tiny


def matching(points: Features, k: int, left: Doubles | float = 0.0) -> Picked:
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
        (n, d), float32 or float64, the features of one class or a part of it.
    k
        Number to pick, at most n.
    left
        float64 (d,), from the part before; 0 for the first part.

    Examples
    --------
    >>> matching(np.array([[1.0, 0.0], [1.0, 0.2], [1.0, 0.4], [0.0, 1.0]]), 2).rows
    array([1, 2])
    """
    unit = Scaled.directions(points)
    return follow(unit, directions(_median(unit)[None])[0], k, left)


def matching_unscaled(points: Features, k: int, left: Doubles | float = 0.0) -> Picked:
    """GM Matching as in the paper (arXiv 2406.17188, Algorithm 1): as `matching`, but unscaled.

    The mean of the picked images follows the geometric median.

    >>> matching_unscaled(np.array([[0.0], [1.0], [2.0], [3.0], [100.0]]), 2).rows
    array([4, 0])
    """
    scaled = Scaled(points)
    return follow(scaled, _median(scaled), k, left)


def herding(points: Features, k: int, left: Doubles | float = 0.0) -> Picked:
    """Herding in the form of iCaRL (Rebuffi et al., CVPR 2017, Algorithm 4).

    Each step picks the image that brings the mean of the picked ones nearest to the mean mu of the
    class: i = argmax <(t + 1) mu - s, z_i> - |z_i|^2 / 2, where s is the sum of the t picked so
    far. Kernel herding (Welling, ICML 2009) leaves out the last term, which is right only for
    features of equal length.

    Parameters and result as of `matching`.

    >>> herding(np.array([[0.0], [1.0], [2.0], [3.0], [4.0]]), 3).rows
    array([2, 1, 3])
    """
    scaled = Scaled(points)
    return follow(scaled, scaled.mean, k, left, scaled.squares / 2)


def adaptive(points: Features, k: int, left: Doubles | float = 0.0) -> Picked:
    """Herding of features that are scaled to length 1; parameters and result as of `matching`."""
    unit = Scaled.directions(points)
    return follow(unit, unit.mean, k, left, unit.squares / 2)


def _median(points: Scaled) -> Doubles:
    return geometric_median(points.blocks, _near_median(points), tolerance=TOLERANCE)


def _near_median(points: Scaled) -> Doubles:
    """Take the first steps of Weiszfeld's iteration in single precision, in a fifth of the time."""
    features = points.single
    scales = np.ones(len(features)) if points.scales is None else points.scales
    weights, least = np.ones(len(features)), TOLERANCE * points.squares.mean() + TINY
    for _ in range(FIRST_STEPS):
        share = (weights * scales / weights.sum()).astype(features.dtype)
        estimate = share @ features
        squares = points.squares - 2 * scales * (features @ estimate) + estimate @ estimate
        weights = 1 / np.sqrt(np.maximum(squares, least))
    return np.asarray(estimate, dtype=np.float64)
