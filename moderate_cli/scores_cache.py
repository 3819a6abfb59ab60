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
from moderate_cli.scoring import SEEDED, Scores, score_features
from moderate_cli.store import FeatureStore


def score(
    store: FeatureStore,
    *,
    criterion: str = "center",
    center: str = "mean",
    metric: str = "euclidean",
    seed: int = 0,
) -> Scores:
    """Score each image of a feature set, once; by default with the distance to its class center.

    Parameters
    ----------
    store
        From `moderate_cli.embed`.
    criterion, center, metric, seed
        As in `moderate_cli.score_features`.

    Returns
    -------
    Scores
        NaN for unreadable images.
    """
    used = {
        "center": [center, metric],
        "margin": ["margin", center, metric],
    }.get(criterion, [criterion, str(seed)] if criterion in SEEDED else [criterion])
    cache = store.folder / f"scores-{'-'.join(used)}.npy"
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
            store.features,
            store.labels,
            criterion=criterion,
            center=center,
            metric=metric,
            seed=seed,
            readable=store.readable,
        )
        with contextlib.suppress(OSError, OutputError), new_file(cache) as file:
            np.save(file, values, allow_pickle=False)
    return Scores(values, store.labels, store.manifest.classes, store.paths)
