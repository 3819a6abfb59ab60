"""What is to be embedded, with what, and where to: a user's request, checked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import file_stats
from moderate_cli.dataset.sources import CHECKS
from moderate_cli.embedding.blocks import BLOCK_ROWS
from moderate_cli.embedding.confirming import confirm
from moderate_cli.embedding.reuse import Progress, Wanted
from moderate_cli.errors import ArgumentError, OutputError
from moderate_cli.guard import Guard
from moderate_cli.networks.table import (
    DEFAULT_BACKBONE,
    DEFAULT_MAX_PIXELS,
    DEVICES,
    RUNTIMES,
    FeatureSpec,
    weights_digest,
)
from moderate_cli.store.feature_store import (
    MANIFEST,
    PARTIAL_SUFFIX,
    FeatureStore,
    damaged,
    open_store,
    store_folder,
)
from moderate_cli.store.manifest import Manifest
from moderate_cli.threads import processors

if TYPE_CHECKING:
    from moderate_cli.networks.backbones import Network


@dataclass(frozen=True)
class Job:
    """A dataset as it is now, the features that it shall have, and their place.

    Attributes
    ----------
    dataset, stats
        The images, and the stat of each, int64 (n, 4).
    spec, weights
        The features, and the file of weights if it is not the backbone's own.
    folder
        Where the feature set belongs.
    max_pixels, check, batch_size, workers, device, runtime
        As in `moderate_cli.embed`.
    """

    dataset: Dataset
    stats: npt.NDArray[np.int64]
    spec: FeatureSpec
    weights: str | os.PathLike[str] | None
    folder: Path
    max_pixels: int
    check: str
    batch_size: int | None
    workers: int | None
    device: str
    runtime: str

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        backbone: str = DEFAULT_BACKBONE,
        *,
        weights: str | os.PathLike[str] | None = None,
        store: str | os.PathLike[str] | None = None,
        precision: str = "float32",
        dtype: str = "float16",
        decode: str = "full",
        max_pixels: int = DEFAULT_MAX_PIXELS,
        check: str = "stat",
        batch_size: int | None = None,
        workers: int | None = None,
        device: str = "auto",
        runtime: str = "auto",
    ) -> Job:
        """Check what was asked for, before anything is loaded.

        Raises
        ------
        ArgumentError, WeightsError
            If an option is out of range or the weights cannot be read.
        """
        numbers = {"max_pixels": max_pixels, "batch_size": batch_size, "workers": workers}
        for name, number in numbers.items():
            if number is not None and number < 1:
                raise ArgumentError(f"{name}: {number} is not positive")
        for name, value, choices in (
            ("device", device, DEVICES), ("runtime", runtime, RUNTIMES), ("check", check, CHECKS)
        ):  # fmt: skip
            if value not in choices:
                raise ArgumentError(f"{name}: {value!r} is none of {', '.join(choices)}")
        if store is None and not dataset.source.has_neighbors:
            raise ArgumentError(
                f"{dataset.root}: is not on this machine; name a --store for its features"
            )
        spec = FeatureSpec(backbone, weights_digest(weights), precision, dtype, decode)
        folder = store_folder(dataset.root, store) / spec.name
        _check_apart(dataset, folder, store)
        return cls(
            dataset=dataset,
            stats=file_stats(dataset),
            spec=spec,
            weights=weights,
            folder=folder,
            max_pixels=max_pixels,
            check=check,
            batch_size=batch_size,
            workers=workers,
            device=device,
            runtime=runtime,
        )

    @property
    def threads(self) -> int:
        """How many threads decode images in this process."""
        return self.workers or processors()

    def done(self, folder: Path | None = None) -> FeatureStore | None:
        """Open the feature set, if it is there and true, as far as the stats of its files tell.

        Raises
        ------
        StoreError
            If it is damaged, or is of other options than its name says.
        """
        store, numbers = self._opened(folder or self.folder), CHECKS[self.check]
        if store is None or not numbers or not store.is_of(self.dataset, self.max_pixels):
            return None
        same = np.array_equal(store.stats[:, :numbers], self.stats[:, :numbers])
        return store if same and not store.may_be_read_now(self.dataset) else None

    def confirmed(
        self, on_check: Progress | None = None, *, keep: bool = True
    ) -> FeatureStore | None:
        """Open the feature set, if it is there and true, as the bytes of its files tell.

        Those of which the stat tells nothing are read; `keep` and errors as in `confirm`.
        """
        store = self._opened(self.folder)
        if store is None or not store.manifest.is_newest:
            return None
        changed = confirm(store, self.dataset, self.stats, self.check, keep=keep, on_check=on_check)
        true = store.is_of(self.dataset, self.max_pixels) and not len(changed)
        if self.check == "content":
            true = bool(store.intact.all()) and true
        return store if true and not store.may_be_read_now(self.dataset) else None

    def _opened(self, folder: Path) -> FeatureStore | None:
        store = open_store(folder)
        if store is not None and store.manifest.spec != self.spec:
            raise damaged(store.folder, MANIFEST, "is of other options")
        return store

    def wanted(self, manifest: Manifest) -> Wanted:
        """Say what the set shall hold, given what the backbone makes."""
        return Wanted(self.dataset, self.stats, manifest, self.check)

    def load(self) -> tuple[Network, Manifest]:
        """Load the backbone, which takes seconds, and say what its features are."""
        from moderate_cli.networks.backbones import load_network

        network = load_network(
            self.spec,
            self.weights,
            device=self.device,
            runtime=self.runtime,
            # A batch never holds images of two blocks, and OpenVINO would fill up the rest.
            batch_size=self.batch_size and min(self.batch_size, BLOCK_ROWS),
        )
        manifest = Manifest(
            spec=self.spec,
            weights=network.weights[0],
            weights_sha256=network.weights[1],
            runtime=network.runtime,
            preprocessing=network.preprocessing,
            rows=len(self.dataset),
            dim=network.dim,
            classes=self.dataset.classes,
            max_pixels=self.max_pixels,
        )
        return network, manifest


def _check_apart(dataset: Dataset, folder: Path, store: str | os.PathLike[str] | None) -> None:
    """Refuse a feature set inside its dataset, or around it."""
    guard = Guard()
    guard.add_dataset(dataset)
    try:
        for path in (folder, folder.with_name(folder.name + PARTIAL_SUFFIX)):
            guard.check_folder(path)
    except OutputError:
        shown = folder.parent if store is None else f"--store {os.fspath(store)}"
        raise ArgumentError(f"{shown}: overlaps the dataset; choose a separate folder") from None
