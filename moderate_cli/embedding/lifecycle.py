"""The life of a feature set: it is found; or it is begun, filled and published.

It is filled in a folder `<set>.partial`. Once all rows are written, the folder is renamed to
`<set>` in one step. A run that is killed loses the work of a few seconds.
"""

from __future__ import annotations

import contextlib
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np

from moderate_cli.arrays import UPRIGHT
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.sources import CHECKS
from moderate_cli.embedding.cluster import Cluster
from moderate_cli.embedding.donors import manifest_as_before
from moderate_cli.embedding.engines import Engine
from moderate_cli.embedding.freshness import (
    find_fresh,
    find_fresh_together,
    open_fresh,
    refuse_changed,
)
from moderate_cli.embedding.options import EmbedOptions
from moderate_cli.embedding.request import Request
from moderate_cli.embedding.reuse import Reuse, find_reusable
from moderate_cli.errors import ArgumentError, OptionError, StoreError
from moderate_cli.files.atomic import first_folder, new_folder
from moderate_cli.files.locks import claim, lock_if_free, turn
from moderate_cli.listening import SILENT, Listener
from moderate_cli.networks.table import IGNORE
from moderate_cli.notices import Notice, Timing
from moderate_cli.store.blocks import Block, Seconds, blocks_of
from moderate_cli.store.feature_store import FeatureStore
from moderate_cli.store.layout import JOURNAL, check_own, claim_file
from moderate_cli.store.manifest import Manifest
from moderate_cli.store.partial import ABSENT, PartialSet
from moderate_cli.store.writer import Writer, create, move_in_place, writing

CLAIM_TRIES, CLAIM_PAUSE = 100, 0.1  # seconds


def bring_up_to_date(
    dataset: Dataset,
    options: EmbedOptions,
    *,
    part: tuple[int, int] | None = None,
    cluster: Cluster | None = None,
    listener: Listener = SILENT,
) -> FeatureStore | None:
    """Embed as `moderate_cli.embed` does, except that unreadable images are not an error."""
    request = Request.of(dataset, options)
    life = Alone(request, listener) if part is None else Together(request, listener, part)
    with life:
        store = life.find()
        if store is None and life.begin_known():
            store = life.publish()
        elif store is None:
            with _open_engine(request, cluster, listener) as engine:
                for notice in engine.notices:
                    listener.notice(notice)
                life.begin(engine.manifest)
                timing = life.fill(engine)
            if timing.images:
                listener.timed(timing)
            store = life.publish()
            if store is not None:
                _tell_turned(store, listener)
    return store


def _tell_turned(store: FeatureStore, listener: Listener) -> None:
    """Tell how many images have an EXIF orientation, if it is ignored."""
    count = int(np.count_nonzero(store.orientations > UPRIGHT))
    if count and store.manifest.spec.orientation == IGNORE:
        listener.notice(Notice("turned", count, len(store)))


@contextlib.contextmanager
def _open_engine(request: Request, cluster: Cluster | None, listener: Listener) -> Iterator[Engine]:
    """Load the backbone, here or on a cluster, for as long as the context lasts."""
    # torch takes seconds to load, so it is loaded only if there are images to embed.
    if cluster is None:
        from moderate_cli.embedding.engines.hiring import early_helper

        with early_helper(request) as helper:
            with listener.progress(f"loading {request.spec.backbone}"):
                from moderate_cli.embedding.engines.local import LocalEngine

                engine = LocalEngine(request, helper)
            with contextlib.closing(engine):
                yield engine
    else:
        with contextlib.ExitStack() as held:
            with listener.progress("connecting to Ray"):
                from moderate_cli.embedding.engines.ray import connected

                on_cluster = held.enter_context(connected(request, cluster))
            yield on_cluster


class Life(ABC):
    """One process in the life of a feature set: `find` it, or else `begin`, `fill`, `publish` it.

    Locks and open files of one step are kept for the next; leaving the context releases them.
    """

    def __init__(self, request: Request, listener: Listener) -> None:
        self._request = request
        self._listener = listener
        self._held = contextlib.ExitStack()
        self._partial = PartialSet(request.partial)
        self._reusable: tuple[Manifest, list[Reuse]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._held.close()

    @abstractmethod
    def find(self) -> FeatureStore | None:
        """Open the set if it is up to date; if not, take the store's lock, alone or shared."""

    def begin_known(self) -> bool:
        """Open the partial set if no row needs embedding, so that no network need be loaded."""
        manifest = manifest_as_before(self._request)
        if manifest is None or not self._is_known(manifest):
            return False
        self.begin(manifest)
        return True

    @abstractmethod
    def _is_known(self, manifest: Manifest) -> bool:
        """Whether no row needs embedding, if features are made as a manifest says."""

    @abstractmethod
    def begin(self, manifest: Manifest) -> None:
        """Open the partial set, with all rows that need no embedding.

        Parameters
        ----------
        manifest
            How the features are made.
        """

    def fill(self, engine: Engine) -> Timing:
        """Embed rows and write them, block by block."""
        from moderate_cli.store.behind import behind  # loads concurrent.futures and logging

        blocks, total = self._blocks()
        images = sum(len(rows) for _, rows in blocks)
        done, spent, begun = total - images, Seconds(), time.perf_counter()
        with (
            self._interruption_told(),
            self._listener.progress("embed") as move,
            behind(self._writer) as writes,
        ):

            def on_images(count: int) -> None:
                nonlocal done
                done += count
                move(done, total)

            on_images(0)
            with contextlib.closing(engine.embed(blocks, on_images)) as embedded:
                for block in embedded:
                    writes.write(block)
                    spent = Seconds(*map(sum, zip(spent, block.seconds, strict=True)))
            writes.finish()
        elapsed = time.perf_counter() - begun
        return Timing(images, elapsed, *spent, writes.seconds, engine.workers)

    @contextlib.contextmanager
    def _interruption_told(self) -> Iterator[None]:
        """If the user stops the work, tell how much of it is kept."""
        try:
            yield
        except BaseException as error:
            if not isinstance(error, Exception):
                images = len(self._request.dataset)
                with contextlib.suppress(*ABSENT, StoreError):
                    kept = images - len(self._partial.pending)
                    self._listener.notice(Notice("interrupted embedding", kept, images))
            raise

    @abstractmethod
    def publish(self) -> FeatureStore | None:
        """Move the set to its place, if it is complete.

        Raises
        ------
        DatasetError
            If files changed during the embedding.
        """

    @abstractmethod
    def _blocks(self) -> tuple[list[Block], int]:
        """Return the blocks to embed, and the total number of images for the progress."""

    def _start(self, folder: Path, manifest: Manifest) -> None:
        """Begin a set in an empty folder, with the rows that older sets can give."""
        reused = (block for reuse in self._find_reusable(manifest) for block in reuse.blocks())
        create(folder, self._request.dataset, manifest, reused)
        # Closes their files: Windows does not rename a folder in which one is open.
        self._reusable = None

    def _find_reusable(self, manifest: Manifest) -> list[Reuse]:
        """Find the rows that older sets can give; reads them only once."""
        if self._reusable is None or not self._reusable[0].same_features(manifest):
            found = find_reusable(self._request, manifest, self._listener)
            self._reusable = manifest, found
        return self._reusable[1]

    def _all_reusable(self, manifest: Manifest) -> bool:
        given = sum(len(reuse.rows) for reuse in self._find_reusable(manifest))
        return given == manifest.rows

    def _write_to(self, journal: str, manifest: Manifest) -> None:
        writer = Writer(self._request.partial, self._request.dataset.paths, manifest, journal)
        self._writer = self._held.enter_context(contextlib.closing(writer))

    def _complete(self) -> FeatureStore:
        self._writer.seal()
        with writing(self._request.partial):
            return move_in_place(self._request.folder)


class Alone(Life):
    """The process that fills the whole set, while others wait."""

    def find(self) -> FeatureStore | None:
        """Look without the lock first, then with it."""
        return find_fresh(self._request, self._listener, self._held)

    def _is_known(self, manifest: Manifest) -> bool:
        """Whether the partial set lacks only its name, or older sets can give all rows."""
        if can_resume(self._request, manifest):
            return self._partial.complete
        return self._all_reusable(manifest)

    def begin(self, manifest: Manifest) -> None:
        """Continue an interrupted set, or start one with the rows of older sets."""
        if not can_resume(self._request, manifest):
            given = sum(len(reuse.rows) for reuse in self._find_reusable(manifest))
            with new_folder(self._request.partial, may_replace=check_own) as fresh:
                self._start(fresh, manifest)
            if 0 < given < manifest.rows:
                self._listener.notice(Notice("updating", manifest.rows - given, given))
        self._write_to(JOURNAL, manifest)

    def _blocks(self) -> tuple[list[Block], int]:
        return blocks_of(self._partial.pending), len(self._request.dataset)

    def publish(self) -> FeatureStore:
        """Move the set to its place."""
        done = self._complete()
        refuse_changed(done, self._request, self._listener)
        return done


def can_resume(request: Request, manifest: Manifest) -> bool:
    """Whether the partial set is of this request, and its finished rows are up to date."""
    partial = PartialSet(request.partial)
    return (
        CHECKS[request.options.check] > 0
        and partial.is_of(request.dataset, manifest, request.stats, request.numbers)
        and not partial.may_be_read_now(request.dataset)
    )


class Together(Life):
    """One of several processes that fill a set, on any machines; each embeds its own blocks.

    They share only the store. They need no locks, for each writes its own journal. The last one to
    end publishes the set. Where locks work, `Alone` waits for all of them.

    Parameters
    ----------
    part
        Number of the process, from 1, and number of processes.
    """

    def __init__(self, request: Request, listener: Listener, part: tuple[int, int]) -> None:
        super().__init__(request, listener)
        self._number, self._of = number, of = part
        if not 1 <= number <= of:
            raise ArgumentError(f"part: {number}/{of} is not a valid part; use 1/{of} to {of}/{of}")
        if request.options.check == "content":
            raise OptionError("use {} or {}, not both", "part", ("check", "content"))

    def find(self) -> FeatureStore | None:
        """Look without the lock first, then with a share of it."""
        return find_fresh_together(self._request, self._listener, self._held)

    def _is_known(self, manifest: Manifest) -> bool:
        """Whether other parts have all that is left, or older sets can give all rows."""
        if self._can_join(manifest):
            with contextlib.suppress(*ABSENT):  # where locks do not work, others may publish it now
                return not self._blocks()[0]
            return False
        return not os.path.lexists(self._request.partial) and self._all_reusable(manifest)

    def begin(self, manifest: Manifest) -> None:
        """Join the processes that fill the set; the first one starts it.

        Raises
        ------
        StoreError
            If it was started with other images or options.
        """
        partial = self._request.partial
        with writing(partial):
            with turn(partial.parent):
                if not os.path.lexists(partial):
                    with first_folder(partial) as fresh:
                        self._start(fresh, manifest)
            if not self._can_join(manifest):
                raise StoreError(
                    f"{partial}: was started with other images, options or software, or is"
                    " complete; run `moderate embed` without --part to continue from it"
                )
            # A new journal, even if a part runs twice: lines of two writers could mix.
            self._write_to(f"journal-{os.urandom(8).hex()}.jsonl", manifest)

    def _can_join(self, manifest: Manifest) -> bool:
        # Images that can be read again are left to `Alone`. Inodes may differ between machines; the
        # process that publishes the set checks all files.
        request, numbers = self._request, CHECKS["mtime"]
        return self._partial.is_of(request.dataset, manifest, request.stats, numbers)

    def _blocks(self) -> tuple[list[Block], int]:
        pending = blocks_of(self._partial.pending)
        own = [block for block in pending if block[0] % self._of == self._number - 1]
        return own, sum(len(rows) for _, rows in own)

    def publish(self) -> FeatureStore | None:
        """Move the set to its place; None if parts are missing, or another process does it."""
        self._held.close()
        # The lock is free for the last process. Where locks do not work, a claim takes their place.
        with lock_if_free(self._request.lock) as free:
            done = self._complete_if_first() if free else None
        if done is not None:
            refuse_changed(done, self._request, self._listener)
        return done

    def _complete_if_first(self) -> FeatureStore | None:
        request = self._request
        for _ in range(CLAIM_TRIES):
            with claim(claim_file(request.folder)) as first:
                if first:
                    found = open_fresh(request, request.folder)
                    return found or (self._complete() if self._partial.complete else None)
            time.sleep(CLAIM_PAUSE)  # its owner may have looked before this part was done
        return open_fresh(request, request.folder)
