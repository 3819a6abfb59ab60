"""`duplicates`: near duplicates of earlier images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Unpack

import numpy as np

from moderate_cli.api.keywords import inputs_of
from moderate_cli.choosing.leaks import leaks_between
from moderate_cli.choosing.preparing import tell_of_duplicates
from moderate_cli.embedding import FeatureKeywords
from moderate_cli.errors import ArgumentError, OptionError
from moderate_cli.exporting.html import html_table
from moderate_cli.exporting.tables import Table
from moderate_cli.inputs import Inputs, Source, open_source
from moderate_cli.inputs.arrays import Array
from moderate_cli.inputs.datasets import same_data
from moderate_cli.inputs.request import Data, name_of
from moderate_cli.listening import PATIENCE, SILENT, Listener, with_bars
from moderate_cli.notices import Notice
from moderate_cli.selection.duplicates import Duplicates, find_duplicates
from moderate_cli.store import FeatureStore
from moderate_cli.text import counted


@dataclass(frozen=True, eq=False, repr=False)
class NearDuplicates:
    """Near duplicates of earlier images, the most similar first.

    Attributes
    ----------
    source
        All images.
    found
        Row of each duplicate, row of the image that it duplicates, and similarity of the two.
    others
        The images that are duplicated, if they are of another dataset.

    Examples
    --------
    >>> duplicates("data/train", backbone="pixels").table().header
    ('similarity', 'path', 'duplicate_of')
    """

    source: Source
    found: Duplicates
    others: Source | None = None

    def __repr__(self) -> str:
        """Return their number."""
        found = counted(len(self.found.rows), "near duplicate")
        images = counted(len(np.unique(self.found.survivors)), "image")
        return f"NearDuplicates({found} of {images})"

    def _repr_html_(self) -> str:
        """Return the first rows of the table, for a notebook."""
        return html_table(repr(self), self.table())

    @property
    def paths(self) -> list[str]:
        """The paths of the duplicates, relative to the dataset."""
        return list(self.source.names_of(self.found.rows))

    def table(self) -> Table:
        """Return similarity, path, and path of the duplicated image."""
        kept = (self.others or self.source).names_of(self.found.survivors)
        return Table(
            ("similarity", "path", "duplicate_of"),
            [
                (round(similarity, 6), path, other)
                for similarity, path, other in zip(
                    self.found.similarity.tolist(), self.paths, kept, strict=True
                )
            ],
        )


def duplicates(
    data: Data | FeatureStore | None = None,
    *,
    features: Array | Sequence[Array] = (),
    labels: Array | None = None,
    against: Data | None = None,
    threshold: float = 0.95,
    progress: bool = False,
    listener: Listener = SILENT,
    **embedding: Unpack[FeatureKeywords],
) -> NearDuplicates:
    """Find near duplicates of earlier images.

    Parameters
    ----------
    data
        A `Dataset`, a path, URL or ImageFolder as for `scan`, or a feature set.
    features, labels
        Instead of `data`: features (n, d) and the class of each row, int (n,), as arrays or `.npy`
        files. Without labels, all are of one class. With `data`, labels are a table of corrected
        labels (`corrected.csv`).
    against
        Another dataset, such as a test set: find the images of `data` that are near duplicates of
        one of it. Its features are stored beside it, or in STORE-against.
    threshold
        Minimum cosine similarity of near duplicates, in (0, 1].
    progress
        Show progress bars, in a notebook or a terminal.
    listener
        Hears progress and notices.
    embedding
        Fields of `EmbedOptions`.

    Raises
    ------
    ModerateError
        If an option is out of range, or the data cannot be read or embedded.

    Examples
    --------
    >>> duplicates("data/train", backbone="pixels").paths[0]
    'cat/2.png'
    """
    listener = with_bars(listener, progress)
    if not 0 < threshold <= 1:
        raise ArgumentError(f"threshold: {threshold} is not in (0, 1]")
    if against is not None and data is None:
        raise OptionError("{} needs {}, a dataset", "against", "data")
    if against is not None and data is not None and same_data(data, against):
        raise OptionError(
            "{} is the dataset itself; leave it out to find near duplicates in it",
            ("against", name_of(against)),
        )
    if labels is None and data is None:
        labels = "kmeans:1"
    inputs = inputs_of(
        data, of=duplicates, features=features, labels=labels, **embedding
    ).without_own()
    inputs.check_single("duplicates")
    source = open_source(inputs, labeled=False, listener=listener)
    source.check_finite()
    own = source.features
    assert own is not None
    if against is not None:
        return _against(against, inputs, source, threshold, listener)
    with listener.progress("duplicates", delay=PATIENCE) as move:
        found = find_duplicates(own, np.flatnonzero(source.readable), threshold, move)
    tell_of_duplicates(found, source, listener)
    return NearDuplicates(source, _most_similar_first(found))


def _against(
    data: Data, inputs: Inputs, source: Source, threshold: float, listener: Listener
) -> NearDuplicates:
    """Compare with another dataset, embedded in the same way."""
    store = inputs.embedding.store
    embedding = replace(inputs.embedding, store=store and f"{os.fspath(store)}-against")
    other = replace(inputs, data=data, labels=None, embedding=embedding)
    others = open_source(other, labeled=False, listener=listener)
    with listener.progress("duplicates", delay=PATIENCE) as move:
        found = leaks_between(source, others, threshold, on_progress=move)
    listener.notice(
        Notice("leaks", len(found.rows), len(np.unique(found.survivors)), names=(name_of(data),))
    )
    return NearDuplicates(source, _most_similar_first(found), others)


def _most_similar_first(found: Duplicates) -> Duplicates:
    order = np.argsort(-found.similarity, kind="stable")
    return Duplicates(found.rows[order], found.survivors[order], found.similarity[order])
