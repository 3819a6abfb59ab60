"""Ridge regression on one-hot labels, with the outputs for each image of a head without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from typing import Any

import numpy as np

from moderate_cli.arrays import Doubles, Features, Rows, blocks, read_rows
from moderate_cli.gpu import Place, place_for
from moderate_cli.scoring.axes import find_axes, moments_of
from moderate_cli.scoring.placed import Placed
from moderate_cli.threads import in_threads, one_blas_thread, processors

BLOCK_ROWS = 4096
SAMPLE, SAMPLE_ROWS = 8192, 1024  # images by which a strength is chosen; of which, in each thread
HELD_NUMBERS = 1 << 27  # of outputs and coordinates, of all threads together
STRIPS = 8  # of a triangle, whose zeros are left out

# Of held-out outputs, (m, classes), for the classes, (m,), both on a place.
Quality = Callable[[Place, Any, Any], float]
# Of a module of arrays, such outputs (b, classes), and numbers 0, 1, ... and classes, (b,) each.
OfOutputs = Callable[[Any, Any, Any, Any], tuple[Any, ...]]


def accuracy(outputs: Any, members: Any) -> float:
    """Return the share of the images with the highest output for their class."""
    return float((outputs.argmax(axis=1) == members).sum()) / len(members)


class Ridge:
    """A linear probe on centered features, fitted to one-hot labels with a squared penalty.

    The outputs for an image of the head that is fitted to all other images follow from a single
    fit (Hastie, Tibshirani and Friedman, 2009, Eq. 7.64), also with an intercept, which is not
    penalized: with outputs f, one-hot label y and leverage h they are (f - h y) / (1 - h). The
    leverage of an image z is |R z|^2 + 1/m, where R is triangular, which takes half the time of
    coordinates along axes.

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
    on_step
        Called after each block of `BLOCK_ROWS` rows of the fit, and each of several strengths.

    Raises
    ------
    ArgumentError
        If features are so large that their products overflow.

    Attributes
    ----------
    place
        Where it is computed.
    strength
        The strength that is used.
    mean, base
        float64 (d,) and (classes,), of the features, and the share of each class.
    weights
        float64 (d, classes): outputs are (features - mean) @ weights + base.

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
        quality: Quality = lambda _place, outputs, members: accuracy(outputs, members),
        on_step: Callable[[], None] = lambda: None,
    ) -> None:
        self._members = members
        self.base: Doubles = np.bincount(members, minlength=classes) / len(rows)
        d = features.shape[1]
        self.place = place_for(2 * len(rows) * d * (2 * d + classes))
        self._points = Placed(features, rows, self.place)
        self._axes = find_axes(self._points, members, classes, on_step)
        self.mean = self._axes.mean
        strengths = [strength] if isinstance(strength, int | float) else list(strength)
        self.strength = strengths[0]
        if len(strengths) > 1:
            self.strength = self._best(strengths, quality, on_step)
        strips = self._strips_of(self._head_of(self.strength)[1])
        self._strips = tuple(self.place.keep(strip) for strip in strips)
        self._head = self._fit()

    @one_blas_thread()
    def refitted(self, members: Rows) -> Ridge:
        """Return the head of the same features and strength for other classes of the images."""
        found = copy(self)
        found._members = members
        found.base = np.bincount(members, minlength=len(self.base)) / len(members)
        moments = moments_of(self._points, members, len(self.base), self._axes)
        found._axes = self._axes._replace(moments=moments)
        found._head = found._fit()
        return found

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
        found: Doubles
        (found,) = self.of_held_out(lambda _module, outputs, *_: (outputs,), part)
        return found

    def of_held_out(self, function: OfOutputs, part: slice | Rows) -> list[Any]:
        """Call a function with the outputs of `held_out` where they are; return its arrays."""
        found: list[Any] = self.place.compute(partial(self._call, function), *self._part(part))
        return found

    def sample(self, positions: Rows, at_once: int) -> tuple[Any, Any]:
        """Return the outputs of `held_out` and the classes, (b,), as arrays of the place."""
        as_they_are = partial(self._call, lambda _module, outputs, *_: (outputs,))

        def of_block(part: slice) -> Any:
            return self.place.apply(as_they_are, *self._part(positions[part]))[0]

        found = in_threads(of_block, blocks(len(positions), at_once))
        (outputs,) = self.place.apply(self._join, *found)
        return outputs, self.place.keep(self._members[positions])

    def _best(
        self, strengths: Sequence[float], quality: Quality, on_step: Callable[[], None]
    ) -> float:
        """Return the strength with the best leave-one-out outputs."""
        drawn = np.sort(np.random.default_rng(0).permutation(len(self._members))[:SAMPLE])
        every, own = (self.place.keep(one) for one in (np.arange(len(drawn)), self._members[drawn]))
        mean, directions = map(self.place.keep, (self.mean, self._axes.directions))

        def along_of(part: slice) -> Any:
            return self.place.apply(_along, self._points[drawn[part]], mean, directions)[0]

        parts = in_threads(along_of, blocks(len(drawn), SAMPLE_ROWS))
        (along,) = self.place.apply(self._join, *parts)

        def quality_of(strength: float) -> float:
            left = partial(_left_out_along, len(self._members))
            head = (self.base, *self._head_of(strength))
            (outputs,) = self.place.apply(left, along, every, own, *head)
            return quality(self.place, outputs, own)

        at_once = HELD_NUMBERS // max(1, along.shape[0] * (along.shape[1] + len(self.base)))
        few = at_once < min(len(strengths), processors())
        each = map if few or self.place.on_gpu else in_threads
        best = (-np.inf, strengths[0])
        for one, strength in zip(each(quality_of, strengths), strengths, strict=True):
            best = max(best, (one, strength))
            on_step()
        return best[1]

    def _part(self, part: slice | Rows) -> tuple[Any, ...]:
        """Return points, and 0, 1, ... and the class of each, and the arrays of the head."""
        own = self._members[part]
        return self._points[part], np.arange(len(own)), own, *self._head, *self._strips

    def _call(
        self,
        function: OfOutputs,
        points: Any,
        every: Any,
        own: Any,
        mean: Any,
        weights: Any,
        base: Any,
        *strips: Any,
    ) -> tuple[Any, ...]:
        centered = points - mean
        outputs = centered @ weights
        outputs += base
        squares = (((centered[:, -len(strip) :] @ strip) ** 2).sum(axis=1) for strip in strips)
        leverage = sum(squares) + 1 / len(self._members)
        (outputs,) = _left_out(outputs, leverage, every, own)
        return function(self.place.module, outputs, every, own)

    def _join(self, *parts: Any) -> tuple[Any]:
        return (self.place.module.concatenate(parts),)

    def _fit(self) -> tuple[Any, ...]:
        """Set the weights; return what a call needs to compute outputs, on the place."""
        self.weights: Doubles = self._axes.directions @ self._head_of(self.strength)[0]
        return tuple(self.place.keep(one) for one in (self.mean, self.weights, self.base))

    def _head_of(self, strength: float) -> tuple[Doubles, Doubles]:
        """Return the weights along the axes, (r, classes), and by what a square is penalized."""
        penalized = self._axes.values + strength * self._axes.scale
        return self._axes.moments / penalized[:, None], 1 / penalized

    def _strips_of(self, inverse: Doubles) -> list[Doubles]:
        """Return the columns of the transposed R, in strips without the zeros above them."""
        roots = self._axes.directions * np.sqrt(inverse)
        d, r = roots.shape
        if len(self._members) <= d or not r:  # making it triangular takes longer than it saves
            return [roots]
        lower = np.asarray(np.linalg.qr(roots.T, mode="r")).T
        return [
            np.ascontiguousarray(lower[part.start :, part]) for part in blocks(r, -(-r // STRIPS))
        ]


def _along(points: Any, mean: Any, directions: Any) -> tuple[Any]:
    """Return the coordinates of points along the axes, (b, r)."""
    return ((points - mean) @ directions,)


def _left_out_along(
    images: int, along: Any, every: Any, own: Any, base: Any, coefficients: Any, inverse: Any
) -> tuple[Any]:
    """Return the outputs for images by their coordinates, each of the head without it."""
    outputs = along @ coefficients
    outputs += base
    return _left_out(outputs, along**2 @ inverse + 1 / images, every, own)


def _left_out(outputs: Any, leverage: Any, every: Any, own: Any) -> tuple[Any]:
    """Return the outputs for images, each of the head without it, by the outputs of the head."""
    outputs[every, own] -= leverage
    outputs /= (1 - leverage).clip(min=1e-12)[:, None]  # 0 for a single image
    return (outputs,)
