"""Leaks: images of one dataset that are near duplicates of an image of another, as a test set."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from moderate_cli.inputs import Source
from moderate_cli.listening import Listener
from moderate_cli.networks.table import FITTED
from moderate_cli.notices import Notice
from moderate_cli.selection.duplicates import Duplicates, find_leaks

SIMILAR = 0.95  # as in `moderate duplicates`
PAIRS = 200_000_000  # of images that an evaluation compares, in a few seconds


def leaks_between(
    source: Source,
    others: Source,
    threshold: float,
    *,
    every: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> Duplicates:
    """Find images that are near duplicates of an image of another dataset.

    Parameters
    ----------
    source, others
        Both datasets, each with one feature set, made in the same way.
    threshold
        As in `find_leaks`.
    every
        Compare only every so many images of `source`.
    on_progress
        As in `find_leaks`.
    """
    ours, theirs = source.features, others.features
    assert ours is not None
    assert theirs is not None
    rows, other_rows = (np.flatnonzero(one.readable) for one in (source, others))
    return find_leaks(ours, rows[::every], theirs, other_rows, threshold, on_progress)


def tell_of_leaks(own: Source, tested: Source, name: str, listener: Listener) -> None:
    """Warn of test images that have a near duplicate in the data; of many, try a part.

    Features of a network that was trained on the classes bring their images together, so they
    cannot tell.

    Parameters
    ----------
    own, tested
        The data and the test set.
    name
        Of the test set.
    listener
        Is warned.
    """
    if own.stores[0].manifest.spec.backbone == FITTED:
        return
    images = int(np.count_nonzero(tested.readable))
    every = max(1, -(-images * int(np.count_nonzero(own.readable)) // PAIRS))
    found = leaks_between(tested, own, SIMILAR, every=every)
    if len(found.rows):
        listener.notice(
            Notice("leaked test images", len(found.rows), -(-images // every), names=(name,))
        )
