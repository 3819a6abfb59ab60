"""`info`: facts about a dataset, and about everything that is stored beside it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from moderate_cli.arrays import Stats
from moderate_cli.dataset import Dataset, scan, sentences
from moderate_cli.dataset.fingerprints import file_stats
from moderate_cli.dataset.named import NamedDataset
from moderate_cli.errors import DatasetError, StoreError
from moderate_cli.fitting.facts import find_fit, is_of_another
from moderate_cli.inputs.request import Data, name_of
from moderate_cli.store import open_store
from moderate_cli.store.difference import Difference, difference
from moderate_cli.store.inventory import SetInfo, describe, is_dataset, results_in
from moderate_cli.store.layout import EVALUATIONS, MANIFEST
from moderate_cli.text import counted


class Stored(NamedTuple):
    """A feature set, and the results in it.

    Attributes
    ----------
    info
        How it was made.
    written
        When it was completed, in UTC; None if it is unfinished.
    difference
        What is missing or stale; None if it is unfinished, or the dataset is unknown.
    of_another
        Whether it is of another network than that of `fit`, which was trained again since.
    results
        Names of results that are kept in it, such as "suspects".
    evaluations
        Number of finished parts of `evaluate`.
    """

    info: SetInfo
    written: datetime | None
    difference: Difference | None
    of_another: bool
    results: tuple[str, ...]
    evaluations: int


class Fitted(NamedTuple):
    """The network of `fit`: its name, its accuracy on held-out images, and their number.

    Attributes
    ----------
    serves
        Whether its features are better than the default ones, so that "auto" takes them; None if
        they were not compared yet.
    up_to_date
        Whether it was trained on the images as they are now.
    corrected
        Whether it was trained on corrected labels.
    """

    network: str
    accuracy: float
    images: int
    serves: bool | None
    up_to_date: bool
    corrected: bool


@dataclass(frozen=True, eq=False, repr=False)
class Info:
    """Facts about a dataset, and about everything that is stored beside it.

    Attributes
    ----------
    name
        The dataset or the store, as the user wrote it.
    dataset
        None if it is unknown, or cannot be listed.
    problem
        Why it cannot be listed; "" if it can.
    sets
        The feature sets.
    fitted
        The network of `fit`, if there is one.

    Examples
    --------
    >>> info("data/train").counts
    {'cat': 5, 'dog': 2, 'owl': 1}
    """

    name: str
    dataset: Dataset | None
    problem: str
    sets: Sequence[Stored]
    fitted: Fitted | None

    def __repr__(self) -> str:
        """Return the number of images and of feature sets."""
        images = "unknown" if self.dataset is None else len(self.dataset)
        return f"Info: {self.name}: {images} images, {counted(len(self.sets), 'feature set')}"

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of images of each class."""
        if self.dataset is None:
            return {}
        counts = np.bincount(self.dataset.labels, minlength=len(self.dataset.classes))
        return dict(zip(self.dataset.classes, counts.tolist(), strict=True))

    @property
    def oddities(self) -> list[str]:
        """What is odd about the dataset, in sentences."""
        return [] if self.dataset is None else list(map(str, sentences(self.dataset, self.name)))

    def facts(self) -> dict[str, Any]:
        """Return all facts as JSON has them; `moderate help files` lists the keys."""
        dataset: dict[str, Any] | None = None
        if self.dataset is not None:
            dataset = {
                "path": os.fspath(self.dataset.home),
                "images": len(self.dataset),
                "classes": self.counts,
                "notices": [notice._asdict() for notice in self.dataset.notices],
                "oddities": self.oddities,
            }
        return {
            "name": self.name,
            "dataset": dataset,
            "problem": self.problem,
            "feature_sets": [_facts(one) for one in self.sets],
            "fitted": None if self.fitted is None else self.fitted._asdict(),
        }


def _facts(one: Stored) -> dict[str, Any]:
    found = one.difference
    return {
        **one.info._asdict(),
        "written": None if one.written is None else one.written.isoformat(),
        "up_to_date": None if found is None else not (any(found) or one.of_another),
        **(dict.fromkeys(Difference._fields) if found is None else found._asdict()),
        "of_another": one.of_another,
        "results": list(one.results),
        "evaluations": one.evaluations,
    }


def info(data: Data, *, store: str | os.PathLike[str] | None = None) -> Info:
    """Describe a dataset, and everything that is stored beside it.

    No image is read, and nothing is written.

    Parameters
    ----------
    data
        A `Dataset`, or a path, URL or ImageFolder as for `scan`; or a store, or a feature set
        in it.
    store
        Folder of the feature sets, if they are not beside the dataset.

    Raises
    ------
    ModerateError
        If there are neither a dataset nor features, or a feature set is damaged.

    Examples
    --------
    >>> from moderate_cli import embed
    >>> made = embed("data/train", backbone="pixels")
    >>> [one.info.backbone for one in info("data/train").sets]
    ['pixels']
    """
    if not isinstance(data, str | os.PathLike | Dataset):
        data = scan(data)
    path = data.home if isinstance(data, Dataset) else data
    found = describe(path, None if store is None else os.fspath(store))
    named: str | os.PathLike[str] | Dataset | None = data
    if found and not isinstance(data, Dataset) and not is_dataset(path, found[0]):
        named = found[0].dataset or None
    dataset, problem = None, ""
    try:
        if named is not None:
            dataset = named if isinstance(named, Dataset) else scan(NamedDataset.of(named, store))
    except DatasetError as error:
        if not found:
            raise
        problem = str(error)  # its feature sets are shown all the same
    stats = (
        file_stats(dataset) if dataset is not None and any(one.complete for one in found) else None
    )
    sets = [_stored(one, dataset, stats) for one in found]
    fitted = None
    if dataset is not None:
        folder = os.path.dirname(found[0].feature_set) if found else store
        fitted = _fitted(dataset, folder)
    return Info(name_of(data), dataset, problem, sets, fitted)


def _stored(one: SetInfo, dataset: Dataset | None, stats: Stats | None) -> Stored:
    folder = Path(one.feature_set)
    written = found = None
    opened = open_store(folder) if one.complete else None
    if opened is not None:
        written = datetime.fromtimestamp((folder / MANIFEST).stat().st_mtime, UTC)
        written = written.replace(microsecond=0)
        if dataset is not None and stats is not None:
            found = difference(opened, dataset, stats)
    another = is_of_another(one)
    return Stored(one, written, found, another, results_in(folder), _evaluations(folder))


def _evaluations(folder: Path) -> int:
    """Return the number of finished parts of evaluations."""
    if not (folder / EVALUATIONS).exists():
        return 0
    from moderate_cli.evaluation.ledger import ledgers  # with all that selects

    return sum(len(ledger.results) for _, ledger in ledgers(folder / EVALUATIONS))


def _fitted(dataset: Dataset, store: str | os.PathLike[str] | None) -> Fitted | None:
    with contextlib.suppress(StoreError):  # it is of another dataset
        found = find_fit(dataset, store)
        if found is not None:
            fit, up_to_date = found
            corrected = fit.corrections_key != ""
            serves = None if fit.pretrained is None else fit.serves
            return Fitted(fit.network, fit.accuracy, fit.judged, serves, up_to_date, corrected)
    return None
