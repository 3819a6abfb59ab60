"""Strangers: images that are closer to most other classes than to their own.

Their share is a quick test of labels and features; see `moderate_cli.label_errors.suspects` for
which labels are wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Features, Mask, blocks, read_rows

BLOCK_ROWS = 4096
SAMPLE = 8192
DISTANCES = 1 << 22  # in memory at a time
FEW_CLASSES = 4
# Shares above which labels may be wrong, and features may not separate the classes. Clean sets have
# 0.01 to 0.02; if half of all labels are wrong, the share is about 0.3.
MANY_STRANGERS, MOSTLY_STRANGERS = 0.08, 0.35


def share_of_strangers(
    features: Features,
    labels: npt.NDArray[np.integer[Any]],
    readable: Mask | None = None,
) -> float:
    """Return the share of images that are closer to half of the other centers than to their own.

    A hard image is close to one or two other centers. For a mislabeled image its own center is just
    one of many, unless the wrong label follows its looks. This is a quick test on a sample: one
    part of it gives the centers, the other part the images.

    Parameters as of `find_suspects`. With fewer than `FEW_CLASSES` classes the share means nothing,
    and is 0.
    """
    rows = np.arange(len(labels)) if readable is None else np.flatnonzero(readable)
    _, members = np.unique(labels[rows], return_inverse=True)
    classes, size = int(members.max(initial=0)) + 1, min(len(rows) // 2, SAMPLE)
    if classes < FEW_CLASSES or size == 0:
        return 0.0
    order = np.random.default_rng(0).permutation(len(rows))
    reference, judged = np.sort(order[:size]), np.sort(order[size : 2 * size])
    counts = np.bincount(members[reference], minlength=classes)
    centers = np.zeros((classes, features.shape[1]))
    for part in blocks(size, BLOCK_ROWS):
        np.add.at(centers, members[reference[part]], read_rows(features, rows[reference[part]]))
    centers /= np.maximum(counts, 1)[:, None]
    judged = judged[counts[members[judged]] > 0]
    known = np.flatnonzero(counts)
    strangers = 0
    for part in blocks(len(judged), max(1, min(BLOCK_ROWS, DISTANCES // classes))):
        points = read_rows(features, rows[judged[part]])
        distances = np.vecdot(centers, centers) - 2 * (points @ centers.T)
        own = distances[np.arange(len(points)), members[judged[part]]]
        nearer = (distances[:, known] < own[:, None]).sum(axis=1)
        strangers += int(np.count_nonzero(2 * nearer >= len(known)))
    return strangers / max(1, len(judged))
