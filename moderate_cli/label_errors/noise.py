"""Noise model: how often images of each class get each label, fitted to held-out outputs.

Outputs are those of regression on one-hot labels, so they already resemble probabilities, but are
too even. A power of them, with a floor, becomes p(class). The power and the rates of wrong labels
are fitted together, so that the given labels become most probable.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Doubles, Rows, blocks
from moderate_cli.scoring.linear_head import softmax
from moderate_cli.threads import in_threads

# A low floor makes p(class) a power of the output, a high one a softmax of it. Labels ask for the
# former, unless features hardly know the classes.
FLOORS = (0.003, 0.03, 0.1, 30.0)
POWERS = {2.0**0.5: 12, 2.0: 11}  # the first, and how many that double: 2**0.5, 2, ... 2**11.5
VAGUE = 400.0  # power for the highest floor, where outputs hardly know the classes
SHARPER = 2.0 ** np.arange(-0.5, 2.0, 0.5)  # even rates take frequent errors for doubts
MOST_WRONG = 0.7  # maximum share of wrong labels
LEAST_RIGHT = 0.5  # minimum share of the images of a class that have its label
PRIOR = 6.0  # weight of the even rate, in images per pair of classes
# Accuracy above chance, of the possible one, from which rates of pairs can be told from doubts; and
# in standard errors of chance, from which it is no chance.
KNOWN, BEYOND = 0.335, 3.0
DOUBT = 1.0  # log-likelihood by which a rate may be worse than the best, and still be true
STEPS, PASSES, PRECISION = 50, 30, 1e-5  # of bisection; of expectation-maximization
BLOCK_NUMBERS, LABELS_AT_ONCE = 1 << 16, 16  # in each thread
TINY = np.finfo(np.float64).tiny


class Noise(NamedTuple):
    """A noise model.

    Attributes
    ----------
    floor, power
        p(class) is proportional to (floor + output) ** power.
    transition
        float64 (c, c), T(c, y): share of the images of class c with label y.
    known
        Whether the outputs know the classes.
    """

    floor: float
    power: float
    transition: Doubles
    known: bool

    def joint(self, outputs: Doubles, members: Rows) -> Doubles:
        """Return p(class, label) of each image for each class, float64 (b, c)."""
        predicted = _predict(_logarithms(outputs, self.floor), self.power)
        found: Doubles = predicted * self.transition.T[members]
        return found


def fit_noise(outputs: Doubles, members: Rows) -> Noise:
    """Fit a noise model: an own rate for each pair of classes, if the outputs know the classes.

    If not, labels are taken to be right, because wrong ones look like hard images. Half an image is
    taken to be wrong, so that images stay ranked by their probabilities.

    Parameters
    ----------
    outputs
        float64 (m, c), outputs for each image of a head that did not see it.
    members
        int64 (m,), the given class of each image.
    """
    count, classes = outputs.shape
    accuracy = float(np.mean(outputs.argmax(axis=1) == members))
    fits = _fits_of_even(outputs, members)
    chance = float(np.bincount(members).max() / count)
    error = math.sqrt(chance * (1 - chance) / count)
    known = knows(accuracy, _least_rate(outputs, members, fits), chance)
    if not known or accuracy - chance < BEYOND * error:
        return Noise(FLOORS[-1], VAGUE, _even(0.5 / count, classes), known=False)
    return _fit_pairs(outputs, members, max(fits))


def likelihood(outputs: Doubles, members: Rows) -> float:
    """Return the log-likelihood of the labels, if wrong ones are spread evenly."""
    return max(_fits_of_even(outputs, members)).likelihood


def knows(accuracy: float, rate: float, chance: float) -> bool:
    """Whether a head knows the classes, by its accuracy on labels of which a share is wrong.

    `chance` is the accuracy without knowing any image: the share of the largest class.

    >>> knows(0.45, 0.4, 0.01), knows(0.3, 0.0, 0.05), knows(0.9, 0.0, 0.9)
    (True, False, False)
    """
    return accuracy > chance and bool(accuracy - chance >= KNOWN * (1 - rate - chance))


class _Even(NamedTuple):
    """A fit of one rate of wrong labels for all pairs of classes; the first field decides."""

    likelihood: float
    rate: float
    floor: float
    power: float


def _fits_of_even(outputs: Doubles, members: Rows) -> list[_Even]:
    """Fit one rate for each floor and power."""
    classes, fits = outputs.shape[1], []
    for floor, (first, count) in product(FLOORS, POWERS.items()):
        for step, right in enumerate(_of_labels(outputs, members, floor, first, count)):
            gain = (1 - right) / (classes - 1) - right
            rate = _likeliest_rate(right, gain, min(MOST_WRONG, 1 - 1 / classes))
            fitted = float(np.log(np.maximum(right + rate * gain, TINY)).sum())
            fits.append(_Even(fitted, rate, floor, first * 2.0**step))
    return fits


def _of_labels(
    outputs: Doubles, members: Rows, floor: float, power: float, count: int = 1
) -> list[Doubles]:
    """Return p(class) of the given class of each image, float64 (m,), for `count` powers.

    Each power is twice the one before, so that exponentials are squares of those before, which
    take a tenth of the time.
    """

    def of_block(part: slice) -> list[Doubles]:
        logarithms, every = _logarithms(outputs[part], floor), np.arange(part.stop - part.start)
        logarithms -= logarithms.max(axis=1, keepdims=True)
        exponentials, rights = np.exp(power * logarithms), []
        for step in range(count):
            if step:
                np.square(exponentials, out=exponentials)
            rights.append(exponentials[every, members[part]] / exponentials.sum(axis=1))
        return rights

    parts = blocks(len(outputs), max(1, BLOCK_NUMBERS // outputs.shape[1]))
    return [np.concatenate(column) for column in zip(*in_threads(of_block, parts), strict=True)]


def _least_rate(outputs: Doubles, members: Rows, fits: list[_Even]) -> float:
    """Return the lowest rate of wrong labels that the labels do not contradict.

    Outputs that know nothing about the classes explain labels as well by errors as by chance.
    """
    enough = max(fits).likelihood - DOUBT
    least = math.inf
    for _, rate, floor, power in (fit for fit in fits if fit.likelihood >= enough):
        (right,) = _of_labels(outputs, members, floor, power)
        gain = (1 - right) / (outputs.shape[1] - 1) - right
        low, high = 0.0, min(rate, least)
        for _ in range(STEPS):  # the likelihood grows up to `rate`
            middle = (low + high) / 2
            if np.log(np.maximum(right + middle * gain, TINY)).sum() >= enough:
                high = middle
            else:
                low = middle
        if np.log(np.maximum(right + high * gain, TINY)).sum() >= enough:
            least = min(least, high)
    return least


def _likeliest_rate(right: Doubles, gain: Doubles, most: float) -> float:
    """Return the rate that maximizes the sum of log(right + rate gain), by bisection."""
    low, high = 0.0, most
    for _ in range(STEPS):
        rate = (low + high) / 2
        if (gain / np.maximum(right + rate * gain, TINY)).sum() > 0:
            low = rate
        else:
            high = rate
    return low


def _fit_pairs(outputs: Doubles, members: Rows, even: _Even) -> Noise:
    """Fit the power again, with a rate for each pair of classes."""
    fits = []
    for power in (even.power * SHARPER).tolist():
        transition, fitted = _fit_transition(outputs, members, even.floor, power)
        fits.append((fitted, Noise(even.floor, power, transition, known=True)))
    return max(fits, key=lambda fit: fit[0])[1]


def _fit_transition(
    outputs: Doubles, members: Rows, floor: float, power: float
) -> tuple[Doubles, float]:
    """Fit T by expectation-maximization, given outputs for each image, (m, c).

    Returns T and the log-likelihood of the labels.
    """
    images, classes = outputs.shape
    order = np.argsort(members, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(members[order])) + 1)
    by_label = list(
        in_threads(
            lambda group: (
                int(members[group[0]]),
                _predict(_logarithms(outputs[group], floor), power),
            ),
            groups,
        )
    )
    tasks = [by_label[part] for part in blocks(len(by_label), LABELS_AT_ONCE)]
    transition, fitted = _even(0.1, classes), -np.inf
    for _ in range(PASSES):
        before, fitted = fitted, 0.0
        expected = np.zeros((classes, classes))  # number of images of each class with each label
        for found in in_threads(partial(_expect, transition), tasks):
            for label, counts, likely in found:
                expected[:, label], fitted = counts, fitted + likely
        expected += PRIOR * classes * _even(1 - np.trace(expected) / images, classes)
        transition = _with_least_right(expected / expected.sum(axis=1, keepdims=True))
        if fitted - before < PRECISION * images:
            break
    return transition, fitted


def _expect(
    transition: Doubles, by_label: list[tuple[int, Doubles]]
) -> list[tuple[int, Doubles, float]]:
    """Return each label, the number of its images of each class, and its log-likelihood."""
    found = []
    for label, probabilities in by_label:
        rates = transition[:, label]
        evidence = np.maximum(probabilities @ rates, TINY)
        counts = rates * ((1 / evidence) @ probabilities)
        found.append((label, counts, float(np.log(evidence).sum())))
    return found


def _with_least_right(transition: Doubles) -> Doubles:
    """Scale down the wrong labels of classes that have too many."""
    right = np.diag(transition)
    kept = right.clip(min=LEAST_RIGHT)
    scaled: Doubles = transition * ((1 - kept) / np.maximum(1 - right, TINY))[:, None]
    np.fill_diagonal(scaled, kept)
    return scaled


def _logarithms(outputs: Doubles, floor: float) -> Doubles:
    """Return log(1 + output / floor); outputs that are much below 0 count as less negative."""
    found: Doubles = np.log1p(np.maximum(outputs, -floor / 2) / floor)
    return found


def _predict(logarithms: Doubles, power: float) -> Doubles:
    found: Doubles = softmax(power * logarithms)
    return found


def _even(wrong: float, classes: int) -> Doubles:
    """Return T for a share of wrong labels, spread evenly over the other classes."""
    transition = np.full((classes, classes), wrong / (classes - 1))
    np.fill_diagonal(transition, 1 - wrong)
    return transition
