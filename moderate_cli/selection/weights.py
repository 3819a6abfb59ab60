"""Weights of kept images, with which classes count as they do among all images."""

from __future__ import annotations

import numpy as np

from moderate_cli.arrays import Doubles, Labels, Mask


def class_weights(labels: Labels, images: Mask, kept: Mask) -> Doubles:
    """Return a weight for each kept image: its class's share of the images over that of the kept.

    Post-stratification (Holt and Smith, 1979). The mean is 1. Weights differ from 1 where the
    selection changed the shares of classes, such as with the balance "uniform" or the scope
    "global". A class of which no image is kept has no part in the shares.

    Parameters
    ----------
    labels
        (n,) class of each image.
    images, kept
        bool (n,), the images whose shares count, and the kept ones.

    Returns
    -------
    float64 (k,), in row order.

    Examples
    --------
    >>> labels = np.array([0, 0, 0, 1])
    >>> class_weights(labels, np.ones(4, dtype=bool), np.array([True, False, False, True]))
    array([1.5, 0.5])
    """
    classes, sizes = np.unique(labels[images | kept], return_counts=True)
    own = np.searchsorted(classes, labels[kept])
    counts = np.bincount(own, minlength=len(classes))
    total = sizes[counts > 0].sum()
    weights: Doubles = sizes[own] / max(total, 1) * len(own) / counts[own]
    return weights
