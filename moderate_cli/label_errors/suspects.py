"""Suspects: images that probably have a wrong label.

The outputs for each image of a linear probe that did not see it, p(c | x) by a power of these, and
the rate T(c, y) at which images of class c get label y: given its label y, the probability that an
image is of class c is proportional to p(c | x) T(c, y). Power and rates are fitted so that the
labels become most probable. So with clean labels T is close to the identity, and hard images are
not mistaken for mislabeled ones. The power is bounded by the overlap of classes, which features
show without labels: otherwise errors of humans, which follow the looks of images, pass for it.

All of it is computed where the head is: by numpy, or by a GPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Features, Mask, Rows, blocks
from moderate_cli.errors import ArgumentError
from moderate_cli.gpu import Place
from moderate_cli.label_errors.noise import TINY, Noise, fit_noise, likelihood
from moderate_cli.label_errors.overlap import overlap, squared_error
from moderate_cli.scoring import axes
from moderate_cli.scoring.criteria import check_labeled
from moderate_cli.scoring.ridge import Ridge
from moderate_cli.selection.counts import kept_count
from moderate_cli.text import counted
from moderate_cli.threads import in_threads, one_blas_thread

Progress = Callable[[int, int], None]

STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # of the head, from which one is chosen
BLOCK_ROWS, OUTPUTS = 1024, 1 << 21  # in each thread
BLOCKS_ON_GPU, AT_ONCE = 16, 3  # such blocks in one, of which so many at once
COMPARED, FITTED = 1 << 22, 1 << 24  # outputs by which it is; to which the noise model is fitted
# Rate of hard images that look like wrong labels, over overlap (1 - overlap): with it, at most 2 %
# of clean labels of CIFAR-100 are flagged on strong features.
HARD = 0.07
# Of squared error, against log-likelihood. It decides where classes are far apart and all strengths
# explain the labels: the strongest would make these classes look as if they overlapped.
CLOSER = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class Suspects:
    """The probability of each image that its label is wrong, in row order.

    Attributes
    ----------
    probability
        float64 (n,); NaN for unreadable images.
    looks_like
        int64 (n,), the most probable other label; the given label if unreadable.
    accuracy
        Share of the labels that a head predicts for images that it did not see; NaN if unknown.
    hardly_known
        Whether features hardly know the classes. Then wrong labels look like hard images, and no
        image is a suspect.

    Examples
    --------
    >>> found = Suspects(np.array([0.9, 0.1, 0.6]), np.array([1, 0, 0]))
    >>> found
    Suspects(2 suspects of 3 images, noise 0.53)
    >>> found.most_probable()
    array([0, 2])
    """

    probability: Doubles
    looks_like: npt.NDArray[np.int64]
    accuracy: float = math.nan
    hardly_known: bool = False

    def __len__(self) -> int:
        return len(self.probability)

    def __repr__(self) -> str:
        """Return the numbers of images and of suspects, and the label noise."""
        suspects, images = counted(len(self.most_probable()), "suspect"), len(self)
        return f"Suspects({suspects} of {counted(images, 'image')}, noise {self.noise_rate:.2g})"

    @property
    def noise_rate(self) -> float:
        """Estimated share of wrong labels."""
        return float(np.nanmean(self.probability))

    def most_probable(self, fraction: Fraction | float | Literal["auto"] = "auto") -> Rows:
        """Return the rows of the most probable label errors, the most probable first.

        `fraction` of all images, or "auto" for a probability above 0.5; ties in row order.
        """
        order = np.argsort(-self.probability, kind="stable")
        readable = int(np.count_nonzero(~np.isnan(self.probability)))
        if fraction == "auto":
            return order[: np.count_nonzero(self.probability > 0.5)]
        return order[: kept_count(readable, fraction)]


@one_blas_thread()
def find_suspects(
    features: Features,
    labels: npt.NDArray[np.integer[Any]],
    *,
    readable: Mask | None = None,
    on_progress: Progress | None = None,
) -> Suspects:
    """Estimate the probability that each label is wrong.

    The probability of a class given image and label comes from a noise model with a transition
    matrix (Patrini et al., CVPR 2017). It is fitted by expectation-maximization to leave-one-out
    outputs of ridge regression.

    Parameters
    ----------
    features
        (n, d) of any float type; may be memory-mapped.
    labels
        (n,) class of each row; any integers, gaps allowed.
    readable
        bool (n,); False for rows to ignore.
    on_progress
        Called with the number of steps done, and the number of all.

    Raises
    ------
    ArgumentError
        If there is only one class, the arrays do not match, or a row is not finite.

    Examples
    --------
    >>> features = np.repeat(np.eye(2), 20, axis=0)
    >>> labels = np.repeat([5, 7], 20)
    >>> labels[3] = 7
    >>> found = find_suspects(features, labels)
    >>> found.most_probable(), found.looks_like[3]
    (array([3]), np.int64(5))
    """
    rows = check_labeled(features, labels, readable)
    known, members = np.unique(labels[rows], return_inverse=True)
    check_suspectable(known)
    search = _Search(features, rows, members, len(known), on_progress)
    probability, looks_like = np.full(len(labels), np.nan), labels.astype(np.int64)
    right = 0
    for part, wrong, other, predicted in search.judge():
        probability[rows[part]], looks_like[rows[part]] = wrong, known[other]
        right += int(np.count_nonzero(predicted))
    if search.known:  # what contradicts a label is a wrong label or a hard image
        rate = float(np.nanmean(probability))
        probability *= rate / max(rate + search.hard, TINY)
    return Suspects(probability, looks_like, right / len(rows), not search.known)


def check_suspectable(labels: npt.NDArray[np.integer[Any]]) -> None:
    """Refuse labels, (n,), of a single class, which cannot be wrong.

    Raises
    ------
    ArgumentError
        If there is only one class.
    """
    if len(np.unique(labels)) < 2:
        raise ArgumentError("suspects: there is only one class, so no label can be wrong")


class _Search:
    """A head, and a noise model for its outputs; counts its steps."""

    def __init__(
        self,
        features: Features,
        rows: Rows,
        members: Rows,
        classes: int,
        on_progress: Progress | None,
    ) -> None:
        self._images = len(rows)
        self._done, self._told = 0, on_progress
        self._block_rows = max(1, min(BLOCK_ROWS, OUTPUTS // classes))
        steps = (-(-len(rows) // size) for size in (axes.BLOCK_ROWS, self._block_rows))
        self._total = sum(steps) + len(STRENGTHS) + 1
        self._head = Ridge(
            features, rows, members, classes, STRENGTHS, _quality, on_step=self._step
        )
        self._at_once = self._block_rows * (BLOCKS_ON_GPU if self._head.place.on_gpu else 1)
        self._noise, share = self._fit_noise(classes)
        self.known, self.hard = self._noise.known, HARD * share * (1 - share)

    def _fit_noise(self, classes: int) -> tuple[Noise, float]:
        """Fit the noise model to a sample; return the overlap of classes, too."""
        place = self._head.place
        drawn = np.random.default_rng(0).permutation(self._images)
        drawn = np.sort(drawn[: max(1, FITTED // classes)])
        outputs, members = self._head.sample(drawn, self._at_once)
        share = 1.0  # not known from a part of the images
        if len(drawn) == self._images:
            (predicted,) = place.compute(lambda one: (one.argmax(axis=1),), outputs)
            share = overlap(self._head, predicted, self._at_once)
        found = fit_noise(place, outputs, members, share)
        self._step()
        return found, share

    def judge(self) -> Iterator[tuple[slice, Doubles, Rows, Mask]]:
        """Judge all images, in blocks.

        Yields
        ------
        tuple
            The block; the probability of each image that its label is wrong, float64 (b,); the most
            probable other class, int64 (b,); whether the head predicts the label, bool (b,).
        """
        judge = partial(_judge, self._noise, self._noise.kept(self._head.place))
        of_block = partial(self._head.of_held_out, judge)
        parts = list(blocks(self._images, self._at_once))
        at_once = AT_ONCE if self._head.place.on_gpu else None
        for part, found in zip(parts, in_threads(of_block, parts, at_once), strict=True):
            yield part, *found
            for _ in blocks(part.stop - part.start, self._block_rows):
                self._step()

    def _step(self) -> None:
        """Count a step as done."""
        self._done += 1
        if self._told is not None:
            self._told(self._done, self._total)


def _quality(place: Place, outputs: Any, members: Any) -> float:
    step = -(-outputs.shape[0] * outputs.shape[1] // COMPARED)
    outputs, members = outputs[::step], members[::step]
    every = place.keep(np.arange(len(members)))
    (errors,) = place.compute(partial(squared_error, place.module), outputs, every, members)
    return likelihood(place, outputs, members) - CLOSER * float(errors.sum())


def _judge(
    noise: Noise, rates: list[Any], module: Any, outputs: Any, every: Any, own: Any
) -> tuple[Any, Any, Any]:
    posterior = noise.posterior(module, rates, outputs, own)
    posterior[every, own] = 0
    probability = posterior.sum(axis=1)
    posterior[every, own] = -1
    if not noise.known:
        probability /= 2  # ranks stay, and none is a suspect
    return probability, posterior.argmax(axis=1), outputs.argmax(axis=1) == own
