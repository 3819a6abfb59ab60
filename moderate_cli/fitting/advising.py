"""Whether `moderate fit` is worth trying where the features at hand hardly know the classes."""

from __future__ import annotations

from collections.abc import Sequence

from moderate_cli.dataset import Dataset
from moderate_cli.fitting.facts import FACTS
from moderate_cli.fitting.plan import SMALL, short_side
from moderate_cli.networks.table import FITTED
from moderate_cli.store.feature_store import FeatureStore
from moderate_cli.store.recorded import FOLDER


def fit_may_help(dataset: Dataset | None, stores: Sequence[FeatureStore]) -> bool:
    """Whether pictures are small, and no network was trained on them yet.

    Of larger ones only the last block of a network is trained, which gains little. Reads the sizes
    of some images.

    Parameters
    ----------
    dataset
        The images; None if there are only features.
    stores
        The feature sets that are used.
    """
    if dataset is None or not stores:
        return False
    network = stores[0].folder.parent / FOLDER / FACTS
    if network.exists() or any(one.manifest.spec.backbone == FITTED for one in stores):
        return False
    return 0 < short_side(dataset) <= SMALL
