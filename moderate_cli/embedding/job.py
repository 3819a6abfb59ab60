"""What is to be embedded, with what, and where to: a user's request, checked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from moderate_cli.backbones import (
    DEFAULT_BACKBONE,
    DEVICES,
    RUNTIMES,
    FeatureSpec,
    weights_digest,
)
from moderate_cli.dataset import Dataset
from moderate_cli.embedding.filling import BLOCK_ROWS
from moderate_cli.errors import ArgumentError
from moderate_cli.fingerprints import file_stats
from moderate_cli.processors import processors
from moderate_cli.store import (
    MANIFEST,
    FeatureStore,
    Manifest,
    damaged,
    open_store,
    store_folder,
)

if TYPE_CHECKING:
    from moderate_cli.networks import Network


@dataclass(frozen=True)
class Job:
    """A dataset as it is now, the features that it shall have, and their place.

    Attributes
    ----------
    dataset, stats
        The images, and size and modification time of each, int64 (n, 2).
    spec, weights
        The features, and the file of weights if it is not the backbone's own.
    folder
        Where the feature set belongs.
    batch_size, workers, device, runtime
        As in `moderate_cli.embed`.
    """

    dataset: Dataset
    stats: npt.NDArray[np.int64]
    spec: FeatureSpec
    weights: str | os.PathLike[str] | None
    folder: Path
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
        for name, number in (("batch_size", batch_size), ("workers", workers)):
            if number is not None and number < 1:
                raise ArgumentError(f"{name}: {number} is not positive")
        for name, value, choices in (("device", device, DEVICES), ("runtime", runtime, RUNTIMES)):
            if value not in choices:
                raise ArgumentError(f"{name}: {value!r} is none of {', '.join(choices)}")
        if store is None and not dataset.source.has_neighbors:
            raise ArgumentError(
                f"{dataset.root}: is not on this machine; name a --store for its features"
            )
        spec = FeatureSpec(backbone, weights_digest(weights), precision, dtype, decode)
        return cls(
            dataset=dataset,
            stats=file_stats(dataset),
            spec=spec,
            weights=weights,
            folder=store_folder(dataset.root, store) / spec.name,
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
        """Open the feature set, if it is there and true.

        Raises
        ------
        StoreError
            If it is damaged, or is of other options than its name says.
        """
        store = open_store(folder or self.folder)
        if store is None:
            return None
        if store.manifest.spec != self.spec:
            raise damaged(store.folder, MANIFEST, "is of other options")
        return store if store.is_current(self.dataset, self.stats) else None

    def load(self) -> tuple[Network, Manifest]:
        """Load the backbone, which takes seconds, and say what its features are."""
        from moderate_cli.networks import load_network

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
        )
        return network, manifest
