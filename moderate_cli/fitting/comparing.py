"""A network of a dataset, compared with the default features."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from moderate_cli.arrays import blocks
from moderate_cli.dataset import Dataset
from moderate_cli.embedding import EmbedOptions
from moderate_cli.embedding.lifecycle import bring_up_to_date
from moderate_cli.fitting.facts import Fit, keep_comparison
from moderate_cli.fitting.preparing import plain
from moderate_cli.listening import Listener
from moderate_cli.scoring.ridge import BLOCK_ROWS, Ridge, accuracy
from moderate_cli.store.feature_store import FeatureStore

STRENGTHS = tuple((10.0 ** np.arange(-3, 0.5, 0.5)).tolist())  # of the linear probe


def compare(dataset: Dataset, fit: Fit, options: EmbedOptions, listener: Listener) -> Fit:
    """Compare a network with the default features, unless that was done; keep the result.

    Raises
    ------
    ModerateError
        If the default features cannot be computed.
    """
    if fit.pretrained is not None:
        return fit
    features = default_features(dataset, options, listener)
    fit = replace(fit, pretrained=accuracy_of_head(features, dataset))
    keep_comparison(fit)
    return fit


def default_features(dataset: Dataset, options: EmbedOptions, listener: Listener) -> FeatureStore:
    """Bring the features of the default backbone up to date; errors as of `compare`."""
    features = bring_up_to_date(dataset, plain(options), listener=listener)
    assert features is not None
    return features


def accuracy_of_head(store: FeatureStore, dataset: Dataset) -> float:
    """Return the leave-one-out accuracy of a linear probe on features of the default backbone."""
    store.check_features()
    found = dataset.corrections
    rows = np.flatnonzero(store.readable if found is None else store.readable & ~found.left_out)
    labels, members = np.unique(dataset.corrected_labels[rows], return_inverse=True)
    if len(labels) < 2:
        return math.nan
    ridge = Ridge(store.features, rows, members, len(labels), STRENGTHS)
    parts = list(blocks(len(rows), BLOCK_ROWS))
    shares = [accuracy(ridge.held_out(part), members[part]) for part in parts]
    return float(np.average(shares, weights=[part.stop - part.start for part in parts]))
