"""Estimate the label noise, and compare it with the number of suspects.

Both come from the same probabilities: suspects are the images with a probability above 0.5, and the
noise is the mean of all probabilities. Many small doubts add up to noise without a single suspect.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from moderate_cli.label_errors.suspects import Suspects

MANY = 0.05  # share of the images; clean labels have about 0.02 at most
# Share of the estimate, and of the images, by which the number of suspects may differ.
TOLERANCE, LEAST = 0.25, 0.01


class NoiseEstimate(NamedTuple):
    """An estimate of the label noise.

    Attributes
    ----------
    suspects
        Number of images with a probability above 0.5.
    images
        Number of readable images.
    rate
        Estimated fraction of wrong labels.
    accuracy
        Of a held-out head, if features hardly know the classes; NaN if they do.
    """

    suspects: int
    images: int
    rate: float
    accuracy: float = math.nan

    @property
    def many(self) -> bool:
        """Whether so many labels are likely wrong that a user should know."""
        return math.isnan(self.accuracy) and self.suspects > MANY * self.images

    @property
    def agrees(self) -> bool:
        """Whether the number of suspects is close to the estimate."""
        wrong = self.rate * self.images
        return abs(self.suspects - wrong) <= max(0.5, TOLERANCE * wrong, LEAST * self.images)


def noise_estimate(found: Suspects) -> NoiseEstimate:
    """Count suspects, and estimate the label noise.

    >>> looks_like = np.zeros(20, dtype=np.int64)
    >>> noise_estimate(Suspects(np.full(20, 0.125), looks_like))
    NoiseEstimate(suspects=0, images=20, rate=0.125, accuracy=nan)
    """
    images = int(np.count_nonzero(~np.isnan(found.probability)))
    accuracy = found.accuracy if found.hardly_known else math.nan
    return NoiseEstimate(len(found.most_probable()), images, found.noise_rate, accuracy)
