"""A complete feature set on disk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Digests, Features, Mask, Orientations, Stats
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import DIGEST_SIZE, content_digest
from moderate_cli.dataset.paths import Paths
from moderate_cli.dataset.sources import NO_STAT, is_readable
from moderate_cli.errors import DamagedError, StoreError
from moderate_cli.files.npy import MISSING, advice_on, read_array, read_sealed
from moderate_cli.files.regular import read_regular
from moderate_cli.store.layout import (
    DIGESTS,
    FEATURES,
    LABELS,
    MANIFEST,
    ORIENTATIONS,
    PATHS,
    STATS,
    SUMS,
    UNREADABLE,
)
from moderate_cli.store.manifest import FORMAT, Manifest
from moderate_cli.store.stats import as_stats
from moderate_cli.store.sums import SUM_ROWS, intact_rows
from moderate_cli.text import printable


@dataclass(frozen=True, repr=False)
class FeatureStore:
    """A complete feature set; row i is image `ImageFolder(root).samples[i]`.

    Attributes
    ----------
    folder
        Its folder.
    manifest
        How its features were made.
    identity
        `identity_of(folder)` when the manifest was read.

    Examples
    --------
    >>> from moderate_cli import embed
    >>> store = embed("data/train", backbone="pixels")
    >>> store.features.shape, store.labels.tolist()
    ((8, 192), [0, 0, 0, 0, 0, 1, 1, 2])
    """

    folder: Path
    manifest: Manifest
    identity: tuple[int, int]

    def __len__(self) -> int:
        return self.manifest.rows

    def __repr__(self) -> str:
        rows, dim = self.manifest.rows, self.manifest.dim
        return f"FeatureStore({rows} images, {dim} features each, in {self.folder})"

    @cached_property
    def features(self) -> Features:
        """(n, d) float16 or float32, memory-mapped; NaN for unreadable images."""
        shape = (self.manifest.rows, self.manifest.dim)
        with self._reading(FEATURES):
            features = read_array(self.folder / FEATURES)
        return self._checked(FEATURES, features, shape, self.manifest.spec.dtype)

    @cached_property
    def intact(self) -> Mask:
        """(n,) False for rows in blocks that changed since they were written.

        Reads all features. A set of an older format has no sums and counts as intact.
        """
        rows = self.manifest.rows
        if self.manifest.format < FORMAT:
            return np.ones(rows, dtype=np.bool_)
        sums = self._load(SUMS, (-(-rows // SUM_ROWS), DIGEST_SIZE), "uint8")
        return intact_rows(self.features, sums)

    def check_features(self) -> None:
        """Refuse features that changed since they were written.

        Raises
        ------
        DamagedError
            With the first block of rows that changed.
        """
        if not self.intact.all():
            first = int(np.argmin(self.intact))
            last = min(first + SUM_ROWS, self.manifest.rows) - 1
            self._check_place()
            raise DamagedError(
                f"{self.folder / FEATURES}: damaged (rows {first} to {last} changed since they"
                " were written); run `moderate embed --check content` to embed them again"
            )

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """(n,) class indices."""
        return self._load(LABELS, (self.manifest.rows,), "int64")

    @property
    def stats(self) -> Stats:
        """(n, 4) stat of each file when it was read; -1 if unknown.

        Without them, all files are read again.
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
    def digests(self) -> Digests:
        """(n, 16) BLAKE2b of each file's bytes."""
        return self._load(DIGESTS, (self.manifest.rows, DIGEST_SIZE), "uint8")

    @property
    def orientations(self) -> Orientations:
        """(n,) tag of each image's EXIF orientation, 1 to 8; 0 if unknown."""
        rows = self.manifest.rows
        if ORIENTATIONS not in self.manifest.sums:  # of an earlier version
            return np.zeros(rows, dtype=np.uint8)
        return self._load(ORIENTATIONS, (rows, 1), "uint8")[:, 0]

    @cached_property
    def paths(self) -> Paths:
        """Path of each image, relative to the dataset."""
        paths = Paths(self._read(PATHS))
        if len(paths) != self.manifest.rows:
            raise self._damaged(PATHS, f"{len(paths)} paths for {self.manifest.rows} rows")
        return paths

    @cached_property
    def unreadable(self) -> dict[int, str]:
        """Row -> reason, for unreadable images."""
        lines = self._read(UNREADABLE).decode().splitlines()
        try:
            return {int(row): reason for row, _, reason in (line.split("\t") for line in lines)}
        except ValueError as error:
            raise self._damaged(UNREADABLE, str(error)) from None

    @cached_property
    def readable(self) -> Mask:
        """(n,) False for unreadable images."""
        mask = np.ones(self.manifest.rows, dtype=np.bool_)
        mask[list(self.unreadable)] = False
        return mask

    @cached_property
    def unread(self) -> Sequence[int]:
        """Rows of files whose bytes could not be read, e.g. for lack of permission."""
        rows = np.array(list(self.unreadable), dtype=np.int64)
        return [] if not len(rows) else rows[~self.digests[rows].any(axis=1)].tolist()

    def is_of(self, dataset: Dataset, max_pixels: int) -> bool:
        """Whether the dataset has the same classes and file names, and no file to retry."""
        return (
            self.manifest.is_newest
            and self.manifest.classes == dataset.classes
            and self.manifest.rows == len(dataset)
            and self.paths == Paths.of(dataset.paths)
            and np.array_equal(self.labels, dataset.labels)
            and (self.manifest.max_pixels >= max_pixels or not self.unreadable)
        )

    def may_be_read_now(self, dataset: Dataset) -> bool:
        """Whether a file can be read now that could not be read before."""
        return any(
            is_readable(f"{dataset.root}/{self.paths[row]}", dataset.source) for row in self.unread
        )

    def _load(self, name: str, shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
        content = self._read(name)
        with self._reading(name):
            array = read_array(content)
        return self._checked(name, array, shape, dtype)

    def _checked(
        self, name: str, array: npt.NDArray[Any], shape: tuple[int, ...], dtype: str
    ) -> npt.NDArray[Any]:
        self._check_place()
        if array.shape != shape or array.dtype != dtype:
            found = f"{array.dtype} {array.shape}, not {dtype} {shape}"
            raise self._damaged(name, f"contains {found}")
        return array

    def _read(self, name: str) -> bytes:
        content = self._content(name)
        if content_digest(content).hex() != self.manifest.sums.get(name):
            raise self._damaged(name, "was changed since it was written")
        return content

    def _content(self, name: str) -> bytes:
        with self._reading(name):
            content = read_regular(self.folder / name)
        self._check_place()
        return content

    @contextlib.contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except MISSING as error:
            raise self._damaged(name, error.strerror or str(error)) from None
        except OSError as error:
            raise cannot_read(self.folder / name, error) from None
        except ValueError as error:
            raise self._damaged(name, str(error)) from None

    def _check_place(self) -> None:
        """Refuse to mix this set with one that replaced it."""
        try:
            now = identity_of(self.folder)
        except OSError as error:
            raise cannot_read(self.folder / MANIFEST, error) from None
        if now != self.identity:
            raise StoreError(f"{self.folder}: another process has replaced it; run again")

    def _damaged(self, name: str, reason: str) -> DamagedError:
        self._check_place()
        return damaged(self.folder, name, reason)


def damaged(folder: Path, name: str, reason: str) -> DamagedError:
    """Return the error for a damaged file of a feature set."""
    reason = " ".join(reason.split())
    return DamagedError(f"{folder / name}: damaged ({reason}); remove {folder} to embed again")


def cannot_read(path: Path, error: OSError) -> StoreError:
    """Return the error for a file that cannot be read now, but may be intact."""
    reason = error.strerror or str(error)
    return StoreError(f"{path}: cannot be read ({reason}); {advice_on(error)}")


def open_store(folder: str | os.PathLike[str]) -> FeatureStore | None:
    """Open a complete feature set; None if there is none.

    Raises
    ------
    StoreError
        If its manifest cannot be read, or is damaged.

    Examples
    --------
    >>> from moderate_cli import embed
    >>> made = embed("data/train", backbone="pixels")
    >>> open_store("data/train.moderate/pixels-float32-float16")
    FeatureStore(8 images, 192 features each, in data/train.moderate/pixels-float32-float16)
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
    """Return numbers that identify a set; zeros if there is none.

    They are inode and modification time of its manifest; an inode alone may be reused.

    Raises
    ------
    OSError
        If the manifest cannot be examined.
    """
    try:
        status = os.stat(folder / MANIFEST)
    except (FileNotFoundError, NotADirectoryError):
        return (0, 0)
    return (status.st_ino, status.st_mtime_ns)


def encode_unreadable(reasons: Mapping[int, str], paths: Sequence[str]) -> bytes:
    """Encode a line of row, path and reason for each image; odd characters are escaped."""
    return "".join(
        f"{row}\t{printable(paths[row])}\t{printable(reason)}\n"
        for row, reason in sorted(reasons.items())
    ).encode()
