"""Feature sets on disk: what they hold, and whether they are those of a dataset as it is now."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Mask
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import DIGEST_SIZE, content_digest
from moderate_cli.dataset.paths import Paths
from moderate_cli.dataset.sources import NO_STAT, is_readable
from moderate_cli.errors import ArgumentError, DamagedError, StoreError
from moderate_cli.files.npy import MISSING, advice_on, read_array, read_sealed
from moderate_cli.files.places import place
from moderate_cli.files.regular import read_regular
from moderate_cli.store.manifest import FORMAT, Manifest
from moderate_cli.store.sums import SUM_ROWS, intact_rows
from moderate_cli.text import printable

SUFFIX = ".moderate"
PARTIAL_SUFFIX = ".partial"

FEATURES = "features.npy"
LABELS = "labels.npy"
PATHS = "paths.txt"
STATS = "stats.npy"
DIGESTS = "digests.npy"
UNREADABLE = "unreadable.txt"
SUMS = "sums.npy"
DATASET = "dataset.txt"  # where the dataset lies, seen from the store
MANIFEST = "manifest.json"
# All that is read whole, but for the stats, which change while the set does not: they are sealed.
SUMMED = (LABELS, PATHS, DIGESTS, UNREADABLE, SUMS)


@dataclass(frozen=True)
class FeatureStore:
    """A complete feature set; row i belongs to `ImageFolder(root).samples[i]`.

    Attributes
    ----------
    folder
        Where it lies.
    manifest
        What it holds.
    identity
        As `identity_of` the folder, when the manifest was read.
    """

    folder: Path
    manifest: Manifest
    identity: tuple[int, int]

    def __len__(self) -> int:
        return self.manifest.rows

    @cached_property
    def features(self) -> npt.NDArray[np.floating[Any]]:
        """(n, d) float16 or float32, memory-mapped; NaN where the image cannot be read."""
        shape = (self.manifest.rows, self.manifest.dim)
        try:
            features = read_array(self.folder / FEATURES)
        except MISSING as error:
            raise self._damaged(FEATURES, error.strerror or str(error)) from None
        except OSError as error:
            raise cannot_read(self.folder / FEATURES, error) from None
        except ValueError as error:
            raise self._damaged(FEATURES, str(error)) from None
        return self._checked(FEATURES, features, shape, self.manifest.spec.dtype)

    @cached_property
    def intact(self) -> Mask:
        """(n,) False for rows in blocks that are not what was written.

        All features are read for it; a set of an older format has no sums to tell.
        """
        rows = self.manifest.rows
        if self.manifest.format < FORMAT:
            return np.ones(rows, dtype=np.bool_)
        sums = self._load(SUMS, (-(-rows // SUM_ROWS), DIGEST_SIZE), "uint8")
        return intact_rows(self.features, sums)

    def check_features(self) -> None:
        """Refuse features that are not what was written, before something is computed of them.

        Raises
        ------
        DamagedError
            If there are any.
        """
        if not self.intact.all():
            first = int(np.argmin(self.intact))
            last = min(first + SUM_ROWS, self.manifest.rows) - 1
            self._check_place()
            raise DamagedError(
                f"{self.folder / FEATURES}: damaged (rows {first} to {last} are not what was"
                " written); moderate embed --check content embeds them again"
            )

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """(n,) class indices."""
        return self._load(LABELS, (self.manifest.rows,), "int64")

    @property
    def stats(self) -> npt.NDArray[np.int64]:
        """(n, 4) stat of each file when it was read; -1 where it is not known.

        They say which files need not be read again, and no more; if they are lost, all are.
        """
        rows = self.manifest.rows
        if self.manifest.format < FORMAT:
            return as_stats(self._load(STATS, (rows, 2), "int64"))
        try:
            known = read_sealed(self._content(STATS), self.manifest.identity)
        except (DamagedError, ValueError):
            return as_stats(np.empty((rows, 0), dtype=np.int64))
        return self._checked(STATS, known, (rows, len(NO_STAT)), "int64")

    @property
    def digests(self) -> npt.NDArray[np.uint8]:
        """(n, 16) BLAKE2b of each file's bytes."""
        return self._load(DIGESTS, (self.manifest.rows, DIGEST_SIZE), "uint8")

    @cached_property
    def paths(self) -> Paths:
        """Path of each image, relative to the dataset."""
        paths = Paths(self._read(PATHS))
        if len(paths) != self.manifest.rows:
            raise self._damaged(PATHS, f"{len(paths)} paths for {self.manifest.rows} rows")
        return paths

    @cached_property
    def unreadable(self) -> dict[int, str]:
        """Row -> reason, of the images that cannot be read."""
        lines = self._read(UNREADABLE).decode().splitlines()
        try:
            return {int(row): reason for row, _, reason in (line.split("\t") for line in lines)}
        except ValueError as error:
            raise self._damaged(UNREADABLE, str(error)) from None

    @cached_property
    def readable(self) -> Mask:
        """(n,) False for the images that cannot be read."""
        mask = np.ones(self.manifest.rows, dtype=np.bool_)
        mask[list(self.unreadable)] = False
        return mask

    @cached_property
    def unread(self) -> Sequence[int]:
        """Rows of files that could not even be read, such as for want of permission."""
        rows = np.array(list(self.unreadable), dtype=np.int64)
        return [] if not len(rows) else rows[~self.digests[rows].any(axis=1)].tolist()

    def is_of(self, dataset: Dataset, max_pixels: int) -> bool:
        """Whether the dataset has the same classes and files, by name; and none to try again."""
        return (
            self.manifest.is_newest
            and self.manifest.classes == dataset.classes
            and self.manifest.rows == len(dataset)
            and self.paths == Paths.of(dataset.paths)
            and np.array_equal(self.labels, dataset.labels)
            and (self.manifest.max_pixels >= max_pixels or not self.unreadable)
        )

    def may_be_read_now(self, dataset: Dataset) -> bool:
        """Whether a file that could not be read before is one that can."""
        return any(
            is_readable(f"{dataset.root}/{self.paths[row]}", dataset.source) for row in self.unread
        )

    def _load(self, name: str, shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
        try:
            array = read_array(self._read(name))
        except ValueError as error:
            raise self._damaged(name, str(error)) from None
        return self._checked(name, array, shape, dtype)

    def _checked(
        self, name: str, array: npt.NDArray[Any], shape: tuple[int, ...], dtype: str
    ) -> npt.NDArray[Any]:
        self._check_place()
        if array.shape != shape or array.dtype != dtype:
            found = f"{array.dtype} {array.shape}, not {dtype} {shape}"
            raise self._damaged(name, f"holds {found}")
        return array

    def _read(self, name: str) -> bytes:
        content = self._content(name)
        if content_digest(content).hex() != self.manifest.sums.get(name):
            raise self._damaged(name, "was changed since it was written")
        return content

    def _content(self, name: str) -> bytes:
        try:
            content = read_regular(self.folder / name)
        except MISSING as error:
            raise self._damaged(name, error.strerror or str(error)) from None
        except OSError as error:
            raise cannot_read(self.folder / name, error) from None
        self._check_place()
        return content

    def _check_place(self) -> None:
        """Never mix this set with one that has taken its place."""
        try:
            now = identity_of(self.folder)
        except OSError as error:
            raise cannot_read(self.folder / MANIFEST, error) from None
        if now != self.identity:
            raise StoreError(f"{self.folder}: another process has replaced it; run again")

    def _damaged(self, name: str, reason: str) -> DamagedError:
        self._check_place()
        return damaged(self.folder, name, reason)


def as_stats(known: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Fill the stats (n, m) that an older format has up to (n, 4), with numbers for "not known"."""
    stats = np.full((len(known), len(NO_STAT)), NO_STAT[0], dtype=np.int64)
    stats[:, : known.shape[1]] = known
    return stats


def damaged(folder: Path, name: str, reason: str) -> DamagedError:
    """The error for a feature set that cannot be trusted."""
    reason = " ".join(reason.split())
    return DamagedError(f"{folder / name}: damaged ({reason}); remove {folder} to embed again")


def cannot_read(path: Path, error: OSError) -> StoreError:
    """The error for a file of a set that may be whole, but that the system does not read."""
    reason = error.strerror or str(error)
    return StoreError(f"{path}: cannot be read ({reason}); {advice_on(error)}")


def store_folder(root: Path, store: str | os.PathLike[str] | None = None) -> Path:
    """Where the feature sets of a dataset lie: beside it, never inside it.

    Inside, ImageFolder would take them for a class.
    """
    if store is None and not root.name:
        raise ArgumentError(f"{root}: has no place beside it; name a --store")
    if store is None:
        return root.with_name(root.name + SUFFIX)
    return place(store)


def place_of(dataset: Dataset, store: Path) -> bytes:
    """Where a dataset lies, seen from a store, so that both may be moved together."""
    if not dataset.source.has_neighbors:
        return os.fsencode(dataset.root)
    place = os.path.relpath(dataset.root, store)
    # `z` and `z.tar` have the same root.
    return os.fsencode(place if dataset.in_files else f"{place}.tar")


def open_store(folder: str | os.PathLike[str]) -> FeatureStore | None:
    """Open a complete feature set, or return None if there is none.

    Raises
    ------
    StoreError
        If there is one and its manifest cannot be read, or is damaged.
    """
    path = Path(folder)
    try:
        identity = identity_of(path)
        content = read_regular(path / MANIFEST)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise cannot_read(path / MANIFEST, error) from None
    try:
        return FeatureStore(path, Manifest.from_json(content), identity)
    except ValueError as error:
        raise damaged(path, MANIFEST, str(error)) from None


def identity_of(folder: Path) -> tuple[int, int]:
    """What tells a set from any other that has had its name; zeros if there is none.

    Inode and modification time of its manifest, for the inode of what was removed is used again.

    Raises
    ------
    OSError
        If the system does not say.
    """
    try:
        status = os.stat(folder / MANIFEST)
    except (FileNotFoundError, NotADirectoryError):
        return (0, 0)
    return (status.st_ino, status.st_mtime_ns)


def encode_unreadable(reasons: Mapping[int, str], paths: Sequence[str]) -> bytes:
    """Lines of row, path with odd characters escaped, and reason."""
    return "".join(
        f"{row}\t{printable(paths[row])}\t{printable(reason)}\n"
        for row, reason in sorted(reasons.items())
    ).encode()
