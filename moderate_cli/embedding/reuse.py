"""Rows of an older feature set that still hold: same file by stat, or same bytes by digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.dataset import Dataset
from moderate_cli.errors import ModerateError
from moderate_cli.fingerprints import content_digest, read_file


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


class Reuse(NamedTuple):
    """Row `row` of the new set is row `source` of a donor; `stat` is its file's stat now."""

    row: int
    donor: Donor
    source: int
    stat: tuple[int, int]


def find_reusable(
    dataset: Dataset, stats: npt.NDArray[np.int64], donors: Sequence[Donor]
) -> Iterator[Reuse]:
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
    for row, (path, _) in enumerate(dataset.samples):
        stat = (int(stats[row, 0]), int(stats[row, 1]))
        found = by_path.get(path)
        if found is not None and tuple(found[0].stats[found[1]].tolist()) == stat:
            yield Reuse(row, *found, stat)
        elif stat[0] in sizes:
            try:
                content, stat = read_file(f"{dataset.root}/{path}")
            except (OSError, ModerateError):
                continue  # the embedding reads it again, and reports it
            found = by_digest.get(content_digest(content))
            if found is not None:
                yield Reuse(row, *found, stat)
