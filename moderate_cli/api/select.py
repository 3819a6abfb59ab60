"""`select`: choose which images to keep."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

import numpy as np

from moderate_cli.api.keywords import inputs_of
from moderate_cli.arrays import Labels
from moderate_cli.choosing import Chooser, Selection, check, check_labels
from moderate_cli.choosing.earlier import read_earlier
from moderate_cli.embedding import FeatureKeywords
from moderate_cli.inputs import Inputs, Source, open_source
from moderate_cli.inputs.arrays import Array
from moderate_cli.inputs.request import Data
from moderate_cli.label_errors.doubts import noise_estimate
from moderate_cli.listening import SILENT, Listener, Recorder, with_bars
from moderate_cli.literals import Balance, Center, Criterion, Metric, Scope, StrategyName
from moderate_cli.notices import Notice
from moderate_cli.scoring import Scores
from moderate_cli.selection import MEDIAN, RECOMMENDED, Choice
from moderate_cli.selection.choice import Number
from moderate_cli.store import FeatureStore


def select(
    data: Data | FeatureStore | None = None,
    *,
    ratio: Number | None = None,
    count: int | None = None,
    strategy: StrategyName = "moderate",
    criterion: Criterion | None = None,
    center: Center = "mean",
    metric: Metric = "euclidean",
    scope: Scope = "class",
    balance: Balance = "proportional",
    quantile: Number = MEDIAN,
    min_per_class: int = 1,
    dedup: float | None = None,
    drop_suspects: Number | None = None,
    seed: int = 0,
    keep_from: str | os.PathLike[str] | Sequence[str] | None = None,
    features: Array | Sequence[Array] = (),
    labels: Array | None = None,
    scores: Array | Scores | None = None,
    progress: bool = False,
    listener: Listener = SILENT,
    **embedding: Unpack[FeatureKeywords],
) -> Selection:
    """Choose which images to keep: exactly those that `moderate select` keeps.

    Features and scores that are missing or out of date are computed first, and stored beside the
    dataset.

    Parameters
    ----------
    data
        A `Dataset`, a path, URL or ImageFolder as for `scan`, or a feature set.
    ratio, count, strategy, criterion, center, metric, scope, balance, quantile, min_per_class, \
dedup, drop_suspects, seed
        As in `Choice`.
    keep_from
        An earlier selection: an index file, a manifest, the folder of a copy, or paths. Its images
        that are still in the data are kept in any case, and the strategy selects the others.
    features, labels
        Instead of `data`: features (n, d) and the class of each row, int (n,), as arrays or `.npy`
        files. Several features are ranked together. Labels "kmeans:K" cluster the features, also
        those of `data`. With `data`, labels may be a table of corrected labels (`corrected.csv`).
    scores
        Instead of `data`: a score for each image, (n,), with or without `labels`; or `Scores`.
    progress
        Show progress bars, in a notebook or a terminal.
    listener
        Hears progress and notices.
    embedding
        Fields of `EmbedOptions`; several backbones are ranked together.

    Returns
    -------
    Selection

    Raises
    ------
    ModerateError
        If an option is out of range, options exclude each other, or the data cannot be read or
        embedded.

    Examples
    --------
    >>> import numpy as np
    >>> select(scores=np.array([0.1, 0.9, 0.5, 0.4, 0.6]), ratio=0.6).rows
    array([2, 3, 4])
    """
    listener = with_bars(listener, progress)
    choice = Choice(
        ratio=ratio, count=count, strategy=strategy, criterion=criterion, center=center,
        metric=metric, scope=scope, balance=balance, quantile=quantile,
        min_per_class=min_per_class, dedup=dedup, drop_suspects=drop_suspects, seed=seed,
    )  # fmt: skip
    inputs = inputs_of(
        data, of=select, features=features, labels=labels, scores=scores, **embedding
    )
    return select_each(inputs, [choice], listener, keep_from)[0]


def select_each(
    inputs: Inputs,
    choices: Sequence[Choice],
    listener: Listener = SILENT,
    keep_from: str | os.PathLike[str] | Sequence[str] | None = None,
) -> list[Selection]:
    """Select several times from the same inputs; read them once.

    Parameters
    ----------
    inputs
        Dataset, features or scores.
    choices
        One for each selection; all have the same seed.
    listener
        Hears progress and notices.
    keep_from
        As in `select`.

    Raises
    ------
    ModerateError
        As of `select`.
    """
    names = None if keep_from is None else read_earlier(keep_from, inputs)

    def check_all(found: Labels, _classes: Sequence[str]) -> None:
        for choice in choices:
            check_labels(choice, found, clustered=inputs.clusters is not None)

    for choice in choices:
        check(choice, inputs)
    if any(choice.dedup is not None for choice in choices):
        inputs = inputs.without_own()
    recorder = Recorder(listener)
    source = open_source(inputs, seed=choices[0].seed, check=check_all, listener=recorder)
    earlier = None if names is None else names.among(source, recorder)
    chooser, found = Chooser(source, recorder, earlier), []
    for choice in choices:
        own = Recorder(listener)  # notices of this selection alone
        selection = chooser.choose(choice)
        _warn_of_noise(choice, selection, source, recorder)
        for notice in selection.of_classes():
            own.notice(notice)
        found.append(replace(selection, notices=(*recorder.notices, *own.notices)))
    return found


def _warn_of_noise(
    choice: Choice, selection: Selection, source: Source, recorder: Recorder
) -> None:
    """Warn once of many likely label errors among kept images, if suspects were searched for."""
    if choice.dropped is not None or len(source.sets) != 1 or source.sets[0].labeling:
        return  # suspects cannot be dropped
    for found in filter(None, (one.known_suspects() for one in source.sets)):
        suspects = int(np.count_nonzero(selection.mask[found.most_probable()]))
        kept = noise_estimate(found)._replace(suspects=suspects, images=len(selection.rows))
        told = any(notice.kind == "noisy labels" for notice in recorder.notices)
        if kept.many and not told:
            chose = kept.images < selection.prepared.images
            better = (RECOMMENDED,) if chose and choice.strategy != RECOMMENDED else ()
            recorder.notice(Notice("noisy labels", kept.suspects, kept.images, names=better))
