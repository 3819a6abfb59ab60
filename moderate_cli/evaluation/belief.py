"""How far the label of a held-out image is believed: its weight in an accuracy."""

from __future__ import annotations

import numpy as np

from moderate_cli.arrays import Doubles
from moderate_cli.evaluation.pools import FOLDS
from moderate_cli.inputs import Source
from moderate_cli.label_errors.suspects import Suspects
from moderate_cli.listening import Listener
from moderate_cli.notices import Notice

LEAST = 0.01  # so that an accuracy is defined even where all labels are doubted


def believed(found: Suspects) -> Doubles:
    """Return the weight of each image: 1 less the probability that its label is wrong.

    Parameters
    ----------
    found
        Suspects among all images. Where they abstain, with probabilities of 0, all images count
        alike.

    Returns
    -------
    float64 (n,)
        In [`LEAST`, 1]; NaN for unreadable images.

    Examples
    --------
    >>> believed(Suspects(np.array([0.0, 0.25, 1.0]), np.zeros(3, dtype=np.int64)))
    array([1.  , 0.75, 0.01])
    """
    weights: Doubles = (1 - found.probability).clip(min=LEAST)
    return weights


def tell_of_doubted(found: Suspects, source: Source, listener: Listener) -> None:
    """Tell how many images each seed holds out, and how many labels of them are doubted, if any."""
    sizes = np.unique(source.labels[source.readable], return_counts=True)[1]
    held_out = int((sizes // FOLDS).sum())
    rate = float(found.probability[source.readable].mean())
    if wrong := round(rate * held_out):
        listener.notice(Notice("doubted", wrong, held_out))
