"""Feature sets on disk: what they hold, and whether they are those of a dataset as it is now."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import read_array
from moderate_cli.backbones import FeatureSpec, Preprocessing
from moderate_cli.dataset import Dataset
from moderate_cli.errors import ArgumentError, StoreError
from moderate_cli.fingerprints import DIGEST_SIZE, content_digest
from moderate_cli.paths import Paths
from moderate_cli.regular import read_regular
from moderate_cli.sources import is_readable
from moderate_cli.text import printable

FORMAT = 2
SUFFIX = ".moderate"
PARTIAL_SUFFIX = ".partial"

FEATURES = "features.npy"
LABELS = "labels.npy"
PATHS = "paths.txt"
STATS = "stats.npy"
DIGESTS = "digests.npy"
UNREADABLE = "unreadable.txt"
DATASET = "dataset.txt"  # where the dataset lies, seen from the store
MANIFEST = "manifest.json"
SUMMED = (LABELS, PATHS, STATS, DIGESTS, UNREADABLE)  # all that is read whole


@dataclass(frozen=True)
class Manifest:
    """What the features of a set are.

    Attributes
    ----------
    spec
        What was asked for.
    weights, weights_sha256
        Where the backbone's weights came from; the digest is empty if it is not known.
    runtime
        What ran the backbone.
    preprocessing
        How images became the backbone's input.
    rows, dim
        Shape of the feature matrix.
    classes
        Class names by index.
    sums
        Name -> BLAKE2b, as hexadecimal digits, of the files in `SUMMED`; none of a set that is
        not complete.
    """

    spec: FeatureSpec
    weights: str
    weights_sha256: str
    runtime: str
    preprocessing: Preprocessing
    rows: int
    dim: int
    classes: tuple[str, ...]
    sums: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Serialise, with a sum of it all; names that are not valid UTF-8 come back unchanged."""
        fields = {"format": FORMAT, **asdict(self)}
        fields["blake2b"] = content_digest(json.dumps(fields).encode("ascii")).hex()
        return (json.dumps(fields, indent=2) + "\n").encode("ascii")

    @classmethod
    def from_json(cls, content: bytes) -> Manifest:
        """Read what `to_json` wrote.

        Raises
        ------
        ValueError
            If it is anything else.
        """
        fields: dict[str, Any] = json.loads(content)
        if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
            raise ValueError(f"is not of format {FORMAT}")
        fields.pop("blake2b", None)
        try:
            levels = fields["preprocessing"]
            for key in ("mean", "std"):
                levels[key] = tuple(levels[key])
            fields |= {
                "spec": FeatureSpec(**fields["spec"]),
                "preprocessing": Preprocessing(**levels),
                "classes": tuple(fields["classes"]),
            }
            manifest = cls(**fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(str(error)) from None
        if manifest.to_json() != content:
            raise ValueError("was changed since it was written")
        return manifest


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
        except (OSError, ValueError) as error:
            raise self._damaged(FEATURES, str(error)) from None
        return self._checked(FEATURES, features, shape, self.manifest.spec.dtype)

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """(n,) class indices."""
        return self._load(LABELS, (self.manifest.rows,), "int64")

    @property
    def stats(self) -> npt.NDArray[np.int64]:
        """(n, 2) size in bytes and modification time in nanoseconds of each file when read."""
        return self._load(STATS, (self.manifest.rows, 2), "int64")

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
    def readable(self) -> npt.NDArray[np.bool_]:
        """(n,) False for the images that cannot be read."""
        mask = np.ones(self.manifest.rows, dtype=np.bool_)
        mask[list(self.unreadable)] = False
        return mask

    @cached_property
    def unread(self) -> Sequence[int]:
        """Rows of files that could not even be read, such as for want of permission."""
        rows = np.array(list(self.unreadable), dtype=np.int64)
        return [] if not len(rows) else rows[~self.digests[rows].any(axis=1)].tolist()

    def is_current(self, dataset: Dataset, stats: npt.NDArray[np.int64]) -> bool:
        """Whether the dataset has the same classes and files, none changed since."""
        return (
            self.manifest.classes == dataset.classes
            and self.manifest.rows == len(dataset)
            and self.paths == Paths.of(dataset.paths)
            and np.array_equal(self.labels, dataset.labels)
            and np.array_equal(self.stats, stats)
            and not any(
                is_readable(f"{dataset.root}/{self.paths[row]}", dataset.source)
                for row in self.unread
            )
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
        try:
            content = read_regular(self.folder / name)
        except OSError as error:
            raise self._damaged(name, error.strerror or str(error)) from None
        self._check_place()
        if content_digest(content).hex() != self.manifest.sums.get(name):
            raise self._damaged(name, "was changed since it was written")
        return content

    def _check_place(self) -> None:
        """Never mix this set with one that has taken its place."""
        if identity_of(self.folder) != self.identity:
            raise StoreError(f"{self.folder}: another process has replaced it; run again")

    def _damaged(self, name: str, reason: str) -> StoreError:
        self._check_place()
        return damaged(self.folder, name, reason)


def damaged(folder: Path, name: str, reason: str) -> StoreError:
    """The error for a feature set that cannot be trusted."""
    reason = " ".join(reason.split())
    return StoreError(f"{folder / name}: damaged ({reason}); remove {folder} to embed again")


def store_folder(root: Path, store: str | os.PathLike[str] | None = None) -> Path:
    """Where the feature sets of a dataset lie: beside it, never inside it.

    Inside, ImageFolder would take them for a class.
    """
    if store is None and not root.name:
        raise ArgumentError(f"{root}: has no place beside it; name a --store")
    if store is None:
        return root.with_name(root.name + SUFFIX)
    folder = Path(os.path.abspath(store))
    if folder.is_relative_to(root):
        raise ArgumentError(f"--store {os.fspath(store)}: lies in the dataset; name one outside")
    return folder


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
        If there is one and its manifest cannot be read.
    """
    path = Path(folder)
    identity = identity_of(path)
    try:
        content = read_regular(path / MANIFEST)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    try:
        return FeatureStore(path, Manifest.from_json(content), identity)
    except ValueError as error:
        raise damaged(path, MANIFEST, str(error)) from None


def identity_of(folder: Path) -> tuple[int, int]:
    """What tells a set from any other that has had its name; zeros if there is none.

    Inode and modification time of its manifest, for the inode of what was removed is used again.
    """
    try:
        status = os.stat(folder / MANIFEST)
    except OSError:
        return (0, 0)
    return (status.st_ino, status.st_mtime_ns)


def encode_unreadable(reasons: Mapping[int, str], paths: Sequence[str]) -> bytes:
    """Lines of row, path with odd characters escaped, and reason."""
    return "".join(
        f"{row}\t{printable(paths[row])}\t{printable(reason)}\n"
        for row, reason in sorted(reasons.items())
    ).encode()
