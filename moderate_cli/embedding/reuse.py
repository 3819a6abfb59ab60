"""Rows of an older feature set that still hold: same file by stat, or same bytes by digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.dataset import Dataset
from moderate_cli.fingerprints import content_digest
from moderate_cli.processors import processors
from moderate_cli.sources import NotAFile, Source, Stat, is_readable


@dataclass(frozen=True)
class Donor:
    """An older set, or the finished part of one.

    Attributes
    ----------
    paths, stats, digests, features, unreadable
        As in `FeatureStore`.
    finished
        bool (n,), the rows that were written.
    """

    paths: Sequence[str]
    stats: npt.NDArray[np.int64]
    digests: npt.NDArray[np.uint8]
    features: npt.NDArray[np.floating[Any]]
    unreadable: Mapping[int, str]
    finished: npt.NDArray[np.bool_]

    def holds(self, row: int, stat: Stat, path: str, source: Source) -> bool:
        """Whether a row is what embedding a file of this stat would give.

        A file that could not be read may be readable now: its permissions do not show in its stat.
        """
        if tuple(self.stats[row].tolist()) != stat:
            return False
        unread = row in self.unreadable and not self.digests[row].any()
        return not (unread and is_readable(path, source))


class Reuse(NamedTuple):
    """Row `row` of the new set is row `source` of a donor; `stat` is its file's stat now."""

    row: int
    donor: Donor
    source: int
    stat: Stat


def find_reusable(
    dataset: Dataset, stats: npt.NDArray[np.int64], donors: Sequence[Donor]
) -> list[Reuse]:
    """Find the rows that need no embedding, in ascending order.

    A file of the same path, size and modification time is taken to be unchanged. One of the size
    of a known file is read: if its bytes are known it was renamed, touched or copied.
    """
    by_path: dict[str, tuple[Donor, int]] = {}
    by_digest: dict[bytes, tuple[Donor, int]] = {}
    sizes: set[int] = set()
    for donor in donors:
        for source in np.flatnonzero(donor.finished).tolist():
            by_path[donor.paths[source]] = (donor, source)
            if source not in donor.unreadable:
                by_digest[donor.digests[source].tobytes()] = (donor, source)
                sizes.add(int(donor.stats[source, 0]))
    reusable, changed = [], []
    for row, (path, _) in enumerate(dataset.samples):
        stat = (int(stats[row, 0]), int(stats[row, 1]))
        found = by_path.get(path)
        if found is not None and found[0].holds(
            found[1], stat, f"{dataset.root}/{path}", dataset.source
        ):
            reusable.append(Reuse(row, *found, stat))
        elif stat[0] in sizes:
            changed.append((row, f"{dataset.root}/{path}"))
    with ThreadPoolExecutor(processors()) as pool:
        fingerprints = pool.map(
            lambda path: _fingerprint(path, dataset.source), [path for _, path in changed]
        )
        for (row, _), fingerprint in zip(changed, fingerprints, strict=True):
            if fingerprint is not None and fingerprint[0] in by_digest:
                reusable.append(Reuse(row, *by_digest[fingerprint[0]], fingerprint[1]))
    return sorted(reusable, key=lambda reuse: reuse.row)


def _fingerprint(path: str, source: Source) -> tuple[bytes, Stat] | None:
    """Digest and stat of a file; None if it cannot be read, which embedding it will report."""
    try:
        content, stat = source.read(path)
    except (OSError, NotAFile):
        return None
    return content_digest(content), stat
