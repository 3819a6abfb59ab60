"""Options -> scores: from a dataset folder, from a user's features, or from a user's scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import click
import numpy as np
import numpy.typing as npt

from moderate_cli import derived
from moderate_cli.cli import console, options
from moderate_cli.dataset import Dataset, scan
from moderate_cli.duplicates import Duplicates
from moderate_cli.embedding import Timing, embed
from moderate_cli.errors import DatasetError, UnreadableImages
from moderate_cli.records import check_scorable, read_features, read_labels, read_scores
from moderate_cli.rows import Features
from moderate_cli.scoring import Labels, Scores, score_features
from moderate_cli.store import FeatureStore
from moderate_cli.suspects import Suspects, find_suspects, share_of_strangers


class Source(NamedTuple):
    """What is selected from.

    Attributes
    ----------
    scores
        One of each image.
    dataset
        Where the images are, if they are in a dataset folder.
    features
        (n, d), unless the user gave scores only.
    store
        Where they are from, if they were embedded.
    """

    scores: Scores
    dataset: Dataset | None = None
    features: Features | None = None
    store: FeatureStore | None = None

    @property
    def readable(self) -> npt.NDArray[np.bool_]:
        """Bool (n,), whether an image has a score."""
        return ~np.isnan(self.scores.values)

    def suspects(self, seed: int) -> Suspects:
        """How probably each label is wrong."""
        if self.store is not None:
            return derived.suspects(self.store, seed=seed)
        assert self.features is not None
        return find_suspects(self.features, self.scores.labels, seed=seed, readable=self.readable)

    def strangers(self) -> float:
        """Share of images that lie far from their class; 0 where that is not known."""
        if self.store is not None:
            return derived.strangers(self.store)
        if self.features is None:
            return 0.0
        return share_of_strangers(self.features, self.scores.labels, self.readable)


def source_from(
    *,
    data: str | None,
    features_file: str | None = None,
    labels_file: str | None = None,
    scores_file: str | None = None,
    criterion: str,
    center: str,
    metric: str,
    seed: int,
    **embedding: Any,
) -> Source:
    """Score whatever the user named."""
    named = {"DATA": data, "--features": features_file, "--scores": scores_file}
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
    if data is not None:
        if labels_file is not None:
            raise click.UsageError("DATA and --labels exclude each other")
        dataset, store = features_of(data, **embedding)
        return Source(derived.score(store, **how), dataset, store.features, store)
    computing = embedding.keys() - {"verbose"}
    if scores_file is not None:
        options.refuse_beside("--scores", {"criterion", "center", "metric", *computing})
        values = read_scores(scores_file)
        labels = np.zeros(len(values), dtype=np.int64)
        if labels_file is not None:
            labels = read_labels(labels_file, len(values))
        return Source(Scores(values, labels))
    if features_file is None or labels_file is None:
        raise click.UsageError("--features wants --labels")
    options.refuse_beside("--features", computing)
    features = read_features(features_file)
    labels = read_labels(labels_file, len(features))
    values = score_features(features, labels, **how)
    check_scorable(features_file, features, values)
    return Source(Scores(values, labels), features=features)


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
    data: str, *, on_error: str, verbose: bool, **embedding: Any
) -> tuple[Dataset, FeatureStore]:
    """List a dataset and bring its feature set up to date.

    Raises
    ------
    UnreadableImages
        If there are any and `on_error` is "fail"; all others are embedded by then.
    """
    dataset = images_of(data)
    with console.progress("embed") as move:
        store = embed(
            dataset,
            **embedding,
            on_progress=move,
            on_wait=lambda holder: console.note(f"waiting for {holder}, which fills this store"),
            on_timing=_tell if verbose else None,
        )
    reasons = {
        f"{data.rstrip('/')}/{store.paths[row]}": reason for row, reason in store.unreadable.items()
    }
    if reasons and on_error == "fail":
        raise UnreadableImages(reasons)
    if len(reasons) == len(store):
        raise DatasetError(f"{data}: none of its {len(store)} images can be read")
    if reasons:
        console.note(f"{len(reasons)} unreadable of {len(store)} images are left out")
    return dataset, store


def images_of(data: str) -> Dataset:
    """List a dataset, and say so where it does not look like one."""
    dataset = scan(data)
    if dataset.looks_like_splits:
        splits = ", ".join(dataset.classes)
        console.note(
            f"{data}: its folders {splits} look like splits, not classes;"
            f" did you mean {data.rstrip('/')}/{dataset.classes[0]}?"
        )
    if dataset.empty_classes:
        number = console.count(len(dataset.empty_classes), "class", "classes")
        console.note(f"{data}: {number} without images: {console.some(dataset.empty_classes)}")
    return dataset


def _tell(timing: Timing) -> None:
    rate = timing.images / timing.elapsed
    threads = console.count(timing.workers, "thread", "threads")
    console.note(
        f"{timing.images} images in {timing.elapsed:.1f} s, {rate:.0f} images/s:"
        f" decode {timing.decode:.1f} s and transform {timing.transform:.1f} s in {threads},"
        f" forward {timing.forward:.1f} s, write {timing.write:.1f} s"
    )
