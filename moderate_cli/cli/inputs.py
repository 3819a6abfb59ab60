"""Options -> scores: from a dataset folder, from a user's features, or from a user's scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import click
import numpy as np

from moderate_cli.arrays import Features, Labels, Mask
from moderate_cli.cli import console, options
from moderate_cli.cli.outputs import NO_OUTPUTS, Outputs
from moderate_cli.cli.sameness import warn_of_sameness
from moderate_cli.dataset import Dataset, scan, sentences
from moderate_cli.embedding import Timing, embed
from moderate_cli.errors import ArrayError, DatasetError, UnreadableImages
from moderate_cli.exporting.records import (
    check_finite,
    check_scorable,
    read_features,
    read_labels,
    read_scores,
    readable_rows,
)
from moderate_cli.results import LabeledFeatures
from moderate_cli.scoring import Scores, check_compared
from moderate_cli.scoring.fusion import fuse
from moderate_cli.selection.duplicates import Duplicates
from moderate_cli.store.feature_store import FeatureStore, store_folder


class Source(NamedTuple):
    """What is selected from.

    Attributes
    ----------
    scores
        One of each image.
    sets
        What they were computed from: one feature set or several; none if the user gave scores.
    dataset
        Where the images are, if they are in a dataset folder.
    """

    scores: Scores
    sets: tuple[LabeledFeatures, ...] = ()
    dataset: Dataset | None = None

    @property
    def readable(self) -> Mask:
        """Bool (n,), whether an image has a score."""
        return ~np.isnan(self.scores.values)

    @property
    def features(self) -> Features | None:
        """(n, d), if there is one feature set; found to be what was written."""
        if len(self.sets) != 1:
            return None
        self.sets[0].check()
        return self.sets[0].features


def source_from(
    *,
    data: str | None,
    features_files: tuple[str, ...] = (),
    labels_file: str | int | None = None,
    scores_file: str | None = None,
    criterion: str,
    center: str,
    metric: str,
    seed: int,
    outputs: Outputs = NO_OUTPUTS,
    find_fault: Callable[[Labels], None] = lambda labels: None,
    **embedding: Any,
) -> Source:
    """Score whatever the user named.

    `find_fault` may raise an error for what is asked of images of such classes, before any is
    embedded. Where clusters take their place, classes mean nothing.
    """
    named = {"DATA": data, "--features": features_files or None, "--scores": scores_file}
    given = [name for name, value in named.items() if value is not None]
    if len(given) > 1:
        raise click.UsageError(f"{given[0]} and {given[1]} exclude each other")
    if not given:
        raise click.UsageError("Missing argument 'DATA'")
    how: dict[str, Any] = {
        "criterion": criterion, "center": center, "metric": metric, "seed": seed
    }  # fmt: skip
    if criterion not in ("center", "margin"):
        options.refuse_beside(f"--criterion {criterion}", {"center", "metric"})
    computing = embedding.keys() - {"verbose"}
    if data is not None:
        if isinstance(labels_file, str):
            raise click.UsageError("DATA and --labels FILE exclude each other")

        def listed(dataset: Dataset) -> None:
            if labels_file is None:
                check_compared(criterion, dataset.labels)
            find_fault(dataset.labels)

        clustered = labels_file is not None
        dataset, stores = features_of(
            data, clustered=clustered, outputs=outputs, listed=listed, **embedding
        )
        sets = _labeled([LabeledFeatures.of(store) for store in stores], labels_file, seed)
        warn_of_sameness(sets)
        return Source(_scores(sets, how), sets, dataset)
    if scores_file is not None:
        options.refuse_beside("--scores", {"criterion", "center", "metric", *computing})
        values = read_scores(scores_file)
        _tell_of_unreadable(scores_file, ~np.isnan(values))
        if isinstance(labels_file, int):
            raise click.UsageError("--labels kmeans:K wants features, not --scores")
        labels = np.zeros(len(values), dtype=np.int64)
        if labels_file is not None:
            labels = read_labels(labels_file, len(values))
        find_fault(labels)
        return Source(Scores(values, labels))
    if labels_file is None:
        raise click.UsageError("--features wants --labels")
    options.refuse_beside("--features", computing)
    own = _own_features(features_files, labels_file, criterion)
    find_fault(own[0].labels)
    sets = _labeled(own, labels_file, seed)
    scores = _scores(sets, how)
    named_features = {path: one.features for path, one in zip(features_files, sets, strict=True)}
    check_scorable(named_features, scores.values, sets[0].readable)
    warn_of_sameness(sets)
    return Source(scores, sets)


def rescored(found: Source, how: dict[str, Any]) -> Source:
    """Score the same images in another way: by a criterion, a center, a metric and a seed."""
    return found._replace(scores=_scores(found.sets, how))


def _own_features(
    paths: Sequence[str], labels_file: str | int, criterion: str
) -> list[LabeledFeatures]:
    found = {path: read_features(path) for path in paths}
    n = len(found[paths[0]])
    for path, features in found.items():
        if len(features) != n:
            raise ArrayError(
                f"{path}: {len(features)} rows, where {paths[0]} has {n}; give features of the same"
                " images"
            )
    labels = np.zeros(n, dtype=np.int64)
    if isinstance(labels_file, str):
        labels = read_labels(labels_file, n)
    readable = np.ones(n, dtype=np.bool_)
    for path, features in found.items():
        own = readable_rows(path, features)
        _tell_of_unreadable(path, own)
        readable &= own
    if not readable.any():
        raise ArrayError(f"{', '.join(paths)}: no row has features in all of them")
    if isinstance(labels_file, int) or criterion not in ("center", "margin"):
        for path, features in found.items():
            check_finite(path, features, readable)  # distances tell by themselves
    return [LabeledFeatures(found[path], labels, readable) for path in paths]


def _tell_of_unreadable(path: str, readable: Mask) -> None:
    """Say how many rows are left out, if any are: what stands for unreadable images."""
    left_out = int(np.count_nonzero(~readable))
    if left_out:
        console.note(
            f"{path}: left out {left_out} of {len(readable)} rows, which are NaN as those of"
            " unreadable images are"
        )


def _labeled(
    sets: list[LabeledFeatures], labels: str | int | None, seed: int
) -> tuple[LabeledFeatures, ...]:
    """Put clusters of the first set in the place of classes, if the user wants some."""
    if not isinstance(labels, int):
        return tuple(sets)
    first = sets[0].clustered(labels, seed=seed)
    return tuple(
        replace(other, labels=first.labels, classes=first.classes, labeling=first.labeling)
        for other in sets
    )


def _scores(sets: Sequence[LabeledFeatures], how: dict[str, Any]) -> Scores:
    """Score each image, by all sets together if there are several."""
    scores = [features.score(**how) for features in sets]
    if len(sets) == 1:
        return scores[0]
    margins = []
    if len(np.unique(scores[0].labels)) > 1:
        near = {"center": how["center"], "metric": how["metric"]}
        margins = [features.score(criterion="margin", **near).values for features in sets]
    values = fuse([found.values for found in scores], margins, scores[0].labels)
    return replace(scores[0], values=values, criterion="")  # of several it is none


def tell_of_duplicates(found: Duplicates, labels: Labels, names: Sequence[str]) -> None:
    """Say how many there are, and name those that two classes claim."""
    if not len(found.rows):
        console.note("no near duplicates")
        return
    groups = console.count(len(np.unique(found.survivors)), "image", "images")
    number = console.count(len(found.rows), "near duplicate", "near duplicates")
    console.note(f"{number} of {groups}")
    torn = np.flatnonzero(labels[found.rows] != labels[found.survivors])
    if len(torn):
        pairs = [f"{names[found.rows[at]]} and {names[found.survivors[at]]}" for at in torn[:6]]
        number = console.count(len(torn), "pair has", "pairs have")
        console.note(f"{number} different classes: {console.some(pairs)}")


def features_of(
    data: str,
    *,
    backbones: tuple[str, ...],
    on_error: str,
    verbose: bool,
    work: Callable[..., FeatureStore | None] = embed,
    clustered: bool = False,
    outputs: Outputs = NO_OUTPUTS,
    listed: Callable[[Dataset], None] = lambda dataset: None,
    **embedding: Any,
) -> tuple[Dataset, list[FeatureStore]]:
    """List a dataset and bring its feature sets up to date, one of each backbone.

    `work` may be something that does a part of it; sets that are not complete are left out.
    `clustered` says that no class folders are wanted. Before anything is embedded `outputs` are
    checked, and `listed` is told of the images and may find fault with them.

    Raises
    ------
    DatasetError
        If the store would lie among the class folders of what looks like another dataset.
    UnreadableImages
        If there are any and `on_error` is "fail"; all others are embedded by then.
    """
    check_backbones(backbones, embedding["weights"])
    dataset = images_of(data, clustered=clustered)
    if dataset.looks_like_class and not clustered and embedding["store"] is None:
        raise DatasetError(
            f"{data}: holds no class folders; is it a class of {dataset.root.parent}? Name that, or"
            " with --store a place for features of this folder alone"
        )
    outputs.check(dataset, store_folder(dataset.root, embedding["store"]))
    listed(dataset)
    stores = []
    for backbone in backbones:
        with console.progress("check") as check, console.progress("embed") as move:
            store = work(
                dataset,
                backbone,
                **embedding,
                on_progress=move,
                on_check=check,
                on_wait=lambda holder: console.note(
                    f"waiting for {holder}, which fills this store"
                ),
                on_timing=_tell if verbose else None,
            )
        if store is not None:
            stores.append(store)
    if stores:  # the same lists, of which millions of images want no second copy
        dataset = replace(dataset, paths=stores[0].paths, labels=stores[0].labels)
    images = len(dataset)
    reasons = {
        f"{data.rstrip('/')}/{store.paths[row]}": reason
        for store in stores
        for row, reason in store.unreadable.items()
    }
    if reasons and on_error == "fail":
        raise UnreadableImages(reasons)
    if len(reasons) == images:
        raise DatasetError(
            f"{data}: none of its {images} images can be read; --on-error fail says why"
        )
    if reasons:
        console.note(f"{len(reasons)} unreadable of {images} images are left out")
    return dataset, stores


def feature_set_of(data: str, what: str, **embedding: Any) -> tuple[Dataset, FeatureStore]:
    """List a dataset and bring its feature set up to date, for what wants a single one.

    Parameters are those of `features_of`.
    """
    if len(embedding["backbones"]) > 1:
        raise click.UsageError(f"{what} wants one --backbone")
    dataset, (store,) = features_of(data, **embedding)
    warn_of_sameness([LabeledFeatures.of(store)])
    return dataset, store


def check_backbones(backbones: Sequence[str], weights: str | None) -> None:
    """Refuse what several backbones leave unclear."""
    if len(backbones) > 1 and weights is not None:
        raise click.UsageError("--weights wants one --backbone")
    twice = {name for name in backbones if backbones.count(name) > 1}
    if twice:
        raise click.UsageError(f"--backbone {min(twice)} is given twice")


def images_of(data: str, *, clustered: bool = False) -> Dataset:
    """List a dataset; refuse one that holds several, and say what is odd about it.

    `clustered` says that classes do not matter.
    """
    dataset = scan(data)
    empty = dataset.empty_classes
    if dataset.looks_like_splits:
        splits = [name for name in dataset.classes if name not in empty]
        raise DatasetError(
            f"{data}: its folders look like splits, not classes: {console.some(splits)}; name one,"
            f" such as {data.rstrip('/')}/{splits[0]}"
        )
    if empty:
        number = console.count(len(empty), "class", "classes")
        console.note(f"{data}: {number} without images: {console.some(empty)}")
    for sentence in sentences(dataset, data, clustered=clustered):
        console.note(f"{data}: {sentence}")
    return dataset


def _tell(timing: Timing) -> None:
    rate = timing.images / timing.elapsed
    threads = console.count(timing.workers, "thread", "threads")
    console.note(
        f"{timing.images} images in {timing.elapsed:.1f} s, {rate:.0f} images/s:"
        f" decode {timing.decode:.1f} s and transform {timing.transform:.1f} s in {threads},"
        f" forward {timing.forward:.1f} s, write {timing.write:.1f} s"
    )
