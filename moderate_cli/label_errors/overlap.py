"""Overlap of classes: the share of images that a head gets wrong, estimated without their labels.

A head on the same features is fitted to the predictions of another. Where classes form clusters, it
explains the predictions almost fully. Where images are dense at the borders between classes, no
linear function does. Wrong labels change little of that.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from moderate_cli.arrays import Rows, blocks
from moderate_cli.scoring.ridge import SAMPLE, Ridge
from moderate_cli.threads import in_threads

# Of the unexplained share. On strong and weak features of CIFAR-100, Fashion-MNIST and photos of
# clothing, 4 to 20 classes, the error of a head on true labels is 0.7 to 1.35 times this power.
POWER = 1.5


def overlap(head: Ridge, predicted: Rows, at_once: int) -> float:
    """Estimate the share of images that a head gets wrong, in [0, 1], without their labels.

    Parameters
    ----------
    head
        A fitted head.
    predicted
        int64 (m,), the class with the highest held-out output for each image.
    at_once
        Number of images in each block.

    Examples
    --------
    >>> features, members = np.array([[0.0], [1.0], [9.0], [10.0]]), np.array([0, 0, 1, 1])
    >>> head = Ridge(features, np.arange(4), members, 2, 0.03)
    >>> round(overlap(head, np.array([0, 0, 1, 1]), 4), 2)
    0.01
    >>> overlap(head, np.array([0, 1, 0, 1]), 4)
    1.0
    """
    shares = np.bincount(predicted) / len(predicted)
    variance = 1 - float(shares @ shares)
    if variance <= 0:
        return 1.0
    residual = partial(head.refitted(predicted).of_held_out, squared_error)
    every = np.arange(len(predicted))[:: -(-len(predicted) // SAMPLE)]
    errors = in_threads(residual, [every[part] for part in blocks(len(every), at_once)])
    unexplained = float(np.concatenate([one for (one,) in errors]).mean()) / variance
    return min(1.0, float(unexplained**POWER))


def squared_error(_module: Any, outputs: Any, every: Any, own: Any) -> tuple[Any]:
    """Return the squared distance of outputs to one-hot classes, (b,)."""
    return ((outputs**2).sum(axis=1) - 2 * outputs[every, own] + 1,)
