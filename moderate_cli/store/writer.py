"""Write a feature set block by block, so that a killed run loses only seconds of work."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from moderate_cli.arrays import Features, Values
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import DIGEST_SIZE, content_digest
from moderate_cli.dataset.paths import Paths
from moderate_cli.dataset.sources import NO_STAT
from moderate_cli.errors import StoreError
from moderate_cli.files.atomic import new_file, replace_folder
from moderate_cli.files.regular import read_regular
from moderate_cli.files.temporaries import remove_stale
from moderate_cli.store.blocks import REUSED, EmbeddedBlock
from moderate_cli.store.feature_store import (
    FeatureStore,
    encode_unreadable,
    open_store,
)
from moderate_cli.store.journal import Journal
from moderate_cli.store.layout import (
    DATASET,
    DIGESTS,
    FEATURES,
    JOURNAL,
    JOURNALS,
    LABELS,
    MANIFEST,
    ORIENTATIONS,
    PATHS,
    PENDING,
    PLAN,
    STATS,
    SUMMED,
    SUMS,
    UNREADABLE,
    check_own,
    claim_file,
    partial_folder,
    place_of,
)
from moderate_cli.store.manifest import Manifest
from moderate_cli.store.matrix import Matrix
from moderate_cli.store.partial import PartialSet
from moderate_cli.store.stats import keep_stats
from moderate_cli.store.sums import block_sums

MATRICES = (FEATURES, STATS, DIGESTS, ORIENTATIONS)  # filled row by row


class Writer:
    """Writes to an unfinished set. Hold the store's lock meanwhile, or a share of it.

    Parameters
    ----------
    folder
        Folder of the unfinished set, from `create`.
    paths
        Path of each image.
    manifest
        How the features are made.
    journal
        Name of this writer's own journal, as writers must not share one.
    """

    def __init__(
        self, folder: Path, paths: Sequence[str], manifest: Manifest, journal: str = JOURNAL
    ) -> None:
        self._set = PartialSet(folder)
        self._paths = paths
        self._manifest = manifest
        self._matrices = tuple(Matrix(folder / name) for name in MATRICES)
        self._journal = Journal(folder / journal)
        self._busy = threading.Lock()

    def write(self, block: EmbeddedBlock) -> None:
        """Write the rows of a block or of a piece, then add it to the journal.

        Raises
        ------
        StoreError
            If a feature of a readable image is not finite in the set's dtype, or the disk is
            full.
        """
        features = self._finite(block)
        with self._busy, writing(self._set.folder):
            _put(self._matrices, block, features)
            for matrix in self._matrices:
                matrix.sync()
            piece = None if block.whole else (int(block.rows[0]), int(block.rows[-1]))
            self._journal.add(block.block, block.unreadable, piece)

    def _finite(self, block: EmbeddedBlock) -> Features:
        spec = self._manifest.spec
        with np.errstate(over="ignore"):
            features: Features = block.features.astype(spec.dtype)
        bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
        for row in block.rows[bad].tolist():
            if row not in block.unreadable:
                raise StoreError(
                    f"{self._paths[row]}: its features are not finite in precision"
                    f" {spec.precision} and dtype {spec.dtype}; use float32 for both"
                )
        return features

    def seal(self) -> None:
        """Complete the set: write the remaining files, the manifest last."""
        self.close()
        folder, unreadable = self._set.folder, self._set.unreadable
        with writing(folder):
            with new_file(folder / UNREADABLE) as file:
                file.write(encode_unreadable(unreadable, self._paths))
            np.save(folder / SUMS, block_sums(self._set.features))
            sums = {name: content_digest(read_regular(folder / name)).hex() for name in SUMMED}
            manifest = replace(self._manifest, sums=sums)
            keep_stats(folder, manifest, self._set.stats)
            with new_file(folder / MANIFEST) as file:
                file.write(manifest.to_json())

    def close(self) -> None:
        """Close the files, after the block that another thread writes; the next run continues."""
        with self._busy:
            for matrix in self._matrices:
                matrix.close()
            self._journal.close()


def create(
    folder: Path, dataset: Dataset, manifest: Manifest, reused: Iterable[EmbeddedBlock]
) -> None:
    """Create an unfinished set in an empty folder.

    Parameters
    ----------
    folder
        The folder, beside the place of the set.
    dataset
        The images.
    manifest
        How features are made.
    reused
        Rows with known features, in parts of any size.
    """
    n = len(dataset)
    matrices = (
        Matrix.create(folder / FEATURES, (n, manifest.dim), manifest.spec.dtype),
        Matrix.create(folder / STATS, (n, len(NO_STAT)), np.int64),
        Matrix.create(folder / DIGESTS, (n, DIGEST_SIZE), np.uint8),
        Matrix.create(folder / ORIENTATIONS, (n, 1), np.uint8),
    )
    pending = np.ones(n, dtype=np.bool_)
    unreadable: dict[int, str] = {}
    for part in reused:
        _put(matrices, part, part.features)
        pending[part.rows] = False
        unreadable |= part.unreadable
    for matrix in matrices:
        matrix.sync()
        matrix.close()
    np.save(folder / PENDING, pending)
    np.save(folder / LABELS, dataset.labels)
    (folder / PATHS).write_bytes(Paths.of(dataset.paths).content)
    (folder / DATASET).write_bytes(place_of(dataset, folder.parent))
    with contextlib.closing(Journal(folder / JOURNAL)) as journal:
        journal.add(REUSED, unreadable)
    (folder / PLAN).write_bytes(manifest.to_json())


def _put(matrices: Iterable[Matrix], block: EmbeddedBlock, features: Features) -> None:
    values: tuple[Values, ...] = (features, block.stats, block.digests, block.orientations[:, None])
    for matrix, rows in zip(matrices, values, strict=True):
        matrix.write(block.rows, rows)


def move_in_place(folder: Path) -> FeatureStore:
    """Move a complete set to its place, and remove the old one."""
    partial = partial_folder(folder)
    for path in (*partial.glob(JOURNALS), partial / PENDING, partial / PLAN):
        path.unlink(missing_ok=True)
    replace_folder(partial, folder, check_own)
    claim = claim_file(folder)
    if claim.is_file() and not claim.stat().st_size:  # left by a killed process
        claim.unlink(missing_ok=True)
    for name in (partial, folder):
        remove_stale(name, folders=True)
    store = open_store(folder)
    if store is None:
        raise StoreError(f"{folder}: another process has removed it; run again")
    return store


@contextlib.contextmanager
def writing(partial: Path) -> Iterator[None]:
    """Turn errors of writing into a StoreError that says how to continue."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise StoreError(
            f"{partial}: cannot be written ({reason}); run again to continue from here"
        ) from None
