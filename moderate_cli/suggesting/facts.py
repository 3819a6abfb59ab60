"""Facts of a dataset that decide how to select from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from moderate_cli.choosing.preparing import torn_duplicates
from moderate_cli.dataset import sentences
from moderate_cli.inputs import Source
from moderate_cli.label_errors.doubts import NoiseEstimate, noise_estimate
from moderate_cli.selection.duplicates import find_duplicates

SIMILAR = 0.95  # as in `moderate duplicates`
PAIRS = 4_000_000_000  # that are compared for near duplicates, in a minute or so


class Facts(NamedTuple):
    """Facts of a dataset.

    Attributes
    ----------
    images
        Number of readable images.
    classes
        Class name -> number of readable images, the largest class first.
    unreadable
        Number of images that cannot be read.
    noise
        Likely label errors, and the estimated label noise.
    accuracy
        Share of the labels that a linear probe predicts for images that it did not see.
    hardly_known
        Whether features hardly know the classes, so that wrong labels look like hard images.
    fit
        Whether `moderate fit` may help then.
    duplicates
        Number of near duplicates of other images; None if there are too many images to compare.
    torn
        Number of pairs of near duplicates with different labels.
    odd
        Oddities of the files, in words.
    """

    images: int
    classes: tuple[tuple[str, int], ...]
    unreadable: int
    noise: NoiseEstimate
    accuracy: float
    hardly_known: bool
    fit: bool
    duplicates: int | None
    torn: int
    odd: tuple[str, ...]


def facts_of(
    source: Source,
    name: str,
    on_suspects: Callable[[int, int], None] | None = None,
    on_duplicates: Callable[[int, int], None] | None = None,
) -> Facts:
    """Look at a dataset with one feature set.

    Parameters
    ----------
    source
        All images.
    name
        The dataset's name, as the user wrote it.
    on_suspects, on_duplicates
        Called with the progress of the two searches.
    """
    readable = np.flatnonzero(source.readable)
    suspects = source.sets[0].suspects(on_progress=on_suspects)
    features = source.features
    assert features is not None
    duplicates, torn = None, 0
    if len(readable) ** 2 <= PAIRS:
        found = find_duplicates(features, readable, SIMILAR, on_duplicates)
        duplicates, torn = len(found.rows), len(torn_duplicates(found, source))
    # Images that corrected labels leave out are not readable rows either.
    unreadable, dataset = sum(len(one.unreadable) for one in source.stores), source.dataset
    return Facts(
        len(readable),
        source.classes_of(readable),
        unreadable,
        noise_estimate(suspects),
        suspects.accuracy,
        suspects.hardly_known,
        suspects.hardly_known and source.fit_may_help,
        duplicates,
        torn,
        () if dataset is None else tuple(map(str, sentences(dataset, name))),
    )
