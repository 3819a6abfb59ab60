"""`score`: a score for each image, e.g. the distance to its class center."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from moderate_cli.api.keywords import inputs_of
from moderate_cli.arrays import Labels
from moderate_cli.embedding import FeatureKeywords
from moderate_cli.inputs import open_source
from moderate_cli.inputs.arrays import Array
from moderate_cli.inputs.request import Data
from moderate_cli.listening import PATIENCE, SILENT, Listener, with_bars
from moderate_cli.literals import Center, Criterion, Metric
from moderate_cli.scoring import Scores, check_compared
from moderate_cli.selection import Choice
from moderate_cli.store import FeatureStore


def score(
    data: Data | FeatureStore | None = None,
    *,
    features: Array | Sequence[Array] = (),
    labels: Array | None = None,
    criterion: Criterion = "center",
    center: Center = "mean",
    metric: Metric = "euclidean",
    seed: int = 0,
    progress: bool = False,
    listener: Listener = SILENT,
    **embedding: Unpack[FeatureKeywords],
) -> Scores:
    """Score each image; by default, the score is the distance to its class center.

    That is the score of Moderate Coreset, Section 3.2, Eq. 1. Features that are missing or out of
    date are computed first, and stored beside the dataset.

    Parameters
    ----------
    data
        A `Dataset`, a path, URL or ImageFolder as for `scan`, or a feature set.
    features, labels
        Instead of `data`: features (n, d) and the class of each row, int (n,), as arrays or `.npy`
        files. Several features are ranked together. Labels "kmeans:K" cluster the features, also
        those of `data`. With `data`, labels may be a table of corrected labels (`corrected.csv`).
    criterion, center, metric, seed
        As in `Choice`.
    progress
        Show progress bars, in a notebook or a terminal.
    listener
        Hears progress and notices.
    embedding
        Fields of `EmbedOptions`; several backbones are ranked together.

    Returns
    -------
    Scores
        NaN for unreadable images.

    Raises
    ------
    ModerateError
        If an option is out of range, or the data cannot be read or embedded.

    Examples
    --------
    >>> import numpy as np
    >>> score(features=np.array([[0.0], [2.0], [7.0]]), labels=np.array([4, 4, 9])).values
    array([1., 1., 0.])
    """
    listener = with_bars(listener, progress)
    how = Choice(ratio=1, criterion=criterion, center=center, metric=metric, seed=seed)
    how.check_effects()
    inputs = inputs_of(data, of=score, features=features, labels=labels, **embedding)
    inputs.check_criterion(criterion)

    def check(found: Labels, _classes: Sequence[str]) -> None:
        if inputs.clusters is None:
            check_compared(criterion, found)

    source = open_source(inputs, seed=how.seed, check=check, listener=listener)
    with listener.progress("score", delay=PATIENCE):
        return source.score(how.scored_by, how.center, how.metric, how.seed)
