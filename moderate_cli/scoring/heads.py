"""Criteria from training a linear head on the features: EL2N, GraNd, forgetting, AUM.

The papers train the whole network, for hours. Here the backbone is frozen, and only a new last
layer is trained, in seconds, on the labels, which the backbone has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Doubles, Features, Rows
from moderate_cli.scoring.linear_head import LinearHead

EPOCHS = 20
EARLY = 2  # epochs before the early scores are taken: a tenth, as in the paper
RUNS = 3  # trainings over which early scores are averaged


def el2n(features: Features, rows: Rows, members: Rows, seed: int) -> Doubles:
    """Error L2-norm (Paul et al., NeurIPS 2021, Definition 2.2): ||p(x) - y||, early in training.

    Parameters
    ----------
    features
        (n, d) of any float type.
    rows, members
        int64 (m,), rows to score, ascending, and the class of each, numbered from 0.
    seed
        Seed of the order of training.

    Returns
    -------
    float64 (m,)
        In [0, sqrt(2)]; high for images that are hard for the head.
    """
    return _early(features, rows, members, seed, lambda seen: seen.error)


def grand(features: Features, rows: Rows, members: Rows, seed: int) -> Doubles:
    """Gradient norm (Paul et al., NeurIPS 2021, Definition 2.1), with respect to the head.

    The gradient of the loss is the outer product of p(x) - y and (x, 1), so its norm is the
    product of their norms. Parameters as of `el2n`; float64 (m,), not negative.
    """
    return _early(features, rows, members, seed, lambda seen: seen.error * seen.length)


def forgetting(features: Features, rows: Rows, members: Rows, seed: int) -> Doubles:
    """Forgetting events (Toneva et al., ICLR 2019): times that right is followed by wrong.

    For an image that is never right, the number of epochs plus one. Parameters as of `el2n`;
    float64 (m,), whole numbers.
    """
    events, before = np.zeros(len(rows)), np.zeros(len(rows), dtype=np.bool_)
    ever = before
    for seen in _epochs(features, rows, members, seed, EPOCHS):
        right = seen.margin > 0
        events += before & ~right
        before, ever = right, ever | right
    events[~ever] = EPOCHS + 1
    return events


def aum(features: Features, rows: Rows, members: Rows, seed: int) -> Doubles:
    """Area under the margin (Pleiss et al., NeurIPS 2020, Eq. 2), negated.

    The mean over epochs of the highest other logit minus the logit of the label: high for images
    to which the head prefers to give another label. Parameters as of `el2n`; float64 (m,).
    """
    total = np.zeros(len(rows))
    for seen in _epochs(features, rows, members, seed, EPOCHS):
        total -= seen.margin
    return total / EPOCHS


class Seen(NamedTuple):
    """Outputs of the head for each image in one epoch, before the image's step: float64 (m,).

    Attributes
    ----------
    margin
        Logit of the label minus the highest other one.
    error
        Length of the predicted probabilities minus those of the label.
    length
        Length of (x, 1), where x is the scaled feature.
    """

    margin: Doubles
    error: Doubles
    length: Doubles


def _early(
    features: Features, rows: Rows, members: Rows, seed: int, take: Callable[[Seen], Doubles]
) -> Doubles:
    """Average a score over `RUNS` trainings, each after `EARLY` epochs."""
    total = np.zeros(len(rows))
    for run in range(RUNS):
        *_, last = _epochs(features, rows, members, seed + run, EARLY + 1)
        total += take(last)
    return total / RUNS


def _epochs(
    features: Features, rows: Rows, members: Rows, seed: int, epochs: int
) -> Iterator[Seen]:
    """Train a head; yield its outputs in each epoch."""
    head = LinearHead(features, rows, members, int(members.max()) + 1, seed)
    for _ in range(epochs):
        seen = Seen(*(np.empty(len(rows)) for _ in Seen._fields))
        for step in head.epoch():
            every, own = np.arange(len(step.batch)), members[step.batch]
            seen.error[step.batch] = np.linalg.norm(step.error, axis=1)
            seen.length[step.batch] = np.linalg.norm(step.inputs, axis=1)
            label = step.logits[every, own]
            step.logits[every, own] = -np.inf
            seen.margin[step.batch] = label - step.logits.max(axis=1)
        yield seen
