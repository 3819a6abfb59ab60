"""Features of several networks -> comparable ones."""

from __future__ import annotations

import numpy as np

from moderate_cli.arrays import Doubles, Floats


def align(features: Floats, reference: Floats) -> tuple[Doubles, Doubles]:
    """Turn, scale and shift features of one network to be as near to another's as possible.

    Two networks know the same classes in different axes. The turn is the solution of the
    orthogonal Procrustes problem (Schoenemann, 1966) for the same images; the scale gives both the
    same variance.

    Parameters
    ----------
    features, reference
        float32 (n, d), of the same images.

    Returns
    -------
    turn, shift
        float64 (d, d) and (d,): features @ turn + shift is comparable with the reference.

    Examples
    --------
    >>> points = np.array([[0, 0], [1, 0], [0, 2]], dtype=np.float32)
    >>> turned = 3 * points @ np.array([[0, 1], [-1, 0]], dtype=np.float32) + 5
    >>> turn, shift = align(turned, points)
    >>> np.abs(turned @ turn + shift - points).max().round(6)
    np.float64(0.0)
    """
    mean, center = (one.mean(axis=0, dtype=np.float64) for one in (features, reference))
    own, other = features - mean, reference - center
    left, _, right = np.linalg.svd(own.T @ other)
    spread = np.sqrt(np.square(own).sum())
    scale = np.sqrt(np.square(other).sum()) / spread if spread else 1.0
    turn = scale * (left @ right)
    return turn, center - mean @ turn
