"""Ridge regression on one-hot labels, with the outputs for each image of a head without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from moderate_cli.arrays import Doubles, Features, Rows, blocks, read_rows
from moderate_cli.errors import ArgumentError
from moderate_cli.gpu import Place, place_for
from moderate_cli.threads import in_threads, one_blas_thread

BLOCK_ROWS = 4096
SAMPLE = 8192  # images by which a strength is chosen
HELD_NUMBERS = 1 << 26  # of matrices of products of blocks, of all threads together
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

    @one_blas_thread()
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
        d = features.shape[1]
        self._place = place_for(2 * len(rows) * d * (2 * d + classes))
        self._axes = _find_axes(features, rows, members, classes, on_block, self._place)
        self.mean = self._axes.mean
        strengths = [strength] if isinstance(strength, int | float) else list(strength)
        self.strength = strengths[0] if len(strengths) == 1 else self._best(strengths, quality)
        coefficients = self._coefficients(self.strength)
        self.weights: Doubles = self._axes.directions @ coefficients
        own = (self._axes.directions, coefficients, 1 / self._penalized(self.strength))
        self._kept = [self._place.keep(one) for one in own]

    @one_blas_thread()
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
        points = self._centered(self._rows[part])
        outputs, leverage = self._place.compute(_outputs_of, points, *self._kept)
        return self._left_out(outputs, leverage, self._members[part])

    def _best(self, strengths: Sequence[float], quality: Quality) -> float:
        """Return the strength with the best leave-one-out outputs."""
        drawn = np.sort(np.random.default_rng(0).permutation(len(self._rows))[:SAMPLE])
        along = self._centered(self._rows[drawn]) @ self._axes.directions
        own = self._members[drawn]

        def quality_of(strength: float) -> float:
            inverse = 1 / self._penalized(strength)
            found = _outputs_along(along, self._coefficients(strength), inverse)
            return quality(self._left_out(*found, own), own)

        return max((quality_of(one), one) for one in strengths)[1]

    def _centered(self, rows: Rows) -> Doubles:
        return read_rows(self._features, rows) - self.mean

    def _left_out(self, outputs: Doubles, leverage: Doubles, own: Rows) -> Doubles:
        """Return the outputs of the heads without the images, by the outputs of the head."""
        found: Doubles = outputs + self.base
        leverage = leverage + 1 / len(self._rows)
        found[np.arange(len(own)), own] -= leverage
        found /= (1 - leverage).clip(min=1e-12)[:, None]  # 0 for a single image
        return found

    def _coefficients(self, strength: float) -> Doubles:
        """Return the weights along the axes, (r, classes)."""
        found: Doubles = self._axes.moments / self._penalized(strength)[:, None]
        return found

    def _penalized(self, strength: float) -> Doubles:
        return self._axes.values + strength * self._axes.scale


def _outputs_of(points: Any, directions: Any, coefficients: Any, inverse: Any) -> tuple[Any, Any]:
    """Return outputs for centered points, without the base, (b, c), and leverages, (b,)."""
    return _outputs_along(points @ directions, coefficients, inverse)


def _outputs_along(along: Any, coefficients: Any, inverse: Any) -> tuple[Any, Any]:
    """Return the same for the coordinates of points along the axes, (b, r)."""
    return along @ coefficients, along**2 @ inverse


def _products_of(block: Any) -> tuple[Any]:
    """Return the matrix of products of coordinates, (d, d)."""
    return (block.T @ block,)


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
    features: Features,
    rows: Rows,
    members: Rows,
    classes: int,
    on_block: Callable[[], None],
    place: Place,
) -> _Axes:
    """Find axes by the matrix of products of images, or of coordinates if these are fewer."""
    d = features.shape[1]
    mean = _sum(features, rows) / len(rows)
    moments = np.zeros((classes, d))
    few = len(rows) <= d
    points = read_rows(features, rows) - mean if few else np.empty((0, d))

    def products(part: slice) -> tuple[Rows, Doubles, Doubles]:
        with np.errstate(over="ignore", invalid="ignore"):
            block = points[part] if few else read_rows(features, rows[part]) - mean
            present, sums = _sums_by_class(block, members[part])
            return present, sums, points if few else place.compute(_products_of, block)[0]

    gram = np.zeros((0 if few else d, 0 if few else d))
    at_once = max(1, HELD_NUMBERS // d**2)
    with np.errstate(over="ignore", invalid="ignore"):
        for present, sums, own in in_threads(products, blocks(len(rows), BLOCK_ROWS), at_once):
            moments[present] += sums
            if not few:
                gram += own
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
    def of_block(part: slice) -> Doubles:
        total: Doubles = read_rows(features, rows[part]).sum(axis=0)
        return total

    total = np.zeros(features.shape[1])
    for one in in_threads(of_block, blocks(len(rows), BLOCK_ROWS)):
        total += one
    return total


def _sums_by_class(block: Doubles, members: Rows) -> tuple[Rows, Doubles]:
    """Return the classes in a block, and the sum of the rows of each."""
    order = np.argsort(members, kind="stable")
    ordered = members[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    return ordered[starts], np.add.reduceat(block[order], starts, axis=0)
