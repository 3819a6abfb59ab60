"""Criteria from a linear head that is trained on the features: EL2N, GraNd, forgetting, AUM.

The papers train the whole network, for hours. Here it is frozen, and its last layer is trained
anew, which takes seconds and sees the labels that the backbone has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Doubles, Features, Rows
from moderate_cli.scoring.linear_head import LinearHead

EPOCHS = 20
EARLY = 2  # epochs after which the early scores are taken: a tenth, as in the paper
RUNS = 3  # trainings that early scores are averaged over


def el2n(features: Features, rows: Rows, members: Rows, seed: int) -> Doubles:
    """Error L2-norm (Paul et al., NeurIPS 2021, Definition 2.2): ||p(x) - y||, early in training.

    Parameters
    ----------
    features
        (n, d) of any float type.
    rows, members
        int64 (m,), rows to score, ascending, and the class of each, numbered from 0.
    seed
        For the order of training.

    Returns
    -------
    float64 (m,)
        In [0, sqrt(2)]; high for images that the head finds hard.
    """
    return _early(features, rows, members, seed, lambda seen: seen.error)


def grand(features: Features, rows: Rows, members: Rows, seed: int) -> Doubles:
    """Gradient norm (Paul et al., NeurIPS 2021, Definition 2.1), with respect to the head.

    The gradient of the loss is the outer product of p(x) - y and (x, 1), so its norm is the
    product of theirs. Parameters as of `el2n`; float64 (m,), not negative.
    """
    return _early(features, rows, members, seed, lambda seen: seen.error * seen.length)


def forgetting(features: Features, rows: Rows, members: Rows, seed: int) -> Doubles:
    """Forgetting events (Toneva et al., ICLR 2019): how often right is followed by wrong.

    An image that is never right counts one more than there are epochs. Parameters as of `el2n`;
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

    The mean over epochs of the highest other logit minus that of the label: high for images that
    the head would rather call something else. Parameters as of `el2n`; float64 (m,).
    """
    total = np.zeros(len(rows))
    for seen in _epochs(features, rows, members, seed, EPOCHS):
        total -= seen.margin
    return total / EPOCHS


class Seen(NamedTuple):
    """What the head made of each image when its turn came in an epoch: float64 (m,) each.

    Attributes
    ----------
    margin
        Logit of the label minus the highest other one.
    error
        Length of the vector of predicted probabilities minus the label's.
    length
        Length of (x, 1), x being the scaled feature.
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
    """Train a head; yield each epoch's outcomes."""
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
