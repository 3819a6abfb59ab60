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
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Mask
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import DIGEST_SIZE, content_digest
from moderate_cli.dataset.paths import Paths
from moderate_cli.dataset.sources import CHECKS, NO_STAT, is_readable
from moderate_cli.embedding.blocks import BLOCK_ROWS, EmbeddedBlock
from moderate_cli.embedding.confirming import keep_stats
from moderate_cli.embedding.reuse import Donor, Progress, Wanted, find_reusable, is_mostly_of
from moderate_cli.errors import DamagedError, StoreError
from moderate_cli.files.atomic import (
    first_folder,
    new_file,
    new_folder,
    remove_stale,
    replace_folder,
)
from moderate_cli.files.locks import turn
from moderate_cli.files.npy import MISSING, read_array
from moderate_cli.files.regular import read_regular
from moderate_cli.store.feature_store import (
    DATASET,
    DIGESTS,
    FEATURES,
    LABELS,
    MANIFEST,
    PARTIAL_SUFFIX,
    PATHS,
    STATS,
    SUMMED,
    SUMS,
    UNREADABLE,
    FeatureStore,
    as_stats,
    cannot_read,
    encode_unreadable,
    open_store,
    place_of,
)
from moderate_cli.store.manifest import Manifest
from moderate_cli.store.matrix import Matrix
from moderate_cli.store.sums import block_sums
from moderate_cli.text import printable

PLAN = "plan.json"  # the manifest of a set that is not complete
PENDING = "pending.npy"
JOURNAL = "journal.jsonl"
JOURNALS = "journal*.jsonl"  # that, and those of processes that fill a set together
CLAIM_SUFFIX = ".claim"  # beside a set: one of them is putting it in its place
# What a set's folder may hold beside these: results, the ledger of evaluations, what killed writers
# and network file systems leave, and what computers put into folders that somebody looks at.
OWN_NAMES = {
    *(FEATURES, LABELS, PATHS, STATS, DIGESTS, SUMS, UNREADABLE, DATASET, MANIFEST),
    *(PLAN, PENDING, "evaluations.jsonl", ".DS_Store", "Thumbs.db", "desktop.ini"),
}
OWN_PATTERN = re.compile(
    r"journal(-[0-9a-f]+)?\.jsonl|(scores|suspects|strangers|coinciding|kmeans)[-\w]*\.npy"
    r"|\..+\.[0-9a-f]{8}\.moderate-tmp|\.nfs[0-9a-f]+",
    re.DOTALL,
)
REUSED = -1  # the journal's block number for what was taken from an older set


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
    def begin(cls, folder: Path, wanted: Wanted, on_check: Progress | None = None) -> Filling:
        """Go on where an earlier run stopped, or start a set with what older ones still hold."""
        partial = partial_folder(folder)
        if not _is_resumable(partial, wanted):
            with new_folder(partial, may_replace=check_own) as fresh:
                _create(fresh, wanted, _donors(folder, wanted), on_check)
        return cls(folder, wanted.dataset, wanted.manifest)

    @classmethod
    def join(cls, folder: Path, wanted: Wanted, on_check: Progress | None = None) -> Filling:
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
                        _create(fresh, wanted, _donors(folder, wanted), on_check)
            # An image that could not be read and now can is left to `begin`. Machines may know a
            # file by other inodes; the one that puts the set in its place looks at them all.
            if not _is_of(partial, wanted, CHECKS["mtime"]):
                raise StoreError(
                    f"{partial}: was started with other images, options or software, or is"
                    " complete; moderate embed without --part goes on from it"
                )
            # Of its own even if a part runs twice, for lines of two writers may mingle.
            journal = f"journal-{secrets.token_hex(8)}.jsonl"
            return cls(folder, wanted.dataset, wanted.manifest, journal)

    @property
    def complete(self) -> bool:
        """Whether no block is missing, of those of other processes neither."""
        try:
            return bool(_finished(self._partial).all())
        except (*MISSING, ValueError):  # another process has put it in its place
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
            np.save(self._partial / SUMS, block_sums(read_array(self._partial / FEATURES)))
            sums = {name: content_digest(read_regular(self._partial / name)) for name in SUMMED}
            manifest = replace(self._manifest, sums={k: v.hex() for k, v in sums.items()})
            keep_stats(self._partial, manifest, np.asarray(read_array(self._partial / STATS)))
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
    replace_folder(partial, folder, check_own)
    claim = claim_file(folder)
    if claim.is_file() and not claim.stat().st_size:  # of one that was killed
        claim.unlink(missing_ok=True)
    for name in (partial, folder):
        remove_stale(name, folders=True)
    store = open_store(folder)
    if store is None:
        raise StoreError(f"{folder}: another process has removed it; run again")
    return store


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """Tell of what the system cannot read just now, lest it is taken for what is not there."""
    try:
        yield
    except MISSING:
        raise
    except OSError as error:
        raise cannot_read(Path(os.fsdecode(error.filename or folder)), error) from None


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


def check_own(folder: Path) -> None:
    """Refuse to replace or remove what bears the name of a set, complete or not, and is none.

    Raises
    ------
    StoreError
        Naming what is there.
    """
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise StoreError(
            f"{folder}: a feature set belongs there, and it is not a folder; move it away, or pass"
            " another --store DIR"
        )
    with os.scandir(folder) as entries:
        names = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
    foreign = [
        name
        for name, is_file in sorted(names.items())
        if not is_file or not (name in OWN_NAMES or OWN_PATTERN.fullmatch(name))
    ]
    if names and not foreign and not names.keys() & {MANIFEST, PLAN}:
        foreign = sorted(names)
    if foreign:
        raise StoreError(
            f"{folder}: a feature set belongs there, and {printable(foreign[0])!r} in it is not"
            " part of one; move it away, or pass another --store DIR"
        )


def belongs_to(folder: Path, dataset: Dataset, stats: npt.NDArray[np.int64]) -> bool:
    """Whether a set, if there is one, is of this dataset, even if it is not complete.

    One that was moved still has its files; one whose files were all changed, its place.
    """
    with contextlib.suppress(*MISSING), _reading(folder):
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
        with _reading(partial):
            manifest = Manifest.from_json(read_regular(partial / PLAN))
            return manifest, int(np.count_nonzero(_finished(partial)))
    except (*MISSING, ValueError) as error:
        raise StoreError(
            f"{partial}: is no feature set in the making ({error}); remove it"
        ) from None


def rows_to_embed(folder: Path, wanted: Wanted) -> npt.NDArray[np.int64]:
    """Rows that a `Filling` would find pending; writes nothing."""
    partial = partial_folder(folder)
    if _is_resumable(partial, wanted):
        return np.flatnonzero(~_finished(partial))
    pending = np.ones(len(wanted.dataset), dtype=np.bool_)
    for reuse in find_reusable(wanted, _donors(folder, wanted)):
        pending[reuse.rows] = False
    return np.flatnonzero(pending)


def _create(folder: Path, wanted: Wanted, donors: list[Donor], on_check: Progress | None) -> None:
    dataset, manifest, n = wanted.dataset, wanted.manifest, len(wanted.dataset)
    donors = [donor.checked() for donor in donors]  # lest damage gets a sum that is right
    features = Matrix.create(folder / FEATURES, (n, manifest.dim), manifest.spec.dtype)
    stats_matrix = Matrix.create(folder / STATS, (n, len(NO_STAT)), np.int64)
    digests = Matrix.create(folder / DIGESTS, (n, DIGEST_SIZE), np.uint8)
    pending = np.ones(n, dtype=np.bool_)
    unreadable: dict[int, str] = {}
    for donor, reuse in zip(donors, find_reusable(wanted, donors, on_check), strict=True):
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


def _is_resumable(partial: Path, wanted: Wanted) -> bool:
    """Whether a partial set can be gone on with, its finished rows still true."""
    return (
        CHECKS[wanted.check] > 0
        and _is_of(partial, wanted, wanted.numbers)
        and not _may_be_read_now(partial, wanted.dataset)
    )


def _is_of(partial: Path, wanted: Wanted, numbers: int) -> bool:
    """Whether a partial set is of these very files, by so many numbers of stats, and options."""
    try:
        with _reading(partial):
            done = _finished(partial)
            stats = read_array(partial / STATS)[done, :numbers]
            return (
                read_regular(partial / PLAN) == wanted.manifest.to_json()
                and read_regular(partial / PATHS) == Paths.of(wanted.dataset.paths).content
                and np.array_equal(read_array(partial / LABELS), wanted.dataset.labels)
                and np.array_equal(stats, wanted.stats[done, :numbers])
            )
    except (*MISSING, ValueError, IndexError):
        return False


def _may_be_read_now(partial: Path, dataset: Dataset) -> bool:
    """Whether a file that could not be read before is one that can."""
    with _reading(partial):
        digests, unreadable = read_array(partial / DIGESTS), _read_journal(partial)[1]
    return any(
        not digests[row].any()
        and is_readable(f"{dataset.root}/{dataset.paths[row]}", dataset.source)
        for row in unreadable
    )


def _finished(partial: Path) -> Mask:
    with _reading(partial):
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


def _donors(folder: Path, wanted: Wanted) -> list[Donor]:
    complete, partial = _donor_of_set(folder), _donor_at(partial_folder(folder))
    if partial is not None and wanted.check == "content":
        partial = partial.unknown()  # the files of the complete one were read before
    return [
        donor
        for donor in (complete, partial)
        if donor is not None and _same_numbers(donor.manifest, wanted.manifest)
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
        lambda: store.intact,
    )


def _donor_at(folder: Path) -> Donor | None:
    """What a folder holds of a set, complete or not; None if it is nothing, or damaged.

    Raises
    ------
    StoreError
        If the system cannot read it now: hours of work may be in it.
    """
    try:
        complete = _donor_of_set(folder)  # perhaps of a run that was killed before moving it
        if complete is not None:
            return complete
        with _reading(folder):
            finished = _finished(folder)
            return Donor(
                Manifest.from_json(read_regular(folder / PLAN)),
                Paths(read_regular(folder / PATHS)),
                as_stats(read_array(folder / STATS)),
                read_array(folder / DIGESTS),
                read_array(folder / FEATURES),
                _read_journal(folder)[1],
                finished,
                lambda: np.ones(len(finished), dtype=np.bool_),
            )
    except (*MISSING, ValueError, IndexError, DamagedError):
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
