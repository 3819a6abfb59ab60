"""Rows of older feature sets that are still valid: same file by stat, or same bytes by digest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Rows, Stats, blocks
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.dataset.paths import Paths, same_paths
from moderate_cli.dataset.sources import NotAFile, Stat, is_readable
from moderate_cli.embedding.donors import Donor, agree, donors_at
from moderate_cli.embedding.request import Request
from moderate_cli.listening import Listener
from moderate_cli.networks.table import RULE
from moderate_cli.store.blocks import BLOCK_ROWS, REUSED, EmbeddedBlock, Seconds
from moderate_cli.store.manifest import Manifest
from moderate_cli.threads import in_threads

READ_AT_ONCE = 1 << 14  # files whose digests are looked up together


class Reuse(NamedTuple):
    """Rows that a new set takes from a donor.

    Attributes
    ----------
    donor
        The older set.
    rows, sources
        int64 (m,), rows of the new set, ascending, and the donor's row for each.
    stats
        int64 (m, 4), the stat of each file when its bytes were last read.
    """

    donor: Donor
    rows: Rows
    sources: Rows
    stats: Stats

    def blocks(self) -> Iterator[EmbeddedBlock]:
        """Yield the rows, part by part."""
        donor = self.donor
        for part in blocks(len(self.rows), BLOCK_ROWS):
            rows, sources = self.rows[part], self.sources[part]
            unreadable = np.flatnonzero(np.isin(sources, list(donor.unreadable))).tolist()
            yield EmbeddedBlock(
                REUSED,
                rows,
                donor.features[sources],
                self.stats[part],
                donor.digests[sources],
                donor.orientations[sources],
                {int(rows[at]): donor.unreadable[int(sources[at])] for at in unreadable},
                Seconds(),
            )


def find_reusable(
    request: Request, manifest: Manifest, listener: Listener, *, verify: bool = True
) -> list[Reuse]:
    """Find the rows that need no embedding, and the older set that has each.

    A file with the same path and stat is unchanged. A file with the size of a known one is read: if
    its bytes are known, it was renamed, touched or copied. If several sets have a row, the last of
    them gives it.

    Parameters
    ----------
    request
        The images, and the place of older sets.
    manifest
        How the features are made.
    listener
        Told of images that are read.
    verify
        Read all features of older sets, and leave out rows that changed since they were written:
        the new set would have correct checksums of damaged rows.
    """
    donors = donors_at(request.folder, manifest, request.options.check)
    if verify:
        donors = [donor.checked() for donor in donors]
    n, stats = len(request.dataset), request.stats.copy()
    giver, source = np.full(n, -1), np.full(n, -1)
    for number, donor in enumerate(donors):
        rows, sources = _unchanged(request, donor)
        giver[rows], source[rows], stats[rows] = number, sources, donor.stats[sources]
    sizes = [donor.stats[donor.readable, 0] for donor in donors]
    known = np.isin(request.stats[:, 0], np.concatenate(sizes) if sizes else [])
    for found in _of_known_bytes(request, donors, np.flatnonzero((giver < 0) & known), listener):
        giver[found.row], source[found.row], stats[found.row] = (
            found.giver,
            found.source,
            found.stat,
        )
    given = [np.flatnonzero(giver == number) for number in range(len(donors))]
    return [
        Reuse(donor, rows, source[rows], stats[rows])
        for donor, rows in zip(donors, given, strict=True)
    ]


def _unchanged(request: Request, donor: Donor) -> tuple[Rows, Rows]:
    """Return the rows whose files have the path and stat of a donor's, and the donor's rows."""
    dataset = request.dataset
    rows, sources = same_paths(Paths.of(dataset.paths), donor.paths)
    if donor.manifest.pixels != RULE:  # only the bytes tell which pixels changed since
        return rows[:0], sources[:0]
    same = agree(donor.stats[sources], request.stats[rows], request.numbers)
    same &= donor.finished[sources]
    if donor.manifest.max_pixels < request.options.max_pixels:
        same &= ~np.isin(sources, list(donor.unreadable))
    # A file that could not be read may be readable now; its stat does not show permissions.
    unread = [row for row in donor.unreadable if not donor.digests[row].any()]
    for at in np.flatnonzero(same & np.isin(sources, unread)).tolist():
        same[at] = not is_readable(f"{dataset.root}/{dataset.paths[rows[at]]}", dataset.source)
    return rows[same], sources[same]


class _Known(NamedTuple):
    """A row whose bytes a donor has: number of the donor, the donor's row, the file's stat."""

    row: int
    giver: int
    source: int
    stat: Stat


def _of_known_bytes(
    request: Request, donors: Sequence[Donor], rows: Rows, listener: Listener
) -> Iterator[_Known]:
    """Read files, and yield those whose bytes are known, once for each donor that knows them."""
    if not len(rows):
        return
    contents = [_Contents(donor) for donor in donors]
    rules = {donor.manifest.pixels for donor in donors}
    with listener.progress("check") as move:
        for part in blocks(len(rows), READ_AT_ONCE):
            move(part.start, len(rows))
            fingerprints = _fingerprints(request.dataset, rows[part], rules)
            for number, content in enumerate(contents):
                rule = donors[number].manifest.pixels
                same = (key for key, found in fingerprints.items() if rule not in found.changed)
                for digest, source in content.find(same).items():
                    for row, stat in fingerprints[digest].files:
                        yield _Known(row, number, source, stat)
        move(len(rows), len(rows))


class _Found(NamedTuple):
    """Files of one content.

    Attributes
    ----------
    changed
        Older rules of decoding that gave other pixels than the current one.
    files
        Row and stat of each.
    """

    changed: frozenset[int]
    files: list[tuple[int, Stat]]


def _fingerprints(dataset: Dataset, rows: Rows, rules: Iterable[int]) -> dict[bytes, _Found]:
    """Return digest -> files of that content; unreadable files are left to the embedding."""
    older = sorted(set(rules) - {RULE})
    if older:  # the image library is loaded only where it is needed
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
    """Finds rows of a donor by their digests."""

    def __init__(self, donor: Donor) -> None:
        self._digests = donor.digests
        self._rows = np.flatnonzero(donor.readable)
        # Half a digest rules most rows out.
        halves = np.ascontiguousarray(donor.digests[:, :8]).view(np.uint64)[self._rows, 0]
        order = np.argsort(halves, kind="stable")
        self._rows, self._halves = self._rows[order], halves[order]

    def find(self, digests: Iterable[bytes]) -> dict[bytes, int]:
        """Return a row of the donor for each digest that it has."""
        found = {}
        for digest in digests:
            half = np.frombuffer(digest, dtype=np.uint64, count=1)[0]
            first, end = (np.searchsorted(self._halves, half, side) for side in ("left", "right"))
            for row in self._rows[first:end].tolist():
                if self._digests[row].tobytes() == digest:
                    found[digest] = row
        return found
