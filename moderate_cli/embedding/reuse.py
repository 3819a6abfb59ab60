"""Rows of an older feature set that still hold: same file by stat, or same bytes by digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.dataset import Dataset
from moderate_cli.fingerprints import content_digest
from moderate_cli.paths import Paths, same_paths
from moderate_cli.processors import in_threads
from moderate_cli.sources import NotAFile, Stat, is_readable
from moderate_cli.store import Manifest

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

READ_AT_ONCE = 1 << 14  # files whose digests are taken before the next are thought of


@dataclass(frozen=True)
class Donor:
    """An older set, or the finished part of one.

    Attributes
    ----------
    manifest, paths, stats, digests, features, unreadable
        As in `FeatureStore`.
    finished
        bool (n,), the rows that were written.
    """

    manifest: Manifest
    paths: Paths
    stats: Rows
    digests: npt.NDArray[np.uint8]
    features: npt.NDArray[np.floating[Any]]
    unreadable: Mapping[int, str]
    finished: Mask


class Reuse(NamedTuple):
    """What a new set takes from a donor.

    Attributes
    ----------
    rows, sources
        int64 (m,), rows of the new set, ascending, and the rows of the donor that they are.
    stats
        int64 (m, 2), size and modification time of each file now.
    """

    rows: Rows
    sources: Rows
    stats: Rows


def find_reusable(dataset: Dataset, stats: Rows, donors: Sequence[Donor]) -> list[Reuse]:
    """Find the rows that need no embedding, and what each donor gives of them.

    A file of the same path, size and modification time is taken to be unchanged. One of the size
    of a known file is read: if its bytes are known it was renamed, touched or copied. What several
    donors hold comes from the last of them.
    """
    now = stats.copy()
    giver, source = np.full(len(dataset), -1), np.full(len(dataset), -1)
    for number, donor in enumerate(donors):
        rows, sources = _unchanged(dataset, stats, donor)
        giver[rows], source[rows] = number, sources
    sizes = [donor.stats[_read(donor), 0] for donor in donors]
    known = np.isin(stats[:, 0], np.concatenate(sizes)) if sizes else np.zeros(len(now), np.bool_)
    changed = np.flatnonzero((giver < 0) & known)
    contents = [_Contents(donor) for donor in donors] if len(changed) else []
    for start in range(0, len(changed), READ_AT_ONCE):
        fingerprints = _fingerprints(dataset, changed[start : start + READ_AT_ONCE])
        for number, known_contents in enumerate(contents):
            for digest, known_as in known_contents.find(fingerprints).items():
                for row, stat in fingerprints[digest]:
                    giver[row], source[row], now[row] = number, known_as, stat
    given = [np.flatnonzero(giver == number) for number in range(len(donors))]
    return [Reuse(rows, source[rows], now[rows]) for rows in given]


def is_mostly_of(dataset: Dataset, stats: Rows, donor: Donor) -> bool:
    """Whether half of a donor's rows, or more, are of files that the dataset has unchanged."""
    unchanged = _unchanged(dataset, stats, donor)[0]
    return 2 * len(unchanged) >= int(np.count_nonzero(donor.finished))


def _read(donor: Donor) -> Mask:
    """Rows that are written, of images that could be read."""
    mask = donor.finished.copy()
    mask[list(donor.unreadable)] = False
    return mask


def _unchanged(dataset: Dataset, stats: Rows, donor: Donor) -> tuple[Rows, Rows]:
    """Return the rows whose files have the path and stat of a donor's, and the donor's rows."""
    rows, sources = same_paths(Paths.of(dataset.paths), donor.paths)
    same = donor.finished[sources] & (donor.stats[sources] == stats[rows]).all(axis=1)
    # One that could not be read may be readable now: its permissions do not show in its stat.
    unread = [row for row in donor.unreadable if not donor.digests[row].any()]
    for at in np.flatnonzero(same & np.isin(sources, unread)).tolist():
        same[at] = not is_readable(f"{dataset.root}/{dataset.paths[rows[at]]}", dataset.source)
    return rows[same], sources[same]


Fingerprints = dict[bytes, list[tuple[int, Stat]]]


def _fingerprints(dataset: Dataset, rows: Rows) -> Fingerprints:
    """Digest -> rows of that content, each with its stat; of files that can be read.

    Embedding will report the others.
    """

    def fingerprint(row: int) -> tuple[bytes, Stat] | None:
        try:
            content, stat = dataset.source.read(f"{dataset.root}/{dataset.paths[row]}")
        except (OSError, NotAFile):
            return None
        return content_digest(content), stat

    found: Fingerprints = {}
    with closing(in_threads(fingerprint, rows.tolist())) as results:
        for row, result in zip(rows.tolist(), results, strict=True):
            if result is not None:
                found.setdefault(result[0], []).append((row, result[1]))
    return found


class _Contents:
    """The digests of a donor, to find rows by."""

    def __init__(self, donor: Donor) -> None:
        self._digests = donor.digests
        self._rows = np.flatnonzero(_read(donor))
        # Half of a digest is enough to leave most rows aside.
        halves = np.ascontiguousarray(donor.digests[:, :8]).view(np.uint64)[self._rows, 0]
        order = np.argsort(halves, kind="stable")
        self._rows, self._halves = self._rows[order], halves[order]

    def find(self, wanted: Iterable[bytes]) -> dict[bytes, int]:
        """Digest -> a row of the donor, of the digests that it has."""
        found = {}
        for digest in wanted:
            half = np.frombuffer(digest, dtype=np.uint64, count=1)[0]
            first, end = (np.searchsorted(self._halves, half, side) for side in ("left", "right"))
            for row in self._rows[first:end].tolist():
                if self._digests[row].tobytes() == digest:
                    found[digest] = row
        return found
