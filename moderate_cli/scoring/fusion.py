"""One score from several feature sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles

# The weights of RAM-APL (Section 4.3) at ratio 0.5; at 0.1 they are 0.68 and 0.32.
RANK, DISAGREEMENT = 0.6, 0.4


def fuse(
    scores: Sequence[Doubles], margins: Sequence[Doubles], labels: npt.NDArray[np.integer[Any]]
) -> Doubles:
    """Combine the mean rank in the class with the share of sets that prefer another class.

    As RAM-APL (Wan et al., ICML 2025): the mean over feature sets of an image's rank in its class,
    scaled to [0, 1), and the share of sets that prefer another class. The paper asks which class
    center is the closest, but the image's own center has seen it; here a held-out head is asked.

    Parameters
    ----------
    scores
        Scores of each set, float64 (n,); NaN for unreadable images.
    margins
        Scores of each set by criterion "margin", float64 (n,); empty if there is one class.
    labels
        (n,) class of each image.

    Returns
    -------
    float64 (n,)
        In [0, 1]; NaN if a score is NaN.

    Examples
    --------
    >>> far_in_both = fuse([np.array([1.0, 2.0]), np.array([3.0, 9.0])], [], np.array([0, 0]))
    >>> far_in_both
    array([0. , 0.3])
    """
    fused: Doubles = RANK * np.mean([class_ranks(values, labels) for values in scores], axis=0)
    if margins:
        fused += DISAGREEMENT * np.mean([margin > 0 for margin in margins], axis=0)
    return fused


def class_ranks(values: Doubles, labels: npt.NDArray[np.integer[Any]]) -> Doubles:
    """Return the rank of each value in its class, divided by the class size; ties share a rank.

    >>> class_ranks(np.array([5.0, 5.0, 1.0, 7.0]), np.array([0, 0, 0, 1]))
    array([0.5, 0.5, 0. , 0. ])
    """
    ranks = np.full(len(values), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    if len(known) == 0:
        return ranks
    order = known[np.lexsort((values[known], labels[known]))]
    classes, ordered = labels[order], values[order]
    new_class = np.append(True, classes[1:] != classes[:-1])
    new_value = new_class | np.append(True, ordered[1:] != ordered[:-1])
    starts, run = np.flatnonzero(new_value), np.cumsum(new_value) - 1
    middle = (starts + np.append(starts[1:], len(order)) - 1) / 2
    first = np.flatnonzero(new_class)
    group = np.cumsum(new_class) - 1
    sizes = np.diff(np.append(first, len(order)))
    ranks[order] = (middle[run] - first[group]) / sizes[group]
    return ranks
