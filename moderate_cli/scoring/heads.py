"""Criteria from training linear probes on the features: EL2N, GraNd, forgetting, AUM.

The papers train the whole network, for hours. Here the backbone is frozen, and only a new last
layer is trained, in seconds, on the labels, which the backbone has not seen.

The papers also score an image by a network that is trained on it. A head on many features soon
fits any label, also a wrong one. So each image is scored by heads that are trained at the same time
on other images only, `CrossFittedHeads`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from moderate_cli.arrays import Doubles, Features, Floats, Rows
from moderate_cli.scoring.cross_fitting import Batch, CrossFittedHeads
from moderate_cli.scoring.linear_head import errors
from moderate_cli.scoring.margins import excess

EPOCHS = 20
EARLY = 2  # epochs before the early scores are taken: a tenth, as in the paper
RUNS = 3  # splits into folds over which early scores are averaged


def el2n(features: Features, rows: Rows, members: Rows, seed: int) -> Doubles:
    """Error L2-norm (Paul et al., NeurIPS 2021, Definition 2.2): ||p(x) - y||, early in training.

    The paper averages over networks that are trained on the image, from different initial weights;
    here heads are trained without it, and averaged over splits into folds.

    Parameters
    ----------
    features
        (n, d) of any float type.
    rows, members
        int64 (m,), rows to score, ascending, and the class of each, numbered from 0.
    seed
        Seed of the folds and of the order of training.

    Returns
    -------
    float64 (m,)
        In [0, sqrt(2)]; high for images that are hard for the heads.
    """
    return _early(features, rows, members, seed, _error)


def grand(features: Features, rows: Rows, members: Rows, seed: int) -> Doubles:
    """Gradient norm (Paul et al., NeurIPS 2021, Definition 2.1), with respect to the head.

    The gradient of the loss is the outer product of p(x) - y and (x, 1), so its norm is the
    product of their norms: the step that heads trained as for `el2n` would take for an image that
    is new to them. Parameters as of `el2n`; float64 (m,), not negative.
    """

    def norm(logits: Floats, batch: Batch) -> Doubles:
        return _error(logits, batch) * batch.lengths.astype(np.float64)

    return _early(features, rows, members, seed, norm)


def forgetting(features: Features, rows: Rows, members: Rows, seed: int) -> Doubles:
    """Forgetting events (Toneva et al., ICLR 2019): times that right is followed by wrong.

    The paper asks the network for an image whenever its batch comes. So it is here, but the head
    has not learned that image and forgets its kind. For an image that is never right, the number
    of epochs plus one. Parameters as of `el2n`; float64 (m,), whole numbers.
    """
    events, before = np.zeros(len(rows)), np.zeros(len(rows), dtype=np.bool_)
    ever = before
    for margins in _margins(features, rows, members, seed):
        right = margins < 0
        events += before & ~right
        before, ever = right, ever | right
    events[~ever] = EPOCHS + 1
    return events


def aum(features: Features, rows: Rows, members: Rows, seed: int) -> Doubles:
    """Area under the margin (Pleiss et al., NeurIPS 2020, Eq. 2), negated.

    The mean over epochs of the highest other logit minus the logit of the label: high for images
    to which the head prefers to give another label. The paper separates wrong labels by how slowly
    the network learns them; a head that never sees the image does not learn its label at all.
    Parameters as of `el2n`; float64 (m,).
    """
    total = np.zeros(len(rows))
    for margins in _margins(features, rows, members, seed):
        total += margins
    return total / EPOCHS


def _early(
    features: Features,
    rows: Rows,
    members: Rows,
    seed: int,
    measure: Callable[[Floats, Batch], Doubles],
) -> Doubles:
    """Average a score of held-out logits over `RUNS` splits, after `EARLY` epochs."""
    heads = CrossFittedHeads(features, rows, members, RUNS, seed, EARLY)
    for _ in range(EARLY):
        for batch in heads.batches():
            heads.learn(batch)
    scores = np.empty(len(rows))
    for batch in heads.batches():
        of_splits = [measure(logits, batch) for logits in heads.held_out(batch)]
        scores[batch.positions] = np.mean(of_splits, axis=0)
    return scores


def _error(logits: Floats, batch: Batch) -> Doubles:
    lengths: Doubles = np.linalg.norm(errors(logits, batch.members), axis=1).astype(np.float64)
    return lengths


def _margins(features: Features, rows: Rows, members: Rows, seed: int) -> Iterator[Doubles]:
    """Train heads; yield the held-out margin of each image in each epoch, as its batch comes."""
    heads = CrossFittedHeads(features, rows, members, 1, seed, EPOCHS)
    for _ in range(EPOCHS):
        margins = np.empty(len(rows))
        for batch in heads.batches():
            (logits,) = heads.held_out(batch)
            margins[batch.positions] = excess(logits, batch.members)
            heads.learn(batch)
        yield margins
