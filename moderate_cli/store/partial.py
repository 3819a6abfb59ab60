"""An unfinished feature set on disk.

Its folder is `<set>.partial`, beside the place of the set. Its matrices have all rows from the
start. Rows from an older set are finished; of the others, journals list the finished blocks.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Digests, Features, Labels, Mask, Orientations, Rows, Stats
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.paths import Paths
from moderate_cli.dataset.sources import is_readable
from moderate_cli.files.npy import MISSING, read_array
from moderate_cli.files.regular import read_regular
from moderate_cli.store.blocks import rows_of
from moderate_cli.store.feature_store import cannot_read
from moderate_cli.store.journal import Finished, read_journals
from moderate_cli.store.layout import (
    DIGESTS,
    FEATURES,
    LABELS,
    ORIENTATIONS,
    PATHS,
    PENDING,
    PLAN,
    STATS,
)
from moderate_cli.store.manifest import Manifest
from moderate_cli.store.stats import as_stats

# Errors of reading a file of a set that is missing or damaged.
ABSENT = (*MISSING, ValueError, IndexError)


@dataclass(frozen=True)
class PartialSet:
    """An unfinished set; each file is read on access.

    Reading raises one of `ABSENT`, or StoreError if a file cannot be read now. Such a set must not
    be treated as missing: it may contain hours of work.

    Attributes
    ----------
    folder
        Its folder.
    """

    folder: Path

    @property
    def manifest(self) -> Manifest:
        """The manifest of the finished set, without sums."""
        return Manifest.from_json(self._read(PLAN))

    @property
    def paths(self) -> Paths:
        """Path of each image, relative to the dataset."""
        return Paths(self._read(PATHS))

    @property
    def labels(self) -> Labels:
        """(n,) class indices."""
        return self._array(LABELS)

    @property
    def stats(self) -> Stats:
        """(n, 4) stat of each file when it was read."""
        return as_stats(self._array(STATS))

    @property
    def digests(self) -> Digests:
        """(n, 16) BLAKE2b of each file's bytes."""
        return self._array(DIGESTS)

    @property
    def orientations(self) -> Orientations:
        """(n,) tag of each image's EXIF orientation; 0 if unknown."""
        return self._array(ORIENTATIONS)[:, 0]

    @property
    def features(self) -> Features:
        """(n, d), memory-mapped."""
        return self._array(FEATURES)

    @property
    def finished(self) -> Mask:
        """(n,) True for rows that are reused or embedded."""
        finished: Mask = ~self._array(PENDING)
        journals = self._journals()
        for block in journals.blocks:
            finished[rows_of(block)] = True
        for first, last in journals.pieces:  # rows between that are not in it were reused
            finished[first : last + 1] = True
        return finished

    @property
    def pending(self) -> Rows:
        """Rows that are not finished, int64 (m,)."""
        return np.flatnonzero(~self.finished)

    @property
    def unreadable(self) -> dict[int, str]:
        """Row -> reason, for unreadable images in finished rows."""
        return self._journals().unreadable

    @property
    def complete(self) -> bool:
        """Whether all rows are finished; False if another process has moved it in place."""
        try:
            return bool(self.finished.all())
        except ABSENT:
            return False

    def is_of(self, dataset: Dataset, manifest: Manifest, stats: Stats, numbers: int) -> bool:
        """Whether it was made from these files with these options.

        Compares the first `numbers` numbers of each stat.
        """
        try:
            done = self.finished
            return (
                self._read(PLAN) == manifest.to_json()
                and self._read(PATHS) == Paths.of(dataset.paths).content
                and np.array_equal(self.labels, dataset.labels)
                and np.array_equal(self.stats[done, :numbers], stats[done, :numbers])
                and len(self.orientations) == len(dataset)  # else of an earlier version
            )
        except ABSENT:
            return False

    def may_be_read_now(self, dataset: Dataset) -> bool:
        """Whether a file can be read now that could not be read before."""
        digests = self.digests
        return any(
            not digests[row].any()
            and is_readable(f"{dataset.root}/{dataset.paths[row]}", dataset.source)
            for row in self.unreadable
        )

    def _array(self, name: str) -> npt.NDArray[Any]:
        with _reading(self.folder):
            return read_array(self.folder / name)

    def _read(self, name: str) -> bytes:
        with _reading(self.folder):
            return read_regular(self.folder / name)

    def _journals(self) -> Finished:
        with _reading(self.folder):
            return read_journals(self.folder)


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        yield
    except MISSING:
        raise
    except OSError as error:
        raise cannot_read(Path(os.fsdecode(error.filename or folder)), error) from None
