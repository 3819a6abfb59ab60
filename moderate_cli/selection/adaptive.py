"""The rule of strategy adaptive: how much of the hard end of each class is left out.

The images are ranked by their held-out margin, and the strategy selects from the surest ones. If
few images per class are kept, or the classes are hard to tell apart, these are the images that
teach most; if many are kept of an easy dataset, leaving out hard ones only costs variety, and all
but the wrong labels are worth selecting from.
"""

from __future__ import annotations

import math

import numpy as np

from moderate_cli.arrays import Rows, Values

# Chosen on training images of CIFAR-100, Fashion-MNIST and clothing photos.
SHARE_OF_FEW = 0.5  # of the images that the head gets right, if very few are kept
MANY = 500  # images kept per class, and unit of squared error, at which the rule is halfway
KNOWN, SURE = 0.25, 0.5  # accuracies from which, and up to which, the head is trusted


def surest_share(kept: float, accuracy: float, noise_rate: float) -> float:
    """Return the share of a class to select from.

    Parameters
    ----------
    kept
        Number of images to keep of the class.
    accuracy
        Share of the images whose label the head predicts without having seen them.
    noise_rate
        Estimated share of wrong labels.

    Examples
    --------
    >>> [round(surest_share(kept, 0.8, 0.0), 2) for kept in (0, 20, 200)]
    [0.4, 0.7, 0.95]
    >>> [round(surest_share(kept, 0.8, 0.1), 2) for kept in (0, 20, 200)]
    [0.4, 0.78, 0.89]
    """
    right = 1 - noise_rate
    known = min(1.0, accuracy / right) if right > 0 else 0.0
    many = kept / (kept + MANY * (1 - known) ** 2) if kept else 0.0
    trusted = min(1.0, max(0.0, (known - KNOWN) / (SURE - KNOWN)))
    few = (1 - many) * trusted
    return few * SHARE_OF_FEW * accuracy + (1 - few) * right


def surest(values: Values, k: int, share: float) -> Rows:
    """Return the positions of the lowest scores: a share of them, but at least k, ascending.

    >>> surest(np.array([0.3, -0.5, 0.1, -0.2]), 1, 0.5)
    array([1, 3])
    """
    count = max(k, math.ceil(share * len(values)))
    return np.sort(np.argsort(values, kind="stable")[:count])
