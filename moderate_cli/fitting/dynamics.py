"""How a network learns each image: scores that are recorded while it is trained."""

from __future__ import annotations

import math

import numpy as np
import torch

from moderate_cli.arrays import Floats, Mask

EARLY = 10  # early scores are averaged over the first 1/EARLY of the epochs, as in the paper
ERROR, GRADIENT, MARGIN, EVENTS, RIGHT, EVER = range(6)  # rows of the sums


class Dynamics:
    """Sums over the epochs of one network, for each image as its batch comes.

    The papers: EL2N and GraNd (Paul et al., NeurIPS 2021), forgetting events (Toneva et al.,
    ICLR 2019), AUM (Pleiss et al., NeurIPS 2020).

    Parameters
    ----------
    images, epochs
        Number of each.
    device
        Where the network is trained.
    """

    def __init__(self, images: int, epochs: int, device: torch.device) -> None:
        self._epochs, self._early = epochs, math.ceil(epochs / EARLY)
        self.sums = torch.zeros(6, images, device=device)

    def record(
        self,
        epoch: int,
        rows: torch.Tensor,
        logits: torch.Tensor,
        members: torch.Tensor,
        lengths: torch.Tensor,
    ) -> None:
        """Add what the network says of a batch in an epoch; once for each image.

        Parameters
        ----------
        epoch
            Its number, from 0.
        rows, members
            int64 (b,), and the class of each.
        logits
            float32 (b, classes).
        lengths
            float32 (b,), of the input of the head, with its 1 for the bias.
        """
        rows, sums = rows.to(logits.device), self.sums
        every = torch.arange(len(rows), device=logits.device)
        errors = logits.softmax(dim=1)
        errors[every, members] -= 1
        others = logits.clone()
        others[every, members] = -torch.inf
        margins = others.amax(dim=1) - logits[every, members]
        right, norms, before = (margins < 0).float(), errors.norm(dim=1), sums[:, rows]
        forgotten, changed = before[RIGHT] * (1 - right), right - before[RIGHT]
        more = torch.stack([norms, norms * lengths, margins, forgotten, changed, right])
        if epoch >= self._early:
            more[: GRADIENT + 1] = 0
        sums[:, rows] = before + more

    def scores(self) -> torch.Tensor:
        """Return the scores of `moderate_cli.store.recorded.NAMES`, float32 (4, n).

        `el2n` and `grand` are means over early epochs, `aum` is one over all, negated. `grand` is
        the gradient with respect to the head alone, up to a factor. `forgetting` of an image that
        is never right is the number of epochs plus one.
        """
        sums, epochs = self.sums.cpu(), self._epochs
        events = torch.where(sums[EVER] > 0, sums[EVENTS], epochs + 1)
        early = sums[[ERROR, GRADIENT]] / self._early
        return torch.stack([*early, events, sums[MARGIN] / epochs])


def at_same_ranks(scores: Floats, unseen: Mask) -> Floats:
    """Give images that the network did not see scores that compare with those that it saw.

    It is less sure of an image whose label it did not learn. So of both groups, the image at the
    same rank gets the same score, that of the group that was seen.

    Parameters
    ----------
    scores
        float32 (n,), of one network.
    unseen
        bool (n,)

    Examples
    --------
    >>> scores = np.array([0.1, 0.9, 0.2, 5.0, 3.0], dtype=np.float32)
    >>> at_same_ranks(scores, np.array([False, False, False, True, True])).tolist()[3:]
    [0.8999999761581421, 0.10000000149011612]
    """
    own, found = np.sort(scores[unseen]), scores.copy()
    ranks = np.searchsorted(own, scores[unseen], "left") + np.searchsorted(
        own, scores[unseen], "right"
    )
    if len(own) and not unseen.all():
        shares = ranks / (2 * len(own))
        found[unseen] = np.quantile(scores[~unseen], shares, method="inverted_cdf")
    return found
