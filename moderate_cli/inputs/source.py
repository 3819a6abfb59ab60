"""Sources of a selection: feature sets with labels, or scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from moderate_cli.arrays import Features, Labels, Mask, Rows, classes_in
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.corrections import Corrections
from moderate_cli.errors import ArrayError
from moderate_cli.inputs.arrays import (
    as_name,
    check_finite,
    check_scorable,
    read_features,
    read_labels,
    read_scores,
    readable_rows,
)
from moderate_cli.inputs.correcting import corrections_in
from moderate_cli.inputs.request import Inputs
from moderate_cli.listening import SILENT, Listener
from moderate_cli.notices import Notice
from moderate_cli.results import LabeledFeatures
from moderate_cli.scoring import Scores
from moderate_cli.scoring.fusion import fuse
from moderate_cli.store.feature_store import FeatureStore

Check = Callable[[Labels, Sequence[str]], None]


@dataclass(frozen=True)
class Source:
    """Images to select from.

    Attributes
    ----------
    sets
        Features with labels: one feature set or several; none if there are only scores.
    given
        Scores from the user, of any criterion.
    dataset
        Dataset of the images, if any.
    stores
        Feature sets of the dataset on disk.
    names
        Names of the user's own feature arrays.
    """

    sets: tuple[LabeledFeatures, ...] = ()
    given: Scores | None = None
    dataset: Dataset | None = None
    stores: tuple[FeatureStore, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def labels(self) -> Labels:
        """int64 (n,), the class index of each image."""
        return self.sets[0].labels if self.given is None else self.given.labels

    @property
    def readable(self) -> Mask:
        """Bool (n,), whether an image can be selected."""
        if self.given is not None:
            return ~np.isnan(self.given.values)
        readable = self.sets[0].readable.copy()
        for other in self.sets[1:]:
            readable &= other.readable
        return readable

    @property
    def features(self) -> Features | None:
        """The features (n, d), verified, if there is one feature set."""
        if len(self.sets) != 1:
            return None
        self.sets[0].check()
        return self.sets[0].features

    @cached_property
    def fit_may_help(self) -> bool:
        """Whether to try `moderate fit` if the features hardly know the classes."""
        from moderate_cli.fitting.advising import fit_may_help

        return fit_may_help(self.dataset, self.stores)

    def score(self, criterion: str, center: str, metric: str, seed: int) -> Scores:
        """Score each image, by all feature sets together if there are several."""
        if self.given is not None:
            return self.given
        self.check_finite()
        score = partial(LabeledFeatures.score, center=center, metric=metric)
        scores = [score(one, criterion=criterion, seed=seed) for one in self.sets]
        found = scores[0]
        if len(scores) > 1:
            margins = []
            if len(classes_in(found.labels)) > 1:
                margins = [score(one, criterion="margin").values for one in self.sets]
            values = fuse([one.values for one in scores], margins, found.labels)
            found = replace(found, values=values, criterion="")  # ranks of several criteria
        if self.names:
            named = dict(zip(self.names, (one.features for one in self.sets), strict=True))
            check_scorable(named, found.values, self.readable)
        return found

    def names_of(self, rows: Rows) -> Iterator[str]:
        """Yield paths of images, or their row numbers if they have no paths."""
        paths = self.sets[0].paths if self.given is None else self.given.paths
        return (paths[row] if paths else str(row) for row in rows.tolist())

    def class_name(self, label: int) -> str:
        """Return the name of a class, or its index if classes have no names."""
        return (self.sets[0] if self.given is None else self.given).class_name(label)

    def classes_of(self, rows: Rows) -> tuple[tuple[str, int], ...]:
        """Return name and number of images of each class, the largest first."""
        found, counts = np.unique(self.labels[rows], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        names = [self.class_name(label) for label in found[order].tolist()]
        return tuple(zip(names, counts[order].tolist(), strict=True))

    def limited(self, inside: Mask) -> Source:
        """Return only the images of a mask; results computed from them are not stored."""
        sets = (replace(one, readable=one.readable & inside, folder=None) for one in self.sets)
        return replace(self, sets=tuple(sets))

    def check_finite(self) -> None:
        """Refuse features of the user that have values which are not finite.

        Raises
        ------
        ArrayError
            Naming the array.
        """
        for name, one in zip(self.names, self.sets, strict=False):
            check_finite(name, one.features, one.readable)


def open_source(
    inputs: Inputs,
    *,
    seed: int = 0,
    check: Check | None = None,
    labeled: bool = True,
    listener: Listener = SILENT,
) -> Source:
    """Read the inputs, and bring the features of a dataset up to date.

    Parameters
    ----------
    inputs
        Dataset, features or scores.
    seed
        Random seed of clusters.
    check
        Called with the labels, int64 (n,), and the names of the classes before anything is
        embedded, even if clusters replace these classes; may raise an error.
    labeled
        Whether each image of a dataset must have a class.
    listener
        Hears progress and notices.

    Raises
    ------
    ModerateError
        If the inputs cannot be read or embedded.
    """
    check = check or (lambda labels, classes: None)
    if inputs.scores is not None:
        return _of_scores(inputs, check, listener)
    if inputs.data is None:
        source = _of_arrays(inputs, listener)
        check(source.labels, ())
    elif isinstance(inputs.data, FeatureStore):
        source = _of_store(inputs.data, inputs.corrections, check, listener)
    else:
        from moderate_cli.inputs.datasets import feature_sets_of  # with what embeds and fits

        dataset, stores = feature_sets_of(inputs, listener=listener, check=check, labeled=labeled)
        sets = tuple(map(_features_by(dataset.corrections), stores))
        source = Source(sets, dataset=dataset, stores=tuple(stores))
    source = _clustered(source, inputs.clusters, seed)
    if inputs.clusters is not None:
        source.check_finite()
    warn_of_coinciding(source.sets, listener)
    return source


def _of_store(store: FeatureStore, file: str | None, check: Check, listener: Listener) -> Source:
    classes, labels, corrections = store.manifest.classes, store.labels, None
    if file is not None:
        name = str(store.folder)
        corrections = corrections_in(file, store.paths, labels, classes, listener, name=name)
        labels = corrections.labels[~corrections.left_out]
    check(labels, classes)
    return Source((_features_by(corrections)(store),), stores=(store,))


def _features_by(corrections: Corrections | None) -> Callable[[FeatureStore], LabeledFeatures]:
    """Return the function that reads features with the labels of a store, or corrected ones."""
    if corrections is None or not corrections.key:
        return LabeledFeatures.of
    labels, left_out, key = corrections.labels, corrections.left_out, corrections.key
    return lambda store: LabeledFeatures.corrected(store, labels, left_out, key)


def _of_scores(inputs: Inputs, check: Check, listener: Listener) -> Source:
    assert inputs.scores is not None
    if isinstance(inputs.scores, Scores):
        check(inputs.scores.labels, inputs.scores.classes)
        return Source(given=inputs.scores)
    values = read_scores(inputs.scores)
    _tell_of_unreadable(as_name(inputs.scores, "scores"), ~np.isnan(values), listener)
    labels = np.zeros(len(values), dtype=np.int64)
    if inputs.labels is not None:
        labels = read_labels(inputs.labels, len(values))
    check(labels, ())
    return Source(given=Scores(values, labels))


def _of_arrays(inputs: Inputs, listener: Listener) -> Source:
    names = tuple(as_name(one, "features") for one in inputs.features)
    found = [read_features(one) for one in inputs.features]
    n = len(found[0])
    for name, features in zip(names, found, strict=True):
        if len(features) != n:
            raise ArrayError(
                f"{name}: {len(features)} rows, where {names[0]} has {n}; give features of the same"
                " images"
            )
    labels = np.zeros(n, dtype=np.int64)
    if inputs.clusters is None:
        assert inputs.labels is not None
        labels = read_labels(inputs.labels, n)
    readable = np.ones(n, dtype=np.bool_)
    for name, features in zip(names, found, strict=True):
        own = readable_rows(name, features)
        _tell_of_unreadable(name, own, listener)
        readable &= own
    if not readable.any():
        raise ArrayError(f"{', '.join(names)}: no row has features in all of them")
    sets = tuple(LabeledFeatures(features, labels, readable) for features in found)
    return Source(sets, names=names)


def _tell_of_unreadable(name: str, readable: Mask, listener: Listener) -> None:
    left_out = int(np.count_nonzero(~readable))
    if left_out:
        listener.notice(Notice("no features", left_out, len(readable), names=(name,)))


def _clustered(source: Source, clusters: int | None, seed: int) -> Source:
    """Replace the classes by clusters of the first feature set, if asked for."""
    if clusters is None:
        return source
    first = source.sets[0].clustered(clusters, seed=seed)
    own = {"labels": first.labels, "classes": first.classes, "labeling": first.labeling}
    return replace(source, sets=tuple(replace(one, **own) for one in source.sets))  # type: ignore[arg-type]


def warn_of_coinciding(sets: Sequence[LabeledFeatures], listener: Listener) -> None:
    """Warn of images, or of classes, that have (nearly) the same features."""
    for notice in dict.fromkeys(notice for one in sets for notice in _coinciding(one)):
        listener.notice(notice)


def _coinciding(features: LabeledFeatures) -> list[Notice]:
    *of_classes, of_all = features.coinciding().astype(int).tolist()
    if of_all:
        return [Notice("coinciding", of_all, int(np.count_nonzero(features.readable)))]
    labels = classes_in(features.labels).tolist()
    same = {label: count for label, count in zip(labels, of_classes, strict=True) if count}
    if not same:
        return []
    members = features.labels[features.readable]
    sizes = sum(int(np.count_nonzero(members == label)) for label in same)
    classes = tuple((features.class_name(label), count) for label, count in same.items())
    return [Notice("coinciding classes", sum(same.values()), sizes, classes)]
