"""Donors: older feature sets, complete or not, whose rows a new set can reuse."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from moderate_cli.arrays import Digests, Features, Mask, Orientations, Stats
from moderate_cli.dataset.paths import Paths, same_paths
from moderate_cli.dataset.sources import CHECKS, NO_STAT
from moderate_cli.embedding.request import Request
from moderate_cli.errors import DamagedError, StoreError
from moderate_cli.files.npy import MISSING
from moderate_cli.files.regular import read_regular
from moderate_cli.networks.table import RULE
from moderate_cli.store.feature_store import cannot_read, open_store
from moderate_cli.store.layout import DATASET, check_own, partial_folder, place_of
from moderate_cli.store.manifest import FORMAT, Manifest
from moderate_cli.store.partial import ABSENT, PartialSet


@dataclass(frozen=True)
class Donor:
    """An older set, or the finished part of one.

    Attributes
    ----------
    manifest, paths, stats, digests, orientations, features, unreadable
        As in `FeatureStore`.
    finished
        bool (n,), the rows that were written.
    intact
        Returns the rows that did not change since they were written, bool (n,); reads all rows.
    """

    manifest: Manifest
    paths: Paths
    stats: Stats
    digests: Digests
    orientations: Orientations
    features: Features
    unreadable: Mapping[int, str]
    finished: Mask
    intact: Callable[[], Mask]

    @property
    def readable(self) -> Mask:
        """Bool (n,), the rows that were written and whose images could be read."""
        mask = self.finished.copy()
        mask[list(self.unreadable)] = False
        return mask

    def checked(self) -> Donor:
        """Return it without the rows that changed since they were written."""
        return replace(self, finished=self.finished & self.intact())

    def unknown(self) -> Donor:
        """Return it without times and inodes, so that all files are read and compared by bytes."""
        stats = self.stats.copy()
        stats[:, 1:] = NO_STAT[1:]
        return replace(self, stats=stats)


def donors_at(folder: Path, manifest: Manifest, check: str) -> list[Donor]:
    """Return the sets at a place, complete or not, whose features are made as `manifest` says."""
    complete, partial = _complete_at(folder), _donor_at(partial_folder(folder))
    if partial is not None and check == "content":
        partial = partial.unknown()  # the files of the complete set were read already
    return [
        donor
        for donor in (complete, partial)
        if donor is not None and donor.manifest.same_features(manifest)
    ]


def manifest_as_before(request: Request) -> Manifest | None:
    """Return the manifest of a new set that is made as the set at its place was; None without one.

    Tells how features are made before the network is loaded.
    """
    found = _complete_at(request.folder) or _donor_at(request.partial)
    if found is None or found.manifest.spec != request.spec:
        return None
    return replace(
        found.manifest,
        rows=len(request.dataset),
        classes=request.dataset.classes,
        pixels=RULE,
        max_pixels=request.options.max_pixels,
        sums={},
        format=FORMAT,
    )


def refuse_foreign(request: Request) -> None:
    """Refuse to replace the feature set of another dataset, or a folder that is not one.

    Raises
    ------
    StoreError
        If one is at the request's place, finished or not.
    """
    for folder in (request.folder, request.partial):
        check_own(folder)
        if not _belongs_to(folder, request):
            raise StoreError(
                f"{folder}: holds the features of another dataset; pass another --store DIR, or"
                " remove it"
            )


def _belongs_to(folder: Path, request: Request) -> bool:
    """Whether the set in a folder, if there is one, belongs to the request's dataset.

    A dataset that was moved still has the same files; one whose files all changed, the same place.
    """
    try:
        way = read_regular(folder / DATASET)
    except MISSING:
        way = None
    except OSError as error:
        raise cannot_read(folder / DATASET, error) from None
    if way == place_of(request.dataset, folder.parent):
        return True
    donor = _donor_at(folder)
    return donor is None or _is_mostly_of(request, donor)


def _is_mostly_of(request: Request, donor: Donor) -> bool:
    """Whether the dataset has the files of at least half of a donor's rows.

    Inodes do not count: the files may be copies.
    """
    rows, sources = same_paths(Paths.of(request.dataset.paths), donor.paths)
    same = donor.finished[sources] & agree(
        donor.stats[sources], request.stats[rows], CHECKS["mtime"]
    )
    return 2 * int(np.count_nonzero(same)) >= int(np.count_nonzero(donor.finished))


def agree(some: Stats, others: Stats, numbers: int) -> Mask:
    """Compare the first numbers of stats, (m, 4) each: bool (m,)."""
    same: Mask = (some[:, :numbers] == others[:, :numbers]).all(axis=1)
    return same


def _donor_at(folder: Path) -> Donor | None:
    """Return the set in a folder, complete or not; None if there is none, or it is damaged.

    Raises
    ------
    StoreError
        If the system cannot read it now; it may hold hours of work.
    """
    with contextlib.suppress(*ABSENT, DamagedError):
        # A run that was killed before it moved a complete set leaves it in the partial folder.
        return _complete_at(folder) or _partial_at(folder)
    return None


def _complete_at(folder: Path) -> Donor | None:
    store = open_store(folder)
    if store is None:
        return None
    return Donor(
        store.manifest,
        store.paths,
        store.stats,
        store.digests,
        store.orientations,
        store.features,
        store.unreadable,
        np.ones(len(store), dtype=np.bool_),
        lambda: store.intact,
    )


def _partial_at(folder: Path) -> Donor:
    found = PartialSet(folder)
    finished = found.finished
    orientations = np.zeros(len(finished), dtype=np.uint8)
    with contextlib.suppress(*ABSENT):  # of an earlier version
        orientations = found.orientations
    return Donor(
        found.manifest,
        found.paths,
        found.stats,
        found.digests,
        orientations,
        found.features,
        found.unreadable,
        finished,
        lambda: np.ones(len(finished), dtype=np.bool_),
    )
