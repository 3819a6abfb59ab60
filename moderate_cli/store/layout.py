"""Names and places of feature sets, and of the files in them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from moderate_cli.dataset import Dataset
from moderate_cli.dataset.names import STORE, STORE_LOCK
from moderate_cli.errors import ArgumentError, StoreError
from moderate_cli.files.places import place
from moderate_cli.text import printable

# Suffixes of folders.
SUFFIX = STORE  # the store of `data/train` is `data/train.moderate`
PARTIAL_SUFFIX = ".partial"  # an unfinished set, beside its place

# Beside sets.
LOCK = STORE_LOCK
CLAIM_SUFFIX = ".claim"  # held by the process that moves a set in place

# In a set.
FEATURES = "features.npy"
LABELS = "labels.npy"
PATHS = "paths.txt"
STATS = "stats.npy"
DIGESTS = "digests.npy"
ORIENTATIONS = "orientations.npy"  # since 0.4
UNREADABLE = "unreadable.txt"
SUMS = "sums.npy"
DATASET = "dataset.txt"  # path from the store to the dataset
MANIFEST = "manifest.json"
EVALUATIONS = "evaluations.jsonl"
# All files that are read completely, except stats: those may change later, so they are sealed.
SUMMED = (LABELS, PATHS, DIGESTS, ORIENTATIONS, UNREADABLE, SUMS)

# In an unfinished set.
PLAN = "plan.json"  # its manifest
PENDING = "pending.npy"
JOURNAL = "journal.jsonl"
JOURNALS = "journal*.jsonl"  # of all processes that write to a set

# A set's folder may also contain results, also those of older versions (strangers), the ledger of
# evaluations, files left by killed writers and network file systems, and files that operating
# systems add.
OWN_NAMES = {
    *(FEATURES, LABELS, PATHS, STATS, DIGESTS, ORIENTATIONS, SUMS, UNREADABLE, DATASET, MANIFEST),
    *(PLAN, PENDING, EVALUATIONS, ".DS_Store", "Thumbs.db", "desktop.ini"),
}
OWN_PATTERN = re.compile(
    r"journal(-[0-9a-f]+)?\.jsonl|(corrected|scores|suspects|strangers|coinciding|kmeans)[-\w]*\.npy"
    r"|\..+\.[0-9a-f]{8}\.moderate-tmp|\.nfs[0-9a-f]+",
    re.DOTALL,
)


def store_folder(root: Path, store: str | os.PathLike[str] | None = None) -> Path:
    """Return the store of a dataset: beside it, because inside it would be a class of ImageFolder.

    >>> store_folder(Path("/data/train")).name
    'train.moderate'
    """
    if store is not None:
        return place(store)
    if not root.name:
        raise ArgumentError(f"{root}: has no parent folder for the store; pass --store DIR")
    return root.with_name(root.name + SUFFIX)


def partial_folder(folder: Path) -> Path:
    """Return the folder of a set until it is complete."""
    return folder.with_name(folder.name + PARTIAL_SUFFIX)


def claim_file(folder: Path) -> Path:
    """Return the claim file of the process that moves a set in place."""
    return folder.with_name(folder.name + CLAIM_SUFFIX)


def place_of(dataset: Dataset, store: Path) -> bytes:
    """Return the relative path from a store to its dataset, so that both can be moved together."""
    if not dataset.source.has_neighbors:
        return os.fsencode(dataset.root)
    try:
        way = Path(os.path.relpath(dataset.home, store)).as_posix()
    except ValueError:  # on another drive of Windows
        way = dataset.home.as_posix()
    # `z` and `z.tar` have the same root.
    return os.fsencode(f"{way}{dataset.source.suffix}")


def check_own(folder: Path) -> None:
    """Refuse to replace or remove a folder with the name of a set that is not a set.

    Raises
    ------
    StoreError
        With a file that does not belong to a set.
    """
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise StoreError(
            f"{folder}: has the name of a feature set, but is not a folder; move it away, or pass"
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
            f"{folder}: has the name of a feature set, but contains {printable(foreign[0])!r}; move"
            " it away, or pass another --store DIR"
        )
