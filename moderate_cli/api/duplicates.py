"""`duplicates`: near duplicates of earlier images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

import numpy as np

from moderate_cli.api.keywords import inputs_of
from moderate_cli.choosing.preparing import PATIENCE, tell_of_duplicates
from moderate_cli.embedding import FeatureKeywords
from moderate_cli.errors import ArgumentError
from moderate_cli.exporting.tables import Table
from moderate_cli.inputs import Source, open_source
from moderate_cli.inputs.request import Data
from moderate_cli.listening import SILENT, Listener
from moderate_cli.selection.duplicates import Duplicates, find_duplicates
from moderate_cli.store import FeatureStore


@dataclass(frozen=True, eq=False, repr=False)
class NearDuplicates:
    """Near duplicates of earlier images.

    Attributes
    ----------
    source
        All images.
    found
        Row of each duplicate, row of the image that it duplicates, and similarity of the two.

    Examples
    --------
    >>> duplicates("data/train", backbone="pixels").table().header
    ('similarity', 'path', 'duplicate_of')
    """

    source: Source
    found: Duplicates

    def __repr__(self) -> str:
        """Return their number."""
        images = len(np.unique(self.found.survivors))
        return f"NearDuplicates: {len(self.found.rows)} near duplicates of {images} images"

    @property
    def paths(self) -> list[str]:
        """The paths of the duplicates, relative to the dataset."""
        return list(self.source.names_of(self.found.rows))

    def table(self) -> Table:
        """Return similarity, path, and path of the duplicated image."""
        kept = self.source.names_of(self.found.survivors)
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
    data: Data | FeatureStore,
    *,
    threshold: float = 0.95,
    listener: Listener = SILENT,
    **embedding: Unpack[FeatureKeywords],
) -> NearDuplicates:
    """Find near duplicates of earlier images.

    Parameters
    ----------
    data
        A `Dataset`, a path or URL as for `scan`, or a feature set.
    threshold
        Minimum cosine similarity of near duplicates, in (0, 1].
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
    if not 0 < threshold <= 1:
        raise ArgumentError(f"threshold: {threshold} is not in (0, 1]")
    inputs = inputs_of(data, **embedding).without_own()
    inputs.check_single("duplicates")
    source = open_source(inputs, listener=listener)
    features = source.features
    assert features is not None
    with listener.progress("duplicates", delay=PATIENCE) as move:
        found = find_duplicates(features, np.flatnonzero(source.readable), threshold, move)
    tell_of_duplicates(found, source, listener)
    return NearDuplicates(source, found)
