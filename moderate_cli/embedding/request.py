"""A request to embed: the images as they are now, the options, and the place of the features."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from moderate_cli.arrays import Stats
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import file_stats
from moderate_cli.dataset.sources import CHECKS, NO_STAT
from moderate_cli.embedding.options import EmbedOptions
from moderate_cli.errors import ArgumentError, OutputError
from moderate_cli.guard import Guard
from moderate_cli.networks.table import FeatureSpec
from moderate_cli.store.layout import LOCK, partial_folder, store_folder


@dataclass(frozen=True)
class Request:
    """A request to embed.

    Attributes
    ----------
    dataset, stats
        The images, and the stat of each as it is now, int64 (n, 4).
    options
        How to embed them.
    spec
        The options that change features.
    folder
        Folder of the feature set.
    """

    dataset: Dataset
    stats: Stats
    options: EmbedOptions
    spec: FeatureSpec
    folder: Path

    @classmethod
    def of(cls, dataset: Dataset, options: EmbedOptions) -> Request:
        """Make the request, before anything is loaded.

        Raises
        ------
        ArgumentError
            If the features cannot be stored where the options say.
        WeightsError
            If the file of weights cannot be read.
        """
        if options.store is None and not dataset.source.has_neighbors:
            raise ArgumentError(f"{dataset.root}: is remote; pass --store DIR for its features")
        folder = store_folder(dataset.home, options.store) / options.spec.name
        _check_apart(dataset, folder, options.store)
        return cls(dataset, file_stats(dataset), options, options.spec, folder)

    @property
    def partial(self) -> Path:
        """The folder in which the set is filled."""
        return partial_folder(self.folder)

    @property
    def lock(self) -> Path:
        """The lock file of the store."""
        return self.folder.parent / LOCK

    @property
    def numbers(self) -> int:
        """How many numbers of a file's stat tell whether it is unchanged."""
        return CHECKS[self.options.check] or len(NO_STAT)


def _check_apart(dataset: Dataset, folder: Path, store: str | os.PathLike[str] | None) -> None:
    """Refuse a feature set inside its dataset, or around it."""
    guard = Guard()
    guard.add_dataset(dataset)
    try:
        for path in (folder, partial_folder(folder)):
            guard.check_folder(path)
    except OutputError:
        shown = folder.parent if store is None else f"--store {os.fspath(store)}"
        raise ArgumentError(f"{shown}: overlaps the dataset; choose a separate folder") from None
