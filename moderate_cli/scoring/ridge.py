"""Ridge regression on one-hot labels, with the outputs for each image of a head without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Doubles, Features, Rows, blocks, read_rows
from moderate_cli.errors import ArgumentError

BLOCK_ROWS = 4096
SAMPLE = 8192  # images by which a strength is chosen
SMALLEST = 1e-290  # a smaller number may have an infinite inverse

Quality = Callable[[Doubles, Rows], float]  # of held-out outputs, (m, classes), for the classes


def accuracy(outputs: Doubles, members: Rows) -> float:
    """Return the share of the images with the highest output for their class."""
    return float(np.mean(outputs.argmax(axis=1) == members))


class Ridge:
    """A linear head on centered features, fitted to one-hot labels with a squared penalty.

    The outputs for an image of the head that is fitted to all other images follow from a single
    fit (Hastie, Tibshirani and Friedman, 2009, Eq. 7.64), also with an intercept, which is not
    penalized: with outputs f, one-hot label y and leverage h they are (f - h y) / (1 - h).

    Parameters
    ----------
    features
        (n, d) of any float type; may be memory-mapped.
    rows, members
        int64 (m,), rows to fit, ascending, and the class of each, numbered from 0.
    classes
        Number of classes.
    strength
        Of the penalty, over the mean eigenvalue of the matrix of products of centered features,
        (d, d) or (m, m), the smaller of the two. Of several, the one with the best quality on at
        most `SAMPLE` images; of equally good ones, the strongest.
    quality
        Of leave-one-out outputs, to choose a strength by.
    on_block
        Called after each block of `BLOCK_ROWS` rows of the fit.

    Raises
    ------
    ArgumentError
        If features are so large that their products overflow.

    Attributes
    ----------
    strength
        The strength that is used.
    mean, weights, base
        float64 (d,), (d, classes) and (classes,): outputs are (features - mean) @ weights + base.

    Examples
    --------
    >>> features, members = np.array([[0.0], [1.0], [5.0], [6.0]]), np.array([0, 0, 1, 1])
    >>> head = Ridge(features, np.arange(4), members, 2, 0.03)
    >>> head.held_out(slice(0, 2)).round(2)
    array([[ 1.15, -0.15],
           [ 0.79,  0.21]])
    """

    def __init__(
        self,
        features: Features,
        rows: Rows,
        members: Rows,
        classes: int,
        strength: float | Sequence[float],
        quality: Quality = accuracy,
        on_block: Callable[[], None] = lambda: None,
    ) -> None:
        self._features, self._rows, self._members = features, rows, members
        self.base: Doubles = np.bincount(members, minlength=classes) / len(rows)
        self._axes = _find_axes(features, rows, members, classes, on_block)
        self.mean = self._axes.mean
        strengths = [strength] if isinstance(strength, int | float) else list(strength)
        self.strength = strengths[0] if len(strengths) == 1 else self._best(strengths, quality)
        self.weights: Doubles = self._axes.directions @ self._coefficients(self.strength)

    def outputs(self, features: Features, rows: Rows) -> Doubles:
        """Return the outputs for rows of any features, ascending: float64 (b, classes)."""
        found: Doubles = (read_rows(features, rows) - self.mean) @ self.weights + self.base
        return found

    def held_out(self, part: slice | Rows) -> Doubles:
        """Return the outputs for some of the fitted rows, each of the head without that row.

        Parameters
        ----------
        part
            Positions in `rows`, ascending.

        Returns
        -------
        float64 (b, classes)
            For a class of one image, that of a head that knows no image of it.
        """
        along = self._along(self._rows[part])
        return self._left_out(along, self._members[part], self.strength)

    def _best(self, strengths: Sequence[float], quality: Quality) -> float:
        """Return the strength with the best leave-one-out outputs."""
        drawn = np.sort(np.random.default_rng(0).permutation(len(self._rows))[:SAMPLE])
        along, own = self._along(self._rows[drawn]), self._members[drawn]
        return max((quality(self._left_out(along, own, one), own), one) for one in strengths)[1]

    def _along(self, rows: Rows) -> Doubles:
        """Return the coordinates of rows along the axes, (b, r)."""
        found: Doubles = (read_rows(self._features, rows) - self.mean) @ self._axes.directions
        return found

    def _left_out(self, along: Doubles, own: Rows, strength: float) -> Doubles:
        found: Doubles = along @ self._coefficients(strength) + self.base
        along = along**2
        leverage = along @ (1 / self._penalized(strength)) + 1 / len(self._rows)
        found[np.arange(len(own)), own] -= leverage
        found /= (1 - leverage).clip(min=1e-12)[:, None]  # 0 for a single image
        return found

    def _coefficients(self, strength: float) -> Doubles:
        """Return the weights along the axes, (r, classes)."""
        found: Doubles = self._axes.moments / self._penalized(strength)[:, None]
        return found

    def _penalized(self, strength: float) -> Doubles:
        return self._axes.values + strength * self._axes.scale


class _Axes(NamedTuple):
    """Principal axes of features.

    Attributes
    ----------
    mean
        float64 (d,).
    directions, values
        float64 (d, r), and (r,), the sum of squares along each; axes without extent are left out.
    moments
        float64 (r, c), sum of the coordinates of the images of each class.
    scale
        Mean of all values; 1 where all images coincide, for there any number gives the same head.
    """

    mean: Doubles
    directions: Doubles
    values: Doubles
    moments: Doubles
    scale: float


def _find_axes(
    features: Features, rows: Rows, members: Rows, classes: int, on_block: Callable[[], None]
) -> _Axes:
    """Find axes by the matrix of products of images, or of coordinates if these are fewer."""
    d = features.shape[1]
    mean = _sum(features, rows) / len(rows)
    moments = np.zeros((classes, d))
    few = len(rows) <= d
    points = np.empty((len(rows) if few else 0, d))
    gram = np.zeros((0 if few else d, 0 if few else d))
    with np.errstate(over="ignore", invalid="ignore"):
        for part, block in _centered(features, rows, mean):
            _add_by_class(moments, block, members[part])
            if few:
                points[part] = block
            else:
                gram += block.T @ block
            on_block()
        gram = points @ points.T if few else gram
    if not np.isfinite(gram).all():
        raise ArgumentError("features: values are too large to fit a head; scale them down")
    values, vectors = np.linalg.eigh(gram)
    scale = float(values.clip(min=0).mean())
    extended = values > max(SMALLEST, values[-1] * len(values) * np.finfo(np.float64).eps)
    values, vectors = values[extended], vectors[:, extended]
    directions = points.T @ (vectors / np.sqrt(values)) if few else vectors
    return _Axes(
        mean, directions, values, (moments @ directions).T, scale if scale > SMALLEST else 1.0
    )


def _sum(features: Features, rows: Rows) -> Doubles:
    total = np.zeros(features.shape[1])
    for part in blocks(len(rows), BLOCK_ROWS):
        total += read_rows(features, rows[part]).sum(axis=0)
    return total


def _centered(features: Features, rows: Rows, mean: Doubles) -> Iterator[tuple[slice, Doubles]]:
    for part in blocks(len(rows), BLOCK_ROWS):
        yield part, read_rows(features, rows[part]) - mean


def _add_by_class(moments: Doubles, block: Doubles, members: Rows) -> None:
    """Add the sum of the rows of each class, in the time of one addition."""
    order = np.argsort(members, kind="stable")
    ordered = members[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    moments[ordered[starts]] += np.add.reduceat(block[order], starts, axis=0)
