"""Stats of a set's files: they change while the set does not, so they are bound to it by a seal."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from moderate_cli.arrays import Stats
from moderate_cli.dataset.sources import NO_STAT
from moderate_cli.files.atomic import new_file
from moderate_cli.files.npy import sealed
from moderate_cli.store.layout import STATS
from moderate_cli.store.manifest import Manifest
from moderate_cli.store.matrix import as_bytes


def keep_stats(folder: Path, manifest: Manifest, stats: Stats) -> None:
    """Write the stats of a set, bound to it."""
    content = sealed(as_bytes(stats), manifest.identity)
    del stats  # Windows does not replace a file that is still mapped to memory
    with new_file(folder / STATS) as file:
        file.write(content)


def as_stats(known: Stats) -> Stats:
    """Extend the stats (n, m) of an older format to (n, 4), with -1 for numbers it lacks."""
    if known.shape[1:] == (len(NO_STAT),):
        return known
    stats = np.full((len(known), len(NO_STAT)), NO_STAT[0], dtype=np.int64)
    stats[:, : known.shape[1]] = known
    return stats
