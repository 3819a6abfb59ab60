"""Strategies that order images by preference, from scores or at random."""

from __future__ import annotations

import numpy as np

from moderate_cli.arrays import Rows, Values

STRATA = 50  # the published default
FARTHEST = 10  # the farthest 1 / 10 is not in the strata


def two_ends(values: Values, k: int, _rng: np.random.Generator) -> Rows:
    """Prefer the extremes: the highest score, the lowest, the next highest, and so on.

    Parameters
    ----------
    values
        (n,) scores.
    k
        Number to keep.

    Returns
    -------
    int64 (n,)
        All positions in `values`, the most preferred first.

    Examples
    --------
    >>> two_ends(np.array([0.1, 0.5, 0.9, 0.3]), 2, np.random.default_rng(0))
    array([2, 0, 1, 3])
    """
    ranked = np.argsort(values, kind="stable")
    order = np.empty_like(ranked)
    order[0::2] = ranked[::-1][: -(-len(ranked) // 2)]
    order[1::2] = ranked[: len(ranked) // 2]
    return order


def random(values: Values, _k: int, rng: np.random.Generator) -> Rows:
    """Order at random. Parameters and result as of `two_ends`."""
    return rng.permutation(len(values))


def stratified(values: Values, k: int, rng: np.random.Generator) -> Rows:
    """Coverage-centric coreset selection (Zheng et al., ICLR 2023, Algorithm 1).

    The farthest tenth is left out, as far as k allows. The range of the remaining scores is divided
    into `STRATA` of equal width, each of which contributes the same number of random images. The
    smallest strata come first: if they have too few, the others contribute more.

    Parameters and result as of `two_ends`; the images left out come last, the nearest first.
    """
    ranked = np.argsort(values, kind="stable")
    n = len(ranked)
    kept = n - min(n // FARTHEST, n - k)
    near, far = ranked[:kept], ranked[kept:]
    low, high = values[near[0]], values[near[-1]]
    width = (high - low) / STRATA
    bins = np.zeros(kept, dtype=np.int64)
    if width > 0:
        bins = np.minimum(((values[near] - low) / width).astype(np.int64), STRATA - 1)
    numbers, firsts = np.unique(bins, return_index=True)  # near is sorted, so bins are
    strata = [rng.permutation(part) for part in np.split(near, firsts[1:])]
    budget = k
    chosen, rest = [], []
    for left, index in enumerate(
        sorted(range(len(numbers)), key=lambda index: (len(strata[index]), index))
    ):
        take = min(len(strata[index]), budget // (len(numbers) - left))
        budget -= take
        chosen.append(strata[index][:take])
        rest.append(strata[index][take:])
    return np.concatenate([*chosen, *rest, far])
