"""What was computed from a feature set, kept in its folder: scores, suspects.

A set's folder is replaced as a whole when its features change, so what lies in it is never out of
date.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import read_array
from moderate_cli.errors import OutputError
from moderate_cli.files import new_file
from moderate_cli.scoring import SEEDED, Scores, score_features
from moderate_cli.store import FeatureStore
from moderate_cli.suspects import Suspects, find_suspects, share_of_strangers

Doubles = npt.NDArray[np.float64]


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
    values = _kept(
        store,
        "scores-" + "-".join(used),
        lambda: score_features(
            store.features,
            store.labels,
            criterion=criterion,
            center=center,
            metric=metric,
            seed=seed,
            readable=store.readable,
        ),
        lambda found: _of_images(store, found),
    )
    return Scores(values, store.labels, store.manifest.classes, store.paths)


def suspects(store: FeatureStore, *, seed: int = 0) -> Suspects:
    """Find out, once, how probable it is that each image of a feature set has a wrong label.

    Parameters
    ----------
    store
        From `moderate_cli.embed`.
    seed
        As in `moderate_cli.find_suspects`.
    """

    def compute() -> Doubles:
        found = find_suspects(store.features, store.labels, seed=seed, readable=store.readable)
        return np.stack([found.probability, found.looks_like])

    def usable(found: Doubles) -> bool:
        classes = len(store.manifest.classes)
        return (
            found.shape == (2, len(store))
            and _of_images(store, found[0])
            and bool(np.all((found[1] >= 0) & (found[1] < classes)))
        )

    probability, looks_like = _kept(store, f"suspects-{seed}", compute, usable)
    return Suspects(probability, looks_like.astype(np.int64))


def strangers(store: FeatureStore) -> float:
    """Share of images that lie far from their class, as of `share_of_strangers`, found once."""

    def compute() -> Doubles:
        return np.array([share_of_strangers(store.features, store.labels, store.readable)])

    found = _kept(store, "strangers", compute, lambda found: found.shape == (1,))
    return float(found[0])


def _of_images(store: FeatureStore, values: Doubles) -> bool:
    return values.shape == (len(store),) and np.array_equal(~np.isnan(values), store.readable)


def _kept(
    store: FeatureStore,
    name: str,
    compute: Callable[[], Doubles],
    usable: Callable[[Doubles], bool],
) -> Doubles:
    """Read what was computed before, or compute it and keep it."""
    file = store.folder / f"{name}.npy"
    # A cache that is missing, damaged or cannot be written costs time, nothing else.
    with contextlib.suppress(OSError, ValueError):
        kept = read_array(file.read_bytes())
        if kept.dtype == np.float64 and usable(kept):
            return kept
    values = compute()
    with contextlib.suppress(OSError, OutputError), new_file(file) as opened:
        np.save(opened, values, allow_pickle=False)
    return values
