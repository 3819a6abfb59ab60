"""Suspects: images that probably have a wrong label.

Pure numpy. A linear head is trained on all images, and a second one on the images whose label the
first predicts. The second predicts p(c | x); T(c, y) is the rate at which images of class c get
label y. Given its label y, the probability that an image is of class c is proportional to
p(c | x) T(c, y). T and the temperature of p are fitted so that the labels become most probable. So
with clean labels T is close to the identity, and hard images are not mistaken for mislabeled ones.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Features, Floats, Mask, Rows, blocks
from moderate_cli.errors import ArgumentError
from moderate_cli.label_errors.noise import TEMPERATURES, fit_noise
from moderate_cli.scoring.linear_head import BATCH, LinearHead, softmax
from moderate_cli.selection.counts import kept_count

Progress = Callable[[int, int], None]

STEPS = 500  # of training, at least; also a minimum number of epochs:
EPOCHS = 2
BLOCK_ROWS = 4096
SAMPLE = 1 << 25  # logits to which the noise model is fitted


class Suspects(NamedTuple):
    """The probability of each image that its label is wrong, in row order.

    Attributes
    ----------
    probability
        float64 (n,); NaN for unreadable images.
    looks_like
        int64 (n,), the most probable other label; the given label if unreadable.

    Examples
    --------
    >>> found = Suspects(np.array([0.9, 0.1, 0.6]), np.array([1, 0, 0]))
    >>> found.most_probable(), found.noise_rate
    (array([0, 2]), 0.5333333333333333)
    """

    probability: Doubles
    looks_like: npt.NDArray[np.int64]

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


def find_suspects(
    features: Features,
    labels: npt.NDArray[np.integer[Any]],
    *,
    seed: int = 0,
    readable: Mask | None = None,
    on_progress: Progress | None = None,
) -> Suspects:
    """Estimate the probability that each label is wrong.

    The probability of a class given image and label comes from a noise model with a transition
    matrix (Patrini et al., CVPR 2017), which is fitted by expectation-maximization together with
    the temperature of the head (Guo et al., ICML 2017).

    Parameters
    ----------
    features
        (n, d) of any float type; may be memory-mapped.
    labels
        (n,) class of each row; any integers, gaps allowed.
    seed
        Seed of the order of training.
    readable
        bool (n,); False for rows to ignore.
    on_progress
        Called with the number of steps done, and the number of all.

    Raises
    ------
    ArgumentError
        If there is only one class, or the arrays do not match.

    Examples
    --------
    >>> features = np.repeat(np.eye(2), 20, axis=0)
    >>> labels = np.repeat([5, 7], 20)
    >>> labels[3] = 7
    >>> found = find_suspects(features, labels)
    >>> found.most_probable(), found.looks_like[3]
    (array([3]), np.int64(5))
    """
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ArgumentError(f"features {features.shape} and labels {labels.shape} do not match")
    rows = np.arange(len(labels)) if readable is None else np.flatnonzero(readable)
    known, members = np.unique(labels[rows], return_inverse=True)
    check_suspectable(known)
    steps = _Steps(len(rows), on_progress)
    posterior = _Posterior(features, rows, members, len(known), seed, steps)
    found = Suspects(np.full(len(labels), np.nan), labels.astype(np.int64))
    for part in blocks(len(rows), BLOCK_ROWS):
        probability, looks_like = posterior(part)
        found.probability[rows[part]] = probability
        found.looks_like[rows[part]] = known[looks_like]
    return found


def check_suspectable(labels: npt.NDArray[np.integer[Any]]) -> None:
    """Refuse labels, (n,), of a single class, which cannot be wrong.

    Raises
    ------
    ArgumentError
        If there is only one class.
    """
    if len(np.unique(labels)) < 2:
        raise ArgumentError("suspects: there is only one class, so no label can be wrong")


class _Steps:
    """Counts the steps of two trainings and of the fit.

    The second training has fewer images; its steps are scaled to the number of the first.
    """

    def __init__(self, images: int, on_progress: Progress | None) -> None:
        self._training = _epochs(images) * _steps(images)
        self._total = 2 * self._training + len(TEMPERATURES)
        self._told = on_progress

    def trained(self, number: int, done: int, of: int) -> None:
        """Count the steps done in training 0 or 1."""
        self._tell(number * self._training + done * self._training // of)

    def fitted(self, temperatures: int) -> None:
        """Count the temperatures tried."""
        self._tell(2 * self._training + temperatures)

    def _tell(self, done: int) -> None:
        if self._told is not None:
            self._told(done, self._total)


class _Posterior:
    """Computes the probability that a label is wrong, and the most probable other class."""

    def __init__(
        self,
        features: Features,
        rows: Rows,
        members: Rows,
        classes: int,
        seed: int,
        steps: _Steps,
    ) -> None:
        self._rows, self._members = rows, members
        first = _trained(features, rows, members, classes, seed, partial(steps.trained, 0))
        agreed = np.concatenate(
            [
                first.logits(rows[part]).argmax(axis=1) == members[part]
                for part in blocks(len(rows), BLOCK_ROWS)
            ]
        )
        # If the first head has not learned a class at all, the second gets all its images.
        agreed |= np.bincount(members, agreed, minlength=classes)[members] == 0
        told = partial(steps.trained, 1)
        self._second = _trained(features, rows[agreed], members[agreed], classes, seed + 1, told)
        sample = np.random.default_rng(seed).permutation(len(rows))
        sample = np.sort(sample[: max(1, SAMPLE // classes)])
        logits = [
            self._second.logits(rows[sample[part]]) for part in blocks(len(sample), BLOCK_ROWS)
        ]
        self._noise = fit_noise(np.concatenate(logits), members[sample], classes, steps.fitted)

    def __call__(self, part: slice) -> tuple[Doubles, Rows]:
        """Return both for a block of images: float64 (b,) and int64 (b,)."""
        own = self._members[part]
        every = np.arange(len(own))
        logits = self._second.logits(self._rows[part]) / np.float32(self._noise.temperature)
        # In float64, because probabilities near 0 are ranked too.
        joint = self._noise.transition.T[own] * softmax(logits.astype(np.float64))
        right = joint[every, own]
        joint[every, own] = 0
        wrong = joint.sum(axis=1)
        joint[every, own] = -1
        probability = np.divide(wrong, wrong + right, out=np.zeros(len(own)), where=wrong > 0)
        return probability, joint.argmax(axis=1)


class _Trained(NamedTuple):
    head: LinearHead
    weights: Floats

    def logits(self, rows: Rows) -> Floats:
        found: Floats = self.head.inputs(rows) @ self.weights
        return found


def _steps(images: int) -> int:
    """Return the number of steps in an epoch."""
    return -(-images // BATCH)


def _epochs(images: int) -> int:
    return max(EPOCHS, -(-STEPS // _steps(images)))


def _trained(
    features: Features, rows: Rows, members: Rows, classes: int, seed: int, told: Progress
) -> _Trained:
    """Train a head; return it with the mean of its weights in the second half of training."""
    head = LinearHead(features, rows, members, classes, seed)
    steps, epochs = _steps(len(rows)), _epochs(len(rows))
    total, taken = np.zeros_like(head.weights), 0
    for epoch in range(epochs):
        for step, _ in enumerate(head.epoch(), 1):
            if epoch >= epochs // 2:
                total += head.weights
                taken += 1
            told(epoch * steps + step, epochs * steps)
    total /= np.float32(taken)
    return _Trained(head, total)
