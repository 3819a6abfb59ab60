"""Fill a feature set block by block, so that a run that dies loses one block at most.

A set is made in a folder `<set>.partial` beside its place. Finished blocks of rows are named in a
journal there; features of files that an older set holds unchanged are taken from it. When all rows
are there the folder takes the set's place in one step. Several processes may fill a set together,
each with blocks and a journal of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import read_array
from moderate_cli.dataset import Dataset
from moderate_cli.embedding.reuse import Donor, find_reusable, is_mostly_of
from moderate_cli.errors import StoreError
from moderate_cli.files import first_folder, new_file, new_folder, remove_stale, replace_folder
from moderate_cli.fingerprints import DIGEST_SIZE, content_digest
from moderate_cli.locks import turn
from moderate_cli.matrix import Matrix
from moderate_cli.paths import Paths
from moderate_cli.regular import read_regular
from moderate_cli.sources import is_readable
from moderate_cli.store import (
    DATASET,
    DIGESTS,
    FEATURES,
    LABELS,
    MANIFEST,
    PARTIAL_SUFFIX,
    PATHS,
    STATS,
    SUMMED,
    UNREADABLE,
    FeatureStore,
    Manifest,
    encode_unreadable,
    open_store,
    place_of,
)

BLOCK_ROWS = 1024
PLAN = "plan.json"  # the manifest of a set that is not complete
PENDING = "pending.npy"
JOURNAL = "journal.jsonl"
JOURNALS = "journal*.jsonl"  # that, and those of processes that fill a set together
CLAIM_SUFFIX = ".claim"  # beside a set: one of them is putting it in its place
REUSED = -1  # the journal's block number for what was taken from an older set


class Seconds(NamedTuple):
    """Where time went; decoding and transforming count the seconds of all threads."""

    decode: float = 0.0
    transform: float = 0.0
    forward: float = 0.0


class EmbeddedBlock(NamedTuple):
    """What an engine made of the rows of one block.

    Attributes
    ----------
    block
        Row number // BLOCK_ROWS.
    rows
        int64 (m,), ascending.
    features
        float32 (m, d); NaN where the image cannot be read.
    stats, digests
        int64 (m, 2) and uint8 (m, 16), of the bytes that were embedded.
    unreadable
        Row -> reason.
    seconds
        What it took.
    """

    block: int
    rows: npt.NDArray[np.int64]
    features: npt.NDArray[np.float32]
    stats: npt.NDArray[np.int64]
    digests: npt.NDArray[np.uint8]
    unreadable: Mapping[int, str]
    seconds: Seconds


class Filling:
    """The writer of a feature set, or of some of its blocks; hold the store's lock meanwhile."""

    def __init__(
        self, folder: Path, dataset: Dataset, manifest: Manifest, journal: str = JOURNAL
    ) -> None:
        self._folder = folder
        self._partial = partial_folder(folder)
        self._dataset = dataset
        self._manifest = manifest
        self._features = Matrix(self._partial / FEATURES)
        self._stats = Matrix(self._partial / STATS)
        self._digests = Matrix(self._partial / DIGESTS)
        self._journal = (self._partial / journal).open("a", encoding="ascii")

    @classmethod
    def begin(
        cls, folder: Path, dataset: Dataset, stats: npt.NDArray[np.int64], manifest: Manifest
    ) -> Filling:
        """Go on where an earlier run stopped, or start a set with what older ones still hold."""
        partial = partial_folder(folder)
        if not _is_resumable(partial, dataset, stats, manifest):
            with new_folder(partial, replace=True) as fresh:
                _create(fresh, dataset, stats, manifest, _donors(folder, manifest))
        return cls(folder, dataset, manifest)

    @classmethod
    def join(
        cls, folder: Path, dataset: Dataset, stats: npt.NDArray[np.int64], manifest: Manifest
    ) -> Filling:
        """Fill a set together with other processes; the first of them starts it.

        Raises
        ------
        StoreError
            If the set was started with other images or options.
        """
        partial = partial_folder(folder)
        with _writing(partial):
            with turn(partial.parent):
                if not os.path.lexists(partial):
                    with first_folder(partial) as fresh:
                        _create(fresh, dataset, stats, manifest, _donors(folder, manifest))
            # An image that could not be read and now can is left to `begin`.
            if not _is_of(partial, dataset, stats, manifest):
                raise StoreError(
                    f"{partial}: was started with other images, options or software, or is"
                    " complete; moderate embed without --part goes on from it"
                )
            # Of its own even if a part runs twice, for lines of two writers may mingle.
            return cls(folder, dataset, manifest, f"journal-{secrets.token_hex(8)}.jsonl")

    @property
    def complete(self) -> bool:
        """Whether no block is missing, of those of other processes neither."""
        try:
            return bool(_finished(self._partial).all())
        except (OSError, ValueError):  # another process has put it in its place
            return False

    def pending(self) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
        """Yield the blocks that are not finished, each with its rows that need embedding."""
        rows = np.flatnonzero(~_finished(self._partial))
        blocks, starts = np.unique(rows // BLOCK_ROWS, return_index=True)
        # Of no rows at all, np.split makes one empty part.
        yield from zip(blocks.tolist(), np.split(rows, starts[1:]), strict=False)

    def write(self, block: EmbeddedBlock) -> None:
        """Write a block's rows, then name the block in the journal.

        Raises
        ------
        StoreError
            If a readable image has a feature that is not a finite number in the set's dtype, or
            the disk is full.
        """
        with np.errstate(over="ignore"):
            features = block.features.astype(self._manifest.spec.dtype)
        for row, good in zip(block.rows.tolist(), np.isfinite(features).all(axis=1), strict=True):
            if not good and row not in block.unreadable:
                spec = self._manifest.spec
                raise StoreError(
                    f"{self._dataset.paths[row]}: its features are not finite numbers in"
                    f" precision {spec.precision} and dtype {spec.dtype}; use float32 for both"
                )
        with _writing(self._partial):
            for matrix, values in (
                (self._features, features),
                (self._stats, block.stats),
                (self._digests, block.digests),
            ):
                matrix.write(block.rows, values)
                matrix.sync()
            self._journal.write(_journal_line(block.block, block.unreadable))
            self._journal.flush()
            os.fsync(self._journal.fileno())

    def finish(self) -> FeatureStore:
        """Put the complete set in its place."""
        self.close()
        unreadable = _read_journal(self._partial)[1]
        with _writing(self._partial):
            with new_file(self._partial / UNREADABLE) as file:
                file.write(encode_unreadable(unreadable, self._dataset.paths))
            sums = {name: content_digest(read_regular(self._partial / name)) for name in SUMMED}
            manifest = replace(self._manifest, sums={k: v.hex() for k, v in sums.items()})
            with new_file(self._partial / MANIFEST) as file:
                file.write(manifest.to_json())
            return move_in_place(self._folder)

    def close(self) -> None:
        """Close the files; what is written stays for the next run."""
        for file in (self._features, self._stats, self._digests, self._journal):
            file.close()


def move_in_place(folder: Path) -> FeatureStore:
    """Put a set in its place that is complete: the manifest, which is written last, is there."""
    partial = partial_folder(folder)
    for path in (*partial.glob(JOURNALS), partial / PENDING, partial / PLAN):
        path.unlink(missing_ok=True)
    replace_folder(partial, folder)
    claim_file(folder).unlink(missing_ok=True)  # of one that was killed
    remove_stale(partial)
    store = open_store(folder)
    if store is None:
        raise StoreError(f"{folder}: another process has removed it; run again")
    return store


@contextlib.contextmanager
def _writing(partial: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise StoreError(
            f"{partial}: cannot be written ({reason}); run again to go on from here"
        ) from None


def partial_folder(folder: Path) -> Path:
    """Where a set is filled before it takes its place."""
    return folder.with_name(folder.name + PARTIAL_SUFFIX)


def claim_file(folder: Path) -> Path:
    """What stands for putting a set in its place."""
    return folder.with_name(folder.name + CLAIM_SUFFIX)


def belongs_to(folder: Path, dataset: Dataset, stats: npt.NDArray[np.int64]) -> bool:
    """Whether a set, if there is one, is of this dataset, even if it is not complete.

    One that was moved still has its files; one whose files were all changed, its place.
    """
    with contextlib.suppress(OSError):
        if read_regular(folder / DATASET) == place_of(dataset, folder.parent):
            return True
    donor = _donor_at(folder)
    return donor is None or is_mostly_of(dataset, stats, donor)


def progress_of(partial: Path) -> tuple[Manifest, int]:
    """Manifest of a set that is being filled, and how many of its rows are there.

    Raises
    ------
    StoreError
        If it is not such a folder.
    """
    try:
        manifest = Manifest.from_json(read_regular(partial / PLAN))
        return manifest, int(np.count_nonzero(_finished(partial)))
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{partial}: is no feature set in the making ({error}); remove it"
        ) from None


def rows_to_embed(
    folder: Path, dataset: Dataset, stats: npt.NDArray[np.int64], manifest: Manifest
) -> npt.NDArray[np.int64]:
    """Rows that a `Filling` would find pending; writes nothing."""
    partial = partial_folder(folder)
    if _is_resumable(partial, dataset, stats, manifest):
        return np.flatnonzero(~_finished(partial))
    pending = np.ones(len(dataset), dtype=np.bool_)
    for reuse in find_reusable(dataset, stats, _donors(folder, manifest)):
        pending[reuse.rows] = False
    return np.flatnonzero(pending)


def _create(
    folder: Path,
    dataset: Dataset,
    stats: npt.NDArray[np.int64],
    manifest: Manifest,
    donors: list[Donor],
) -> None:
    n = len(dataset)
    features = Matrix.create(folder / FEATURES, (n, manifest.dim), manifest.spec.dtype)
    stats_matrix = Matrix.create(folder / STATS, (n, 2), np.int64)
    digests = Matrix.create(folder / DIGESTS, (n, DIGEST_SIZE), np.uint8)
    pending = np.ones(n, dtype=np.bool_)
    unreadable: dict[int, str] = {}
    for donor, reuse in zip(donors, find_reusable(dataset, stats, donors), strict=True):
        for start in range(0, len(reuse.rows), BLOCK_ROWS):
            rows, sources, own = (part[start : start + BLOCK_ROWS] for part in reuse)
            features.write(rows, donor.features[sources])
            stats_matrix.write(rows, own)
            digests.write(rows, donor.digests[sources])
        pending[reuse.rows] = False
        for at in np.flatnonzero(np.isin(reuse.sources, list(donor.unreadable))).tolist():
            unreadable[int(reuse.rows[at])] = donor.unreadable[int(reuse.sources[at])]
    for matrix in (features, stats_matrix, digests):
        matrix.sync()
        matrix.close()
    np.save(folder / PENDING, pending)
    np.save(folder / LABELS, dataset.labels)
    (folder / PATHS).write_bytes(Paths.of(dataset.paths).content)
    (folder / DATASET).write_bytes(place_of(dataset, folder.parent))
    (folder / JOURNAL).write_text(_journal_line(REUSED, unreadable), encoding="ascii")
    (folder / PLAN).write_bytes(manifest.to_json())


def _is_resumable(
    partial: Path, dataset: Dataset, stats: npt.NDArray[np.int64], manifest: Manifest
) -> bool:
    """Whether a partial set can be gone on with, its finished rows still true."""
    return _is_of(partial, dataset, stats, manifest) and not _may_be_read_now(partial, dataset)


def _is_of(
    partial: Path, dataset: Dataset, stats: npt.NDArray[np.int64], manifest: Manifest
) -> bool:
    """Whether a partial set is of these very files and options."""
    try:
        done = _finished(partial)
        return (
            read_regular(partial / PLAN) == manifest.to_json()
            and read_regular(partial / PATHS) == Paths.of(dataset.paths).content
            and np.array_equal(read_array(partial / LABELS), dataset.labels)
            and np.array_equal(read_array(partial / STATS)[done], stats[done])
        )
    except (OSError, ValueError):
        return False


def _may_be_read_now(partial: Path, dataset: Dataset) -> bool:
    """Whether a file that could not be read before is one that can."""
    digests = read_array(partial / DIGESTS)
    return any(
        not digests[row].any()
        and is_readable(f"{dataset.root}/{dataset.paths[row]}", dataset.source)
        for row in _read_journal(partial)[1]
    )


def _finished(partial: Path) -> npt.NDArray[np.bool_]:
    finished = ~read_array(partial / PENDING)
    for block in _read_journal(partial)[0]:
        finished[block * BLOCK_ROWS : (block + 1) * BLOCK_ROWS] = True
    return finished


def _read_journal(partial: Path) -> tuple[list[int], dict[int, str]]:
    """Finished blocks, and the unreadable rows among them with their reasons.

    A line that is torn, as by a kill, or damaged costs its block.

    Raises
    ------
    ValueError
        If that is the first line, of what was taken from older sets, for which no block stands.
    """
    blocks: list[int] = []
    unreadable: dict[int, str] = {}
    journals = (partial / JOURNAL, *sorted(set(partial.glob(JOURNALS)) - {partial / JOURNAL}))
    texts = [read_regular(path).decode("ascii") for path in journals]
    for line in (line for text in texts for line in text.splitlines(keepends=True)):
        try:
            entry = json.loads(line)
            reasons = {int(row): reason for row, reason in entry["unreadable"].items()}
            if line != _journal_line(entry["block"], reasons):
                continue
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        blocks.append(entry["block"])
        unreadable |= reasons
    if REUSED not in blocks:
        raise ValueError("its journal is damaged")
    return [block for block in blocks if block != REUSED], unreadable


def _journal_line(block: int, unreadable: Mapping[int, str]) -> str:
    entry = {"block": block, "unreadable": {str(row): why for row, why in unreadable.items()}}
    entry["blake2b"] = content_digest(json.dumps(entry).encode("ascii")).hex()
    return json.dumps(entry) + "\n"


def _donors(folder: Path, manifest: Manifest) -> list[Donor]:
    donors = (_donor_of_set(folder), _donor_at(partial_folder(folder)))
    return [
        donor for donor in donors if donor is not None and _same_numbers(donor.manifest, manifest)
    ]


def _donor_of_set(folder: Path) -> Donor | None:
    store = open_store(folder)
    if store is None:
        return None
    return Donor(
        store.manifest,
        store.paths,
        store.stats,
        store.digests,
        store.features,
        store.unreadable,
        np.ones(len(store), dtype=np.bool_),
    )


def _donor_at(folder: Path) -> Donor | None:
    """What a folder holds of a set, complete or not; None if it is nothing, or damaged."""
    try:
        complete = _donor_of_set(folder)  # perhaps of a run that was killed before moving it
        if complete is not None:
            return complete
        return Donor(
            Manifest.from_json(read_regular(folder / PLAN)),
            Paths(read_regular(folder / PATHS)),
            read_array(folder / STATS),
            read_array(folder / DIGESTS),
            read_array(folder / FEATURES),
            _read_journal(folder)[1],
            _finished(folder),
        )
    except (OSError, ValueError, StoreError):
        return None


def _same_numbers(one: Manifest, other: Manifest) -> bool:
    """Whether the two describe the same features of the same image."""
    return (one.spec, one.weights, one.weights_sha256, one.preprocessing, one.dim) == (
        other.spec,
        other.weights,
        other.weights_sha256,
        other.preprocessing,
        other.dim,
    )
