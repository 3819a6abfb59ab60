"""Rows of an older feature set that still hold: same file by stat, or same bytes by digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Mask, Rows
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.dataset.paths import Paths, same_paths
from moderate_cli.dataset.sources import CHECKS, NO_STAT, NotAFile, Stat, is_readable
from moderate_cli.networks.table import RULE
from moderate_cli.store.manifest import Manifest
from moderate_cli.threads import in_threads

Progress = Callable[[int, int], None]

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
    intact
        What finds out which rows still are what was written, bool (n,); it reads all of them.
    """

    manifest: Manifest
    paths: Paths
    stats: Rows
    digests: npt.NDArray[np.uint8]
    features: npt.NDArray[np.floating[Any]]
    unreadable: Mapping[int, str]
    finished: Mask
    intact: Callable[[], Mask]

    def checked(self) -> Donor:
        """Return the same without rows that are not what was written."""
        return replace(self, finished=self.finished & self.intact())

    def unknown(self) -> Donor:
        """Return the same, with no file taken to be unchanged before its bytes are read."""
        stats = self.stats.copy()
        stats[:, 1:] = NO_STAT[1:]
        return replace(self, stats=stats)


class Wanted(NamedTuple):
    """What a new set shall hold.

    Attributes
    ----------
    dataset, stats
        The images, and the stat of each as it is now, int64 (n, 4).
    manifest
        What its features are.
    check
        A key of `moderate_cli.dataset.sources.CHECKS`.
    """

    dataset: Dataset
    stats: Rows
    manifest: Manifest
    check: str = "stat"

    @property
    def numbers(self) -> int:
        """How many numbers of a stat must be the same; of "content" the donors take care."""
        return CHECKS[self.check] or len(NO_STAT)


class Reuse(NamedTuple):
    """What a new set takes from a donor.

    Attributes
    ----------
    rows, sources
        int64 (m,), rows of the new set, ascending, and the rows of the donor that they are.
    stats
        int64 (m, 4), the stat of each file when its bytes were seen last.
    """

    rows: Rows
    sources: Rows
    stats: Rows


def find_reusable(
    wanted: Wanted, donors: Sequence[Donor], on_check: Progress | None = None
) -> list[Reuse]:
    """Find the rows that need no embedding, and what each donor gives of them.

    A file of the same path and stat is taken to be unchanged. One of the size of a known file is
    read: if its bytes are known it was renamed, touched or copied. What several donors hold comes
    from the last of them.
    """
    dataset, now = wanted.dataset, wanted.stats.copy()
    giver, source = np.full(len(dataset), -1), np.full(len(dataset), -1)
    for number, donor in enumerate(donors):
        rows, sources = _unchanged(wanted, donor)
        giver[rows], source[rows], now[rows] = number, sources, donor.stats[sources]
    sizes = [donor.stats[_read(donor), 0] for donor in donors]
    known = np.isin(wanted.stats[:, 0], np.concatenate(sizes) if sizes else [])
    changed = np.flatnonzero((giver < 0) & known)
    contents = [_Contents(donor) for donor in donors] if len(changed) else []
    rules = {donor.manifest.pixels for donor in donors}
    for start in range(0, len(changed), READ_AT_ONCE):
        if on_check is not None:
            on_check(start, len(changed))
        fingerprints = _fingerprints(dataset, changed[start : start + READ_AT_ONCE], rules)
        for number, known_contents in enumerate(contents):
            rule = donors[number].manifest.pixels
            same = (digest for digest, found in fingerprints.items() if rule not in found.changed)
            for digest, known_as in known_contents.find(same).items():
                for row, stat in fingerprints[digest].files:
                    giver[row], source[row], now[row] = number, known_as, stat
    if on_check is not None and len(changed):
        on_check(len(changed), len(changed))
    given = [np.flatnonzero(giver == number) for number in range(len(donors))]
    return [Reuse(rows, source[rows], now[rows]) for rows in given]


def is_mostly_of(dataset: Dataset, stats: Rows, donor: Donor) -> bool:
    """Whether half of a donor's rows, or more, are of files that the dataset has.

    That is asked of what may be a copy, whose files have other inodes.
    """
    rows, sources = same_paths(Paths.of(dataset.paths), donor.paths)
    same = donor.finished[sources] & _agree(donor.stats[sources], stats[rows], CHECKS["mtime"])
    return 2 * int(np.count_nonzero(same)) >= int(np.count_nonzero(donor.finished))


def _agree(some: Rows, others: Rows, numbers: int) -> Mask:
    """Whether stats (m, 4) have the same first numbers."""
    same: Mask = (some[:, :numbers] == others[:, :numbers]).all(axis=1)
    return same


def _read(donor: Donor) -> Mask:
    """Rows that are written, of images that could be read."""
    mask = donor.finished.copy()
    mask[list(donor.unreadable)] = False
    return mask


def _unchanged(wanted: Wanted, donor: Donor) -> tuple[Rows, Rows]:
    """Return the rows whose files have the path and stat of a donor's, and the donor's rows."""
    dataset = wanted.dataset
    rows, sources = same_paths(Paths.of(dataset.paths), donor.paths)
    if donor.manifest.pixels != RULE:  # whose pixels are others now, the bytes tell
        return rows[:0], sources[:0]
    same = _agree(donor.stats[sources], wanted.stats[rows], wanted.numbers)
    same &= donor.finished[sources]
    if donor.manifest.max_pixels < wanted.manifest.max_pixels:
        same &= ~np.isin(sources, list(donor.unreadable))
    # One that could not be read may be readable now: its permissions do not show in its stat.
    unread = [row for row in donor.unreadable if not donor.digests[row].any()]
    for at in np.flatnonzero(same & np.isin(sources, unread)).tolist():
        same[at] = not is_readable(f"{dataset.root}/{dataset.paths[rows[at]]}", dataset.source)
    return rows[same], sources[same]


class _Found(NamedTuple):
    """Files of one content.

    Attributes
    ----------
    changed
        The rules that made other pixels of it than today's.
    files
        Row and stat of each.
    """

    changed: frozenset[int]
    files: list[tuple[int, Stat]]


def _fingerprints(dataset: Dataset, rows: Rows, rules: Iterable[int]) -> dict[bytes, _Found]:
    """Digest -> files of that content, of those that can be read.

    Embedding will report the others.
    """
    older = sorted(set(rules) - {RULE})
    if older:  # the image library is loaded only where it has something to tell
        from moderate_cli.images.pixels import changed_since

    def fingerprint(row: int) -> tuple[bytes, Stat, frozenset[int]] | None:
        try:
            content, stat = dataset.source.read(f"{dataset.root}/{dataset.paths[row]}")
        except (OSError, NotAFile):
            return None
        changed = frozenset(rule for rule in older if changed_since(content, rule))
        return content_digest(content), stat, changed

    found: dict[bytes, _Found] = {}
    with closing(in_threads(fingerprint, rows.tolist())) as results:
        for row, result in zip(rows.tolist(), results, strict=True):
            if result is not None:
                digest, stat, changed = result
                found.setdefault(digest, _Found(changed, [])).files.append((row, stat))
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
