"""How a feature set differs from its dataset as it is now."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Stats
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.paths import Paths, same_paths
from moderate_cli.store.feature_store import FeatureStore


class Difference(NamedTuple):
    """Number of images that a feature set lacks, or has otherwise.

    Attributes
    ----------
    missing
        Images of the dataset that the set lacks.
    touched
        Images whose file has another size, time or inode; maybe the same bytes.
    moved
        Images that are of another class now.
    removed
        Images of the set that are not in the dataset any more.
    """

    missing: int = 0
    touched: int = 0
    moved: int = 0
    removed: int = 0


def difference(store: FeatureStore, dataset: Dataset, stats: Stats) -> Difference:
    """Compare paths, classes and stats; no image is read.

    Parameters
    ----------
    store
        The feature set.
    dataset, stats
        The dataset, and the stat of each file, (n, 4).
    """
    rows, own = same_paths(Paths.of(dataset.paths), store.paths)
    touched = (store.stats[own] != stats[rows]).any(axis=1)
    names = {name: number for number, name in enumerate(store.manifest.classes)}
    numbers = np.array([names.get(name, -1) for name in dataset.classes], dtype=np.int64)
    moved = numbers[dataset.labels[rows]] != store.labels[own]
    return Difference(
        len(dataset) - len(rows),
        int(np.count_nonzero(touched)),
        int(np.count_nonzero(moved)),
        len(store) - len(own),
    )
