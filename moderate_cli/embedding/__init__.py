"""Embedding: a dataset in, a feature set on disk out."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import file_stats
from moderate_cli.embedding.blocks import Block, Seconds
from moderate_cli.embedding.cluster import Cluster
from moderate_cli.embedding.confirming import confirm
from moderate_cli.embedding.engines import Engine, open_engine
from moderate_cli.embedding.filling import (
    Filling,
    belongs_to,
    check_own,
    claim_file,
    move_in_place,
    partial_folder,
)
from moderate_cli.embedding.job import Job
from moderate_cli.embedding.reuse import Progress
from moderate_cli.errors import ArgumentError, DamagedError, DatasetError, StoreError
from moderate_cli.files.atomic import claim, remove_stale
from moderate_cli.files.locks import lock, lock_if_free, shared_lock
from moderate_cli.networks.table import DEFAULT_BACKBONE, DEFAULT_MAX_PIXELS
from moderate_cli.store.feature_store import FeatureStore

LOCK = "moderate.lock"  # not a name that a user may have given to a file in a --store
CLAIM_TRIES, CLAIM_PAUSE = 100, 0.1  # seconds


class Timing(NamedTuple):
    """Where the time of an embedding went.

    Attributes
    ----------
    images
        Number of images embedded.
    elapsed
        Seconds from the first image to the last, the backbone being loaded.
    decode, transform
        Seconds of reading and decoding, and of resizing and cropping, summed over `workers`.
    forward, write
        Seconds in the backbone, and in writing to the store.
    workers
        Threads that decode, while the backbone runs.
    """

    images: int
    elapsed: float
    decode: float
    transform: float
    forward: float
    write: float
    workers: int


def embed(
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
    cluster: Cluster | None = None,
    on_progress: Progress | None = None,
    on_check: Progress | None = None,
    on_wait: Callable[[str], None] | None = None,
    on_timing: Callable[[Timing], None] | None = None,
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
        One of `moderate_cli.networks.table.BACKBONES`.
    weights
        File with a state dict of that architecture, of any class count, such as your own
        fine-tuned classifier; None for the backbone's own pretrained weights.
    store
        Folder for feature sets; None puts `data/train.moderate` beside `data/train`.
    precision
        "float32", "bfloat16" or "float16", in which the backbone computes.
    dtype
        "float16" or "float32", in which features are stored.
    decode
        "full", or "reduced": a JPEG of several times the backbone's input is decoded at a half, a
        quarter or an eighth of its size, which is faster and not quite the same.
    max_pixels
        An image of more is unreadable. With a larger limit than before, such images are tried
        again.
    check
        What tells that an image is unchanged. "stat": its size, times and inode; those that differ
        are read, and only new contents embedded. "mtime": its size and modification time alone,
        for file systems that keep no inodes. "content": all images are read, and all features
        compared with their sums; what is damaged is embedded again.
    batch_size
        Images that go through the backbone at once; None for 8 per processor, whose cache then
        holds the activations, and 256 on a GPU.
    workers
        Threads that read and decode images; None for one per processor.
    device
        "auto" (a GPU if there is one), "cpu" or "cuda".
    runtime
        "torch", "openvino", or "auto": OpenVINO on a CPU where it is installed. The two agree to
        1e-5 relative, so rows of both may stand in one set.
    cluster
        A Ray cluster that shall do the work; None for this process. On a cluster `workers` are
        the threads, and processors, of each worker; None for one, or for as many as there are for
        each GPU. `device` follows from `Cluster.gpus_per_worker`.
    on_progress
        Called with the number of images done and the number of all.
    on_check
        The same, of images that are read to see whether their bytes have changed.
    on_wait
        Called with the name of another process that fills the same store, before waiting for it.
    on_timing
        Called at the end, if anything was embedded.

    Returns
    -------
    FeatureStore
        Images that cannot be read have their row, and are listed in `FeatureStore.unreadable`.

    Raises
    ------
    ArgumentError, WeightsError, StoreError
        If an option is out of range, weights are missing or do not fit, or the store cannot be
        written or is another dataset's.
    ClusterError
        If the cluster cannot be reached, has no room, or loses its workers again and again.
    DatasetError
        If images changed meanwhile; what was embedded is kept.
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
        _tidy(job)
        return done
    if not os.access(job.folder.parent, os.W_OK):  # a set that cannot be written may be true
        done = job.confirmed(on_check, keep=False)
        if done is not None:
            return done
    with lock(_lock_file(job), on_wait):
        # Another process may have filled the set while this one waited for the lock.
        done = job.done() or _recover(job)
        if done is not None:
            return done
        _refuse_what_is_not_ours(job)
        done = job.confirmed(on_check)
        if done is not None:
            return done
        with open_engine(job, cluster) as engine:
            filling = Filling.begin(job.folder, job.wanted(engine.manifest), on_check)
            with closing(filling):
                blocks = list(filling.pending())
                timing = _fill(filling, blocks, engine, len(dataset), on_progress)
                done = filling.finish()
        if on_timing is not None and timing.images:
            on_timing(timing)
        _check_unchanged(job, done, on_check)
        return done


def embed_part(
    dataset: Dataset,
    backbone: str = DEFAULT_BACKBONE,
    *,
    part: tuple[int, int],
    cluster: Cluster | None = None,
    on_progress: Progress | None = None,
    on_check: Progress | None = None,
    on_wait: Callable[[str], None] | None = None,
    on_timing: Callable[[Timing], None] | None = None,
    **options: Any,
) -> FeatureStore | None:
    """Do one part of what `embed` does, at the same time as others do theirs, on any machine.

    They share nothing but the store, and need no locks: each writes the rows of its own blocks,
    and names them in a journal of its own. The one that ends last puts the set in its place. A part
    that was killed can be run again; `embed` does whatever is missing.

    Parameters
    ----------
    dataset, backbone, cluster, on_progress, on_check, on_wait, on_timing, options
        As in `embed`; the same in each part. Progress is that of the part. `check` is not
        "content": no part reads all images.
    part
        Its number, from 1, and how many there are.

    Returns
    -------
    FeatureStore or None
        None if other parts are missing, or are being put in place by another process.

    Raises
    ------
    StoreError
        If the set was started with other images or options.
    """
    number, of = part
    if not 1 <= number <= of:
        raise ArgumentError(f"part: {number}/{of} is none of 1/{of} to {of}/{of}")
    job = Job.of(dataset, backbone, **options)
    if job.check == "content":
        raise ArgumentError("check: 'content' reads all images, and a part does not; leave it out")
    done = job.done()
    if done is not None:
        return done
    # Where there are locks, `embed` waits until all parts have ended.
    with shared_lock(_lock_file(job), on_wait):
        done = job.done()
        if done is not None:
            return done
        _refuse_what_is_not_ours(job)
        with open_engine(job, cluster) as engine:
            filling = Filling.join(job.folder, job.wanted(engine.manifest), on_check)
            with closing(filling):
                blocks = [block for block in filling.pending() if block[0] % of == number - 1]
                images = sum(len(rows) for _, rows in blocks)
                timing = _fill(filling, blocks, engine, images, on_progress)
    if on_timing is not None and timing.images:
        on_timing(timing)
    # It is free for the one that ends last; where there are no locks, a claim must do.
    with lock_if_free(_lock_file(job)) as free:
        done = _complete(job, filling) if free else None
    if done is not None:
        _check_unchanged(job, done, on_check)
    return done


def _complete(job: Job, filling: Filling) -> FeatureStore | None:
    """Put a set in its place if it is complete, and nobody else does."""
    for _ in range(CLAIM_TRIES):
        with claim(claim_file(job.folder)) as first:
            if first:
                return job.done() or (filling.finish() if filling.complete else None)
        time.sleep(CLAIM_PAUSE)  # the other one may have looked before this one was done
    return job.done()


def _lock_file(job: Job) -> Path:
    parent = job.folder.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
        if isinstance(error, FileExistsError):
            reason = "a folder of features belongs there, and it is not one"
        raise StoreError(f"{parent}: {reason}; --store DIR puts it elsewhere") from None
    return parent / LOCK


def _fill(
    filling: Filling,
    blocks: list[Block],
    engine: Engine,
    total: int,
    on_progress: Progress | None,
) -> Timing:
    on_image = _counter(total, blocks, on_progress)
    spent, write, start = Seconds(), 0.0, time.perf_counter()
    for block in engine.embed(blocks, on_image):
        begun = time.perf_counter()
        filling.write(block)
        write += time.perf_counter() - begun
        spent = Seconds(*map(sum, zip(spent, block.seconds, strict=True)))
    images, elapsed = sum(len(rows) for _, rows in blocks), time.perf_counter() - start
    return Timing(images, elapsed, *spent, write, engine.threads)


def _check_unchanged(job: Job, store: FeatureStore, on_check: Progress | None) -> None:
    """Refuse features that files have changed from while others were embedded."""
    dataset, check = job.dataset, "stat" if job.check == "content" else job.check
    changed = confirm(store, dataset, file_stats(dataset), check, on_check=on_check)
    if len(changed):
        raise DatasetError(
            f"{dataset.root}: {len(changed)} of its images changed while they were embedded,"
            f" {dataset.paths[changed[0]]} for one; run again to embed those"
        )


class _Busy(Exception):
    """Another process holds the lock."""


def _tidy(job: Job) -> None:
    """Remove an old set that a run was killed while removing."""
    partial = partial_folder(job.folder)
    remove_stale(job.folder, folders=True)

    def give_up(_holder: str) -> None:
        raise _Busy

    if partial.exists():
        with suppress(_Busy, StoreError), lock(partial.parent / LOCK, give_up):
            check_own(partial)
            shutil.rmtree(partial, ignore_errors=True)


def _recover(job: Job) -> FeatureStore | None:
    """Move a set in place that an earlier run completed, but was killed before moving."""
    partial = partial_folder(job.folder)
    try:
        if job.done(partial) is None:
            return None
    except DamagedError:  # an old set, killed while it was being removed
        return None
    return move_in_place(job.folder)


def _refuse_what_is_not_ours(job: Job) -> None:
    """Do not let another dataset lose its features, finished or not, in a store that both name.

    Nor a user a folder that is no feature set and has the name of one.
    """
    for folder in (job.folder, partial_folder(job.folder)):
        check_own(folder)
        if not belongs_to(folder, job.dataset, job.stats):
            raise StoreError(
                f"{folder}: holds the features of another dataset;"
                " name another --store or remove it"
            )


def _counter(total: int, blocks: list[Block], on_progress: Progress | None) -> Callable[[], None]:
    done = total - sum(len(rows) for _, rows in blocks)

    def count() -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(done, total)

    if on_progress is not None:
        on_progress(done, total)
    return count
