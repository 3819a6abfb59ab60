"""What an embedding would take in time and disk, measured on some of the images."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import DIGEST_SIZE
from moderate_cli.dataset.paths import Paths
from moderate_cli.dataset.sources import NO_STAT
from moderate_cli.embedding.filling import rows_to_embed
from moderate_cli.embedding.job import Job
from moderate_cli.networks.table import DEFAULT_BACKBONE, DEFAULT_MAX_PIXELS
from moderate_cli.store.sums import SUM_ROWS

SAMPLE_BATCHES = 64
SAMPLE_SECONDS = 5.0


class Estimate(NamedTuple):
    """What `embed` with the same arguments would do.

    Attributes
    ----------
    images, pending
        Images of the dataset, and how many of them have no features yet.
    sample
        Number of images that were embedded to measure the rate.
    rate
        Images per second; 0 if none is pending.
    seconds
        Time for the pending images.
    folder
        Where the feature set belongs.
    size, free
        Bytes that it takes, and that are free there now.
    """

    images: int
    pending: int
    sample: int
    rate: float
    seconds: float
    folder: Path
    size: int
    free: int


def estimate(
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
) -> Estimate:
    """Measure on images from all over the dataset what `embed` would take; write nothing.

    Parameters and errors are those of `moderate_cli.embed`. Takes `SAMPLE_SECONDS` at most, once
    the backbone is loaded.
    """
    job = Job.of(
        dataset,
        backbone,
        weights=weights,
        store=store,
        precision=precision,
        dtype=dtype,
        decode=decode,
        max_pixels=max_pixels,
        check=check,
        batch_size=batch_size,
        workers=workers,
        device=device,
        runtime=runtime,
    )
    done = job.done()
    if done is not None:
        pending, sample, rate, dim = 0, 0, 0.0, done.manifest.dim
    else:
        network, manifest = job.load()
        rows = rows_to_embed(job.folder, job.wanted(manifest))
        pending, dim = len(rows), manifest.dim

        from moderate_cli.embedding.local import embed_blocks

        size = network.batch_size
        some = rows[np.linspace(0, pending - 1, min(pending, size * SAMPLE_BATCHES)).astype(int)]
        blocks = [
            (number, some[at : at + size]) for number, at in enumerate(range(0, len(some), size))
        ]
        counts, times = [0], [time.perf_counter()]
        for block in embed_blocks(
            dataset,
            blocks,
            network,
            max_pixels=max_pixels,
            workers=job.threads,
            on_image=_nothing,
        ):
            counts.append(counts[-1] + len(block.rows))
            times.append(time.perf_counter())
            if times[-1] - times[0] > SAMPLE_SECONDS:
                break
        # The first batch finds the machine cold, if there is more than one.
        first = 1 if len(counts) > 2 else 0
        sample = counts[-1] - counts[first]
        rate = sample / (times[-1] - times[first]) if sample else 0.0
    return Estimate(
        images=len(dataset),
        pending=pending,
        sample=sample,
        rate=rate,
        seconds=pending / rate if rate else 0.0,
        folder=job.folder,
        size=_set_size(dataset, dim, np.dtype(dtype).itemsize),
        free=_free(job.folder),
    )


def _nothing() -> None:
    pass


def _set_size(dataset: Dataset, dim: int, itemsize: int) -> int:
    """Bytes of a feature set: features, label, stat and digest of each image, and the paths."""
    paths = len(Paths.of(dataset.paths).content)
    stat = len(NO_STAT) * 8
    sums = -(-len(dataset) // SUM_ROWS) * DIGEST_SIZE
    return len(dataset) * (dim * itemsize + 8 + stat + DIGEST_SIZE) + sums + paths


def _free(folder: Path) -> int:
    """Bytes that are free where a folder is, or would be made."""
    place = next(place for place in folder.parents if place.exists())
    return shutil.disk_usage(place).free
