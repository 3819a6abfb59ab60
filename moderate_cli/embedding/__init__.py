"""Embedding: a dataset in, a feature set on disk out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

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
from moderate_cli.embedding.filling import Filling, partial_folder
from moderate_cli.errors import ArgumentError, StoreError
from moderate_cli.files import lock, replace_folder
from moderate_cli.fingerprints import file_stats
from moderate_cli.processors import processors
from moderate_cli.store import FeatureStore, Manifest, open_store, store_folder

Progress = Callable[[int, int], None]


def embed(
    dataset: Dataset,
    backbone: str = DEFAULT_BACKBONE,
    *,
    weights: str | os.PathLike[str] | None = None,
    store: str | os.PathLike[str] | None = None,
    precision: str = "float32",
    dtype: str = "float16",
    batch_size: int | None = None,
    workers: int | None = None,
    device: str = "auto",
    runtime: str = "auto",
    on_progress: Progress | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> FeatureStore:
    """Bring the feature set of a dataset up to date, and open it.

    What is there and still true is not computed again: a set that is complete is opened without
    loading torch, one that was interrupted is gone on with, and of files that were added, changed
    or renamed only new contents are embedded.

    Parameters
    ----------
    dataset
        What to embed.
    backbone
        One of `moderate_cli.backbones.BACKBONES`.
    weights
        File with a state dict of that architecture, of any class count, such as your own
        fine-tuned classifier; None for the backbone's own pretrained weights.
    store
        Folder for feature sets; None puts `data/train.moderate` beside `data/train`.
    precision
        "float32", "bfloat16" or "float16", in which the backbone computes.
    dtype
        "float16" or "float32", in which features are stored.
    batch_size
        Images that go through the backbone at once; None for 8 a processor, whose cache then
        holds the activations, and 256 on a GPU.
    workers
        Threads that read and decode images; None for one a processor.
    device
        "auto" (a GPU if there is one), "cpu" or "cuda".
    runtime
        "torch", "openvino", or "auto": OpenVINO on a CPU where it is installed. The two agree to
        1e-5 relative, so rows of both may stand in one set.
    on_progress
        Called with the number of images done and the number of all.
    on_wait
        Called with the name of another process that fills the same store, before waiting for it.

    Returns
    -------
    FeatureStore
        Images that cannot be read have their row, and are listed in `FeatureStore.unreadable`.

    Raises
    ------
    ArgumentError, WeightsError, StoreError
        If an option is out of range, weights are missing or do not fit, or the store cannot be
        written.
    """
    for name, number in (("batch_size", batch_size), ("workers", workers)):
        if number is not None and number < 1:
            raise ArgumentError(f"{name}: {number} is not positive")
    for name, value, choices in (("device", device, DEVICES), ("runtime", runtime, RUNTIMES)):
        if value not in choices:
            raise ArgumentError(f"{name}: {value!r} is none of {', '.join(choices)}")
    spec = FeatureSpec(backbone, weights_digest(weights), precision, dtype)
    folder = store_folder(dataset.root, store) / spec.name
    stats = file_stats(dataset)
    current = _open_current(folder, dataset, stats)
    if current is not None:
        return current
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{folder.parent}: {error.strerror}; --store DIR puts it elsewhere"
        ) from None
    with lock(folder.parent / "lock", on_wait):
        # Another process may have filled the set while this one waited for the lock.
        current = _open_current(folder, dataset, stats) or _recover(folder, dataset, stats)
        if current is not None:
            return current
        if store is not None:
            _refuse_other_dataset(folder, dataset)

        # torch takes seconds to load, so it is loaded only where something is to be embedded.
        from moderate_cli.embedding.local import embed_blocks
        from moderate_cli.networks import load_network

        network = load_network(spec, weights, device=device, runtime=runtime, batch_size=batch_size)
        manifest = Manifest(
            spec=spec,
            weights=network.weights[0],
            weights_sha256=network.weights[1],
            runtime=network.runtime,
            preprocessing=network.preprocessing,
            rows=len(dataset),
            dim=network.dim,
            classes=dataset.classes,
        )
        filling = Filling.begin(folder, dataset, stats, manifest)
        try:
            blocks = list(filling.pending())
            engine = embed_blocks(
                dataset,
                blocks,
                network,
                workers=workers or processors(),
                on_image=_counter(len(dataset), blocks, on_progress),
            )
            for block in engine:
                filling.write(block)
            return filling.finish()
        finally:
            filling.close()


def _open_current(
    folder: Path, dataset: Dataset, stats: npt.NDArray[np.int64]
) -> FeatureStore | None:
    store = open_store(folder)
    return store if store is not None and store.is_current(dataset, stats) else None


def _recover(folder: Path, dataset: Dataset, stats: npt.NDArray[np.int64]) -> FeatureStore | None:
    """Move a set in place that an earlier run completed, but was killed before moving."""
    partial = partial_folder(folder)
    try:
        if _open_current(partial, dataset, stats) is None:
            return None
    except StoreError:  # an old set, killed while it was being removed
        return None
    replace_folder(partial, folder)
    return open_store(folder)


def _refuse_other_dataset(folder: Path, dataset: Dataset) -> None:
    """Do not let a store named by hand lose the features of another dataset."""
    store = open_store(folder)
    if store is not None and set(store.paths).isdisjoint(path for path, _ in dataset.samples):
        raise StoreError(
            f"{folder}: holds the features of another dataset; name another --store or remove it"
        )


def _counter(
    total: int, blocks: list[tuple[int, npt.NDArray[np.int64]]], on_progress: Progress | None
) -> Callable[[], None]:
    done = total - sum(len(rows) for _, rows in blocks)

    def count() -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(done, total)

    if on_progress is not None:
        on_progress(done, total)
    return count
