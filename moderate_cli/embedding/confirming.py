"""Files whose stat is another one, but whose bytes are those that a feature set is of."""

from __future__ import annotations

import contextlib
import errno
from contextlib import closing
from pathlib import Path

import numpy as np

from moderate_cli.arrays import Rows
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import NO_DIGEST, content_digest
from moderate_cli.dataset.paths import Paths, same_paths
from moderate_cli.dataset.sources import CHECKS, NO_STAT, NotAFile, Stat
from moderate_cli.embedding.reuse import Progress
from moderate_cli.errors import DatasetError, OutputError
from moderate_cli.files.atomic import new_file
from moderate_cli.files.npy import advice_on, sealed
from moderate_cli.store.feature_store import STATS, FeatureStore, identity_of
from moderate_cli.store.manifest import Manifest
from moderate_cli.store.matrix import as_bytes
from moderate_cli.threads import in_threads

# What is said of this process or machine, not of a file.
STARVED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def confirm(
    store: FeatureStore,
    dataset: Dataset,
    stats: Rows,
    check: str,
    *,
    keep: bool = True,
    on_check: Progress | None = None,
) -> Rows:
    """Read the files of a set whose stat is another one; note those whose bytes are the same.

    Parameters
    ----------
    store
        A set of today's format, of this dataset.
    dataset, stats
        The images, and the stat of each as it is now, int64 (n, 4).
    check
        A key of `moderate_cli.dataset.sources.CHECKS`.
    keep
        Write the new stats to the set, so that those files need not be read again.
    on_check
        Called with the number of files read, and the number of all that must be.

    Returns
    -------
    int64 (m,)
        Rows of the dataset, of the files that the set has under the same path, but not their bytes.

    Raises
    ------
    DatasetError
        If this process is not able to read, which says nothing of the files, or if none of all
        the files can be read: the set, which may be hours of work, is not given up for that.
    """
    rows, sources = same_paths(Paths.of(dataset.paths), store.paths)
    known, numbers = store.stats, CHECKS[check]
    if check != "content":
        other = (known[sources, :numbers] != stats[rows, :numbers]).any(axis=1)
        rows, sources = rows[other], sources[other]
    if not len(rows):
        return rows
    digests, new, changed, lost = store.digests, known.copy(), [], 0
    reasons = ["is not a regular file"]

    def read(row: int) -> tuple[bytes, Stat | None]:
        path = f"{dataset.root}/{dataset.paths[row]}"
        try:
            content, stat = dataset.source.read(path)
        except NotAFile:
            return NO_DIGEST, None
        except OSError as error:
            if error.errno in STARVED:
                reason = f"cannot be read ({error.strerror}); {advice_on(error)}"
                raise DatasetError(f"{path}: {reason}") from None
            reasons.append(error.strerror or str(error))
            return NO_DIGEST, None
        return content_digest(content), stat

    with closing(in_threads(read, rows.tolist())) as found:
        pairs = zip(rows.tolist(), sources.tolist(), strict=True)
        for done, ((row, source), (digest, stat)) in enumerate(zip(pairs, found, strict=True), 1):
            moved = stat is not None and stat[1:] == NO_STAT[1:]  # the tar file that it is in
            if digests[source].tobytes() == digest and not moved:
                new[source] = stats[row] if stat is None else stat
            else:
                new[source, 1:] = NO_STAT[1:]
                changed.append(row)
                lost += stat is None
            if on_check is not None:
                on_check(done, len(rows))
    if lost and lost == np.count_nonzero(digests.any(axis=1)):
        raise DatasetError(
            f"{dataset.root}: none of its {len(dataset)} images can be read now ({reasons[-1]});"
            f" their features in {store.folder} stay"
        )
    if keep and not np.array_equal(new, known):
        # Stats that cannot be written cost time, nothing else; unless they say of what has changed
        # that it has not.
        harmless = () if check == "content" and changed else (OSError, OutputError)
        with contextlib.suppress(*harmless):
            if identity_of(store.folder) == store.identity:
                keep_stats(store.folder, store.manifest, new)
    return np.array(changed, dtype=np.int64)


def keep_stats(folder: Path, manifest: Manifest, stats: Rows) -> None:
    """Write the stats of a set, bound to it."""
    with new_file(folder / STATS) as file:
        file.write(sealed(as_bytes(stats), manifest.identity))
