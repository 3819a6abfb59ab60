"""Find a feature set that is up to date: one made of the files as they are now."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Rows
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import NO_DIGEST, content_digest, file_stats
from moderate_cli.dataset.paths import Paths, same_paths
from moderate_cli.dataset.sources import CHECKS, NO_STAT, NotAFile, Stat
from moderate_cli.embedding.donors import refuse_foreign
from moderate_cli.embedding.request import Request
from moderate_cli.errors import DamagedError, DatasetError, OutputError, StoreError
from moderate_cli.files.locks import lock, shared_lock
from moderate_cli.files.npy import advice_on
from moderate_cli.files.temporaries import remove_stale
from moderate_cli.listening import Listener
from moderate_cli.notices import Notice
from moderate_cli.store.feature_store import (
    FeatureStore,
    damaged,
    identity_of,
    open_store,
)
from moderate_cli.store.layout import MANIFEST, check_own
from moderate_cli.store.stats import keep_stats
from moderate_cli.store.writer import move_in_place
from moderate_cli.text import counted
from moderate_cli.threads import in_threads

# Errors of this process or machine, not of a file.
STARVED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def find_fresh(request: Request, listener: Listener, held: ExitStack) -> FeatureStore | None:
    """Open the set if it is up to date; if not, hold the store's lock.

    Parameters
    ----------
    request
        The images, and the place of their set.
    listener
        Told of other processes at the store, and of images that are read.
    held
        Receives the lock.

    Raises
    ------
    StoreError
        If the store cannot be written or belongs to another dataset, or the set is damaged.
    """
    found = open_fresh(request, request.folder)
    if found is not None:
        _tidy(request)
        return found
    if not os.access(request.folder.parent, os.W_OK):  # the set may be up to date
        found = _open_confirmed(request, listener, keep=False)
        if found is not None:
            return found
    held.enter_context(lock(_lock_file(request), _waiting(listener)))
    # Another process may have filled the set meanwhile.
    found = open_fresh(request, request.folder) or _recover(request)
    if found is None:
        refuse_foreign(request)
        found = _open_confirmed(request, listener)
    return found


def find_fresh_together(
    request: Request, listener: Listener, held: ExitStack
) -> FeatureStore | None:
    """Do the same for one of several processes that fill the set; they share the lock."""
    found = open_fresh(request, request.folder)
    if found is None:
        held.enter_context(shared_lock(_lock_file(request), _waiting(listener)))
        found = open_fresh(request, request.folder)
    if found is None:
        refuse_foreign(request)
    return found


def _lock_file(request: Request) -> Path:
    """Create the store if it is missing, and return its lock file."""
    store = request.folder.parent
    try:
        store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
        if isinstance(error, FileExistsError):
            reason = "is not a folder, but has the name of a feature store"
        raise StoreError(f"{store}: {reason}; pass another --store DIR") from None
    return request.lock


def _waiting(listener: Listener) -> Callable[[str], None]:
    return lambda holder: listener.notice(Notice("waiting", names=(holder,)))


def _tidy(request: Request) -> None:
    """Finish the removal of an old set, if a run was killed during it."""
    remove_stale(request.folder, folders=True)
    if request.partial.exists():
        with contextlib.suppress(_Busy, StoreError), lock(request.lock, _give_up):
            check_own(request.partial)
            shutil.rmtree(request.partial, ignore_errors=True)


class _Busy(Exception):
    """Another process holds the lock."""


def _give_up(_holder: str) -> None:
    raise _Busy


def _recover(request: Request) -> FeatureStore | None:
    """Move a complete set to its place, if a run was killed just before that."""
    try:
        sealed = open_fresh(request, request.partial)
    except DamagedError:  # an old set, half removed
        return None
    return move_in_place(request.folder) if sealed is not None else None


def open_fresh(request: Request, folder: Path) -> FeatureStore | None:
    """Open a set if it is up to date, judged by the stats of its files alone.

    Raises
    ------
    StoreError
        If it is damaged, or was made with other options than its name says.
    """
    store, numbers = _opened(request, folder), CHECKS[request.options.check]
    if store is None or not numbers or not _is_of(store, request):
        return None
    same = np.array_equal(store.stats[:, :numbers], request.stats[:, :numbers])
    return store if same and not store.may_be_read_now(request.dataset) else None


def _open_confirmed(
    request: Request, listener: Listener, *, keep: bool = True
) -> FeatureStore | None:
    """Open the set if it is up to date, judged by the bytes of files whose stats changed.

    `keep` is that of `_find_changed`; errors are those of `_find_changed` and `open_fresh`.
    """
    store = _opened(request, request.folder)
    if store is None or not store.manifest.is_newest:
        return None
    changed = _find_changed(store, request, listener, keep=keep)
    fresh = _is_of(store, request) and not len(changed)
    if request.options.check == "content":
        fresh = bool(store.intact.all()) and fresh
    return store if fresh and not store.may_be_read_now(request.dataset) else None


def refuse_changed(store: FeatureStore, request: Request, listener: Listener) -> None:
    """Refuse files that changed during the embedding.

    Raises
    ------
    DatasetError
        Naming the first of them. The next run embeds them again.
    """
    dataset, options = request.dataset, request.options
    if options.check == "content":  # all files were read just now
        options = replace(options, check="stat")
    now = replace(request, stats=file_stats(dataset), options=options)
    changed = _find_changed(store, now, listener)
    if len(changed):
        raise DatasetError(
            f"{dataset.root}: {counted(len(changed), 'image')} changed during the embedding, e.g."
            f" {dataset.paths[changed[0]]}; run again to embed the new contents"
        )


def _find_changed(
    store: FeatureStore, request: Request, listener: Listener, *, keep: bool = True
) -> Rows:
    """Read the files whose stats changed, and find those whose bytes changed.

    Parameters
    ----------
    store
        A set of the current format.
    request
        The dataset now.
    listener
        Told of the files that are read.
    keep
        Write the new stats of unchanged files to the set, so that they are not read again.

    Returns
    -------
    int64 (m,)
        Rows of files that are in the set under the same path, with other bytes.

    Raises
    ------
    DatasetError
        If this process cannot read, which says nothing about the files, or if no file can be
        read: the set may be hours of work, and is kept.
    """
    dataset, check = request.dataset, request.options.check
    rows, sources = same_paths(Paths.of(dataset.paths), store.paths)
    known, numbers = store.stats, CHECKS[check]
    if check != "content":
        other = (known[sources, :numbers] != request.stats[rows, :numbers]).any(axis=1)
        rows, sources = rows[other], sources[other]
    if not len(rows):
        return rows
    digests, stats, changed, reasons = store.digests, known.copy(), [], []
    files = in_threads(partial(_read, dataset), rows.tolist())
    with closing(files), listener.progress("check") as move:
        pairs = zip(rows.tolist(), sources.tolist(), strict=True)
        for done, ((row, source), file) in enumerate(zip(pairs, files, strict=True), 1):
            if digests[source].tobytes() == file.digest and not file.container_changed:
                stats[source] = request.stats[row] if file.stat is None else file.stat
            else:
                stats[source, 1:] = NO_STAT[1:]
                changed.append(row)
                reasons += [file.reason] if file.stat is None else []
            move(done, len(rows))
    if reasons and len(reasons) == np.count_nonzero(digests.any(axis=1)):
        raise DatasetError(
            f"{dataset.root}: no image can be read now ({reasons[-1]}); the features in"
            f" {store.folder} are kept"
        )
    if keep and not np.array_equal(stats, known):
        # A failure to write stats costs only time, unless the old stats would hide a change that
        # only the bytes show.
        harmless = () if check == "content" and changed else (OSError, OutputError)
        with contextlib.suppress(*harmless):
            if identity_of(store.folder) == store.identity:
                keep_stats(store.folder, store.manifest, stats)
    return np.array(changed, dtype=np.int64)


class _File(NamedTuple):
    """Digest and stat of a file; if it cannot be read, the reason in their place."""

    digest: bytes
    stat: Stat | None
    reason: str = ""

    @property
    def container_changed(self) -> bool:
        """Whether the tar file or remote file that contains it changed since it was listed."""
        return self.stat is not None and self.stat[1:] == NO_STAT[1:]


def _read(dataset: Dataset, row: int) -> _File:
    path = f"{dataset.root}/{dataset.paths[row]}"
    try:
        content, stat = dataset.source.read(path)
    except NotAFile as error:
        return _File(NO_DIGEST, None, str(error))
    except OSError as error:
        if error.errno in STARVED:
            reason = f"cannot be read ({error.strerror}); {advice_on(error)}"
            raise DatasetError(f"{path}: {reason}") from None
        return _File(NO_DIGEST, None, error.strerror or str(error))
    return _File(content_digest(content), stat)


def _opened(request: Request, folder: Path) -> FeatureStore | None:
    store = open_store(folder)
    if store is not None and store.manifest.spec != request.spec:
        raise damaged(store.folder, MANIFEST, "was made with other options")
    return store


def _is_of(store: FeatureStore, request: Request) -> bool:
    return store.is_of(request.dataset, request.options.max_pixels)
