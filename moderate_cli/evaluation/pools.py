"""Pools: the four fifths of the images that one seed selects from; a fifth is held out."""

from __future__ import annotations

import numpy as np

from moderate_cli.arrays import Labels, Mask, Rows
from moderate_cli.choosing import Chooser
from moderate_cli.errors import ArgumentError, OptionError
from moderate_cli.evaluation.cells import Cell
from moderate_cli.inputs import Source
from moderate_cli.selection import Choice

FOLDS = 5


class Pool:
    """The images that the selections of one seed are made from.

    Parameters
    ----------
    source
        All images.
    seed
        Orders the images of each class.
    fold
        Which fifth of each class is held out, in [0, `FOLDS`), counted from the end.
    """

    def __init__(self, source: Source, seed: int, fold: int = 0) -> None:
        self._readable = source.readable
        self._inside = _drawn(source.labels, self._readable, seed, fold)
        self._chooser = Chooser(source.limited(self._inside))

    @property
    def held_out(self) -> Rows:
        """int64, readable rows that are not in the pool."""
        return np.flatnonzero(self._readable & ~self._inside)

    def select(self, cell: Cell, base: Choice) -> Rows:
        """Return the rows of a cell's selection, ascending."""
        return self._chooser.choose(cell.choice(base)).rows


def check_comparable(labels: Labels, *, held_out: bool) -> None:
    """Refuse labels, (n,), on which strategies cannot be compared.

    Parameters
    ----------
    labels
        The class of each image.
    held_out
        Whether a part of the images is the test set.

    Raises
    ------
    ArgumentError
        If there is only one class, which any classifier predicts; or too few images to hold out.
    """
    sizes = np.unique(labels, return_counts=True)[1]
    if len(sizes) == 1:
        raise ArgumentError("evaluation needs two classes, and there is only one")
    if held_out and int(sizes.max(initial=0)) < FOLDS:
        raise OptionError(
            "evaluation holds out a fifth of each class, and no class has five images; pass a test"
            " set with {}",
            "test",
        )


def _drawn(labels: Labels, readable: Mask, seed: int, fold: int) -> Mask:
    """Draw the pool, bool (n,): the same share of each class, at least one image."""
    rng = np.random.default_rng(seed)
    inside = readable.copy()
    for label in np.unique(labels[readable]).tolist():
        rows = rng.permutation(np.flatnonzero(readable & (labels == label)))
        fifth, end = len(rows) // FOLDS, len(rows)
        inside[rows[end - (fold + 1) * fifth : end - fold * fifth]] = False
    return inside
