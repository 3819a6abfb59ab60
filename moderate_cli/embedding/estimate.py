"""Estimate the time and disk space of an embedding, from some of the images."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from moderate_cli.arrays import Rows, blocks
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import DIGEST_SIZE
from moderate_cli.dataset.paths import Paths
from moderate_cli.dataset.sources import NO_STAT
from moderate_cli.embedding.donors import manifest_as_before
from moderate_cli.embedding.freshness import open_fresh
from moderate_cli.embedding.lifecycle import can_resume
from moderate_cli.embedding.options import EmbedOptions
from moderate_cli.embedding.request import Request
from moderate_cli.embedding.reuse import find_reusable
from moderate_cli.listening import SILENT, Listener
from moderate_cli.store.manifest import Manifest
from moderate_cli.store.partial import PartialSet
from moderate_cli.store.sums import SUM_ROWS

if TYPE_CHECKING:
    from moderate_cli.embedding.engines.local import LocalEngine

SAMPLE_BATCHES = 64
SAMPLE_SECONDS = 5.0


class Way(NamedTuple):
    """How images would be embedded, as chosen for this machine.

    Attributes
    ----------
    runtime, reason
        Library that runs the backbone, and why.
    batch_size
        Images per batch.
    workers
        Threads or processes that decode images.
    precisions
        Those that the processor has arithmetic for.
    """

    runtime: str
    reason: str
    batch_size: int
    workers: int
    precisions: Sequence[str]


class Estimate(NamedTuple):
    """Time and disk space that `embed` would take with the same arguments.

    Attributes
    ----------
    images, pending
        Number of images, and how many of them have no features yet.
    sample
        Number of images that were embedded to measure the rate.
    rate
        Images per second; 0 if no image is pending.
    start
        Seconds to load torch and the backbone; 0 if no image is pending.
    seconds
        Time for the pending images, with the start.
    way
        How the pending images would be embedded; None if there are none.
    folder
        Folder of the feature set.
    size, free
        Bytes of the set, and free bytes on its disk.
    dim
        Number of features of an image.

    Examples
    --------
    >>> from moderate_cli import estimate
    >>> estimate("data/train", backbone="pixels").pending
    8
    """

    images: int
    pending: int
    sample: int
    rate: float
    start: float
    seconds: float
    way: Way | None
    folder: Path
    size: int
    free: int
    dim: int


class _Sample(NamedTuple):
    """The fields of `Estimate` that are measured, and the number of features."""

    dim: int
    pending: int = 0
    sample: int = 0
    rate: float = 0.0
    start: float = 0.0
    way: Way | None = None


def measure(
    dataset: Dataset,
    options: EmbedOptions,
    listener: Listener = SILENT,
    *,
    seconds: float = SAMPLE_SECONDS,
) -> Estimate:
    """Estimate from a sample; takes about so many seconds, once the backbone is loaded."""
    request = Request.of(dataset, options)
    done = open_fresh(request, request.folder)
    found = _Sample(done.manifest.dim) if done is not None else _sampled(request, listener, seconds)
    return Estimate(
        images=len(dataset),
        pending=found.pending,
        sample=found.sample,
        rate=found.rate,
        start=found.start,
        seconds=found.start + found.pending / found.rate if found.rate else 0.0,
        way=found.way,
        folder=request.folder,
        size=_set_size(dataset, found.dim, np.dtype(request.spec.dtype).itemsize),
        free=_free(request.folder),
        dim=found.dim,
    )


def count_pending(dataset: Dataset, options: EmbedOptions) -> int:
    """Count the images without features; all, if that needs the backbone. Takes no sample."""
    request = Request.of(dataset, options)
    if open_fresh(request, request.folder) is not None:
        return 0
    known = manifest_as_before(request)
    return len(dataset) if known is None else len(_rows_to_embed(request, known, SILENT))


def _sampled(request: Request, listener: Listener, seconds: float) -> _Sample:
    known = manifest_as_before(request)
    rows = None if known is None else _rows_to_embed(request, known, listener)
    if known is not None and rows is not None and not len(rows):
        return _Sample(known.dim)  # without loading torch
    begun = time.perf_counter()
    with listener.progress(f"loading {request.spec.backbone}"):
        from moderate_cli.embedding.engines.local import LocalEngine

        engine = LocalEngine(request)
    with contextlib.closing(engine):
        start = time.perf_counter() - begun
        if rows is None or known is None or not known.same_features(engine.manifest):
            rows = _rows_to_embed(request, engine.manifest, listener)
        with listener.progress("measuring"):
            sample, rate = _measured(engine, rows, seconds)
        return _Sample(engine.manifest.dim, len(rows), sample, rate, start, _way(engine))


def _way(engine: LocalEngine) -> Way:
    from moderate_cli.networks.arithmetic import fast_precisions

    network = engine.network
    return Way(*network.runtime, network.batch_size, engine.workers, fast_precisions())


def _rows_to_embed(request: Request, manifest: Manifest, listener: Listener) -> Rows:
    if can_resume(request, manifest):
        return PartialSet(request.partial).pending
    pending = np.ones(len(request.dataset), dtype=np.bool_)
    for reuse in find_reusable(request, manifest, listener, verify=False):
        pending[reuse.rows] = False
    return np.flatnonzero(pending)


def _measured(engine: LocalEngine, rows: Rows, seconds: float) -> tuple[int, float]:
    """Embed a sample from all over the rows; return its size, and images per second."""
    size = engine.network.batch_size
    at = np.linspace(0, len(rows) - 1, min(len(rows), size * SAMPLE_BATCHES)).astype(int)
    engine.prepare(len(rows))
    batches = [(number, rows[at[part]]) for number, part in enumerate(blocks(len(at), size))]
    counts, times = [0], [time.perf_counter()]
    for block in engine.embed(batches, lambda _images: None):
        counts.append(counts[-1] + len(block.rows))
        times.append(time.perf_counter())
        if times[-1] - times[0] > seconds:
            break
    # Of several batches the first does not count: it is slower.
    first = 1 if len(counts) > 2 else 0
    sample = counts[-1] - counts[first]
    return sample, sample / (times[-1] - times[first]) if sample else 0.0


def _set_size(dataset: Dataset, dim: int, itemsize: int) -> int:
    """Count the bytes of a feature set: per image, and those of sums and paths."""
    paths = len(Paths.of(dataset.paths).content)
    stat = len(NO_STAT) * 8
    sums = -(-len(dataset) // SUM_ROWS) * DIGEST_SIZE
    label, orientation = 8, 1
    each = dim * itemsize + label + stat + DIGEST_SIZE + orientation
    return len(dataset) * each + sums + paths


def _free(folder: Path) -> int:
    """Count the free bytes on the disk of a folder, which need not exist yet."""
    place = next(place for place in folder.parents if place.exists())
    return shutil.disk_usage(place).free
