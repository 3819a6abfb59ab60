"""Scores of a feature set, kept in its folder.

A set's folder is replaced as a whole when its features change, so scores that lie in it are never
out of date.
"""

from __future__ import annotations

import contextlib

import numpy as np

from moderate_cli.arrays import read_array
from moderate_cli.errors import OutputError
from moderate_cli.files import new_file
from moderate_cli.scoring import Scores, score_features
from moderate_cli.store import FeatureStore


def score(store: FeatureStore, *, center: str = "mean", metric: str = "euclidean") -> Scores:
    """Distance of each image of a feature set to its class center, computed once.

    Parameters
    ----------
    store
        From `moderate_cli.embed`.
    center
        "mean", "median" (coordinate-wise) or "geometric-median".
    metric
        "euclidean" or "cosine".

    Returns
    -------
    Scores
        NaN for unreadable images.
    """
    cache = store.folder / f"scores-{center}-{metric}.npy"
    values = None
    # A cache that is missing, damaged or cannot be written costs time, nothing else.
    with contextlib.suppress(OSError, ValueError):
        values = read_array(cache.read_bytes())
    if (
        values is None
        or values.shape != (len(store),)
        or values.dtype != np.float64
        or not np.array_equal(~np.isnan(values), store.readable)
    ):
        values = score_features(
            store.features, store.labels, center=center, metric=metric, readable=store.readable
        )
        with contextlib.suppress(OSError, OutputError), new_file(cache) as file:
            np.save(file, values, allow_pickle=False)
    return Scores(values, store.labels, store.manifest.classes, store.paths)
