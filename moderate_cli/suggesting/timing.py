"""How long a comparison of selections by linear probes will take, before it starts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from moderate_cli.evaluation.cells import Cell
from moderate_cli.evaluation.pools import FOLDS
from moderate_cli.evaluation.probe import Probe
from moderate_cli.selection import exact

# Seconds on one processor at 3 GHz, from fits of 200 to 8,000 images with 192 and 1,280 features:
# per product, per value of the decomposition, per call, and per image for the noise model.
PRODUCT, DECOMPOSED, CALL, IMAGE = 9e-11, 2.7e-10, 0.02, 1.2e-4
SAMPLE = 448  # images and features of the fit that measures this machine
MODELS = 3.2  # of the size of the pool, per pool: suspects, margins of the data, and centers


class Expected(NamedTuple):
    """What the work will take.

    Attributes
    ----------
    pending, embedding
        Number of images to embed, and the seconds for that.
    trainings, comparing
        Number of classifiers to train, and the seconds for that and for looking at the data.
    """

    pending: int
    embedding: float
    trainings: int
    comparing: float

    @property
    def seconds(self) -> float:
        """Seconds for all of it."""
        return self.embedding + self.comparing


def compute_seconds(images: int, dim: int, cells: Sequence[Cell]) -> float:
    """Estimate the seconds to look at data, and to fit a linear probe for each cell.

    Parameters
    ----------
    images, dim
        Number of images, and of features of each.
    cells
        The selections to compare.
    """
    pool = images * (FOLDS - 1) / FOLDS
    pools = len({cell.seed for cell in cells})
    fits = [float(pool * (1 if cell.ratio == "1" else _share(cell))) for cell in cells]
    plain = sum(_fit(size, dim) for size in fits)
    plain += pools * (MODELS * _fit(pool, dim) + pool * IMAGE)
    plain += 2 * (_fit(images, dim) + images * IMAGE)  # suspects, and leave-one-out accuracy
    return plain * _slowness()


def _share(cell: Cell) -> Fraction:
    return exact(cell.ratio)


def _fit(images: float, dim: int) -> float:
    """Return the seconds of one ridge regression."""
    small = min(images, dim)
    return CALL + DECOMPOSED * small**3 + PRODUCT * images * dim * small


def _slowness() -> float:
    """Return how much longer a fit takes on this machine, now."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((SAMPLE, SAMPLE), dtype=np.float32)
    rows, members = np.arange(SAMPLE), np.arange(SAMPLE) % 2
    times = []
    for _ in range(2):  # the first warms up
        begun = time.perf_counter()
        Probe(features, rows, members, 2)
        times.append(time.perf_counter() - begun)
    return min(times) / _fit(SAMPLE, SAMPLE)
