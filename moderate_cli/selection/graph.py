"""The graph strategy: scores are passed along a graph of neighbors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Points, Rows, directions

NEIGHBORS = 10
FORWARD, REVERSE = 1.0, 1.0  # gamma_f and gamma_r of the paper


def graph(points: Points, k: int, values: npt.NDArray[Any]) -> Rows:
    """D2 Pruning (Maharana et al., ICLR 2024, Section 3.2).

    Images are nodes of a graph of the `NEIGHBORS` nearest neighbors; the value of a node is its
    score, scaled to 0..1. Forward, a node gains exp(-gamma_f d^2) of each neighbor's value, which
    raises dense regions. Then the node with the highest value is picked, repeatedly; its neighbors
    lose exp(-gamma_r d^2) of its value, so that the next pick is elsewhere. Distances d are between
    features of length 1.

    Parameters
    ----------
    points
        float64 (n, d), the features of one class.
    k
        Number to pick, at most n.
    values
        (n,) scores; higher ones are preferred.

    Returns
    -------
    int64 (k,)
        Rows in the order picked; ties go to the first row.

    Examples
    --------
    >>> points = np.array([[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [0.0, 1.0], [0.1, 1.0]])
    >>> graph(points, 2, np.ones(5))
    array([2, 3])
    """
    squares, neighbors = _neighbors(points)
    span = values.max() - values.min()
    start = (values - values.min()) / span if span > 0 else np.ones(len(points))
    standing = start + (np.exp(-FORWARD * squares) * start[neighbors]).sum(axis=1)
    weights = np.exp(-REVERSE * squares)
    picked = np.empty(k, dtype=np.int64)
    for step in range(k):
        best = picked[step] = standing.argmax()
        standing[neighbors[best]] -= weights[best] * standing[best]
        standing[best] = -np.inf
    return picked


def _neighbors(points: Points) -> tuple[Points, Rows]:
    """Return squared distances and rows of the nearest neighbors: two (n, m) arrays."""
    squares = np.maximum(2 - 2 * ((unit := directions(points)) @ unit.T), 0)
    np.fill_diagonal(squares, np.inf)
    count = min(NEIGHBORS, len(points) - 1)
    neighbors = np.argsort(squares, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(squares, neighbors, axis=1), neighbors
