"""Noise model: how often images of each class get each label, fitted to held-out outputs.

Outputs are those of regression on one-hot labels, so they already resemble probabilities, but are
too even. A power of them, with a floor, becomes p(class). The power and the rates of wrong labels
are fitted together, so that the given labels become most probable.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Doubles, Rows
from moderate_cli.scoring.linear_head import softmax

# A low floor makes p(class) a power of the output, a high one a softmax of it. Labels ask for the
# former, unless features hardly know the classes.
FLOORS = (0.003, 0.03, 0.1, 30.0)
POWERS = 2.0 ** np.arange(0.5, 12.0, 0.5)
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
    count, classes = outputs.shape
    every, fits = np.arange(count), []
    for floor in FLOORS:
        logarithms = _logarithms(outputs, floor)
        for power in POWERS.tolist():
            right = _predict(logarithms, power)[every, members]
            gain = (1 - right) / (classes - 1) - right
            rate = _likeliest_rate(right, gain, min(MOST_WRONG, 1 - 1 / classes))
            fitted = float(np.log(np.maximum(right + rate * gain, TINY)).sum())
            fits.append(_Even(fitted, rate, floor, power))
    return fits


def _least_rate(outputs: Doubles, members: Rows, fits: list[_Even]) -> float:
    """Return the lowest rate of wrong labels that the labels do not contradict.

    Outputs that know nothing about the classes explain labels as well by errors as by chance.
    """
    enough = max(fits).likelihood - DOUBT
    every, least = np.arange(len(members)), math.inf
    for _, rate, floor, power in (fit for fit in fits if fit.likelihood >= enough):
        right = _predict(_logarithms(outputs, floor), power)[every, members]
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
    logarithms = _logarithms(outputs, even.floor)
    fits = []
    for power in (even.power * SHARPER).tolist():
        transition, fitted = _fit_transition(_predict(logarithms, power), members)
        fits.append((fitted, Noise(even.floor, power, transition, known=True)))
    return max(fits, key=lambda fit: fit[0])[1]


def _fit_transition(predicted: Doubles, members: Rows) -> tuple[Doubles, float]:
    """Fit T by expectation-maximization, given p(class) of each image, (m, c).

    Returns T and the log-likelihood of the labels.
    """
    images, classes = predicted.shape
    order = np.argsort(members, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(members[order])) + 1)
    by_label = [(int(members[group[0]]), predicted[group]) for group in groups]
    transition, fitted = _even(0.1, classes), -np.inf
    for _ in range(PASSES):
        before, fitted = fitted, 0.0
        expected = np.zeros((classes, classes))  # number of images of each class with each label
        for label, probabilities in by_label:
            rates = transition[:, label]
            evidence = np.maximum(probabilities @ rates, TINY)
            fitted += float(np.log(evidence).sum())
            expected[:, label] = rates * ((1 / evidence) @ probabilities)
        expected += PRIOR * classes * _even(1 - np.trace(expected) / images, classes)
        transition = _with_least_right(expected / expected.sum(axis=1, keepdims=True))
        if fitted - before < PRECISION * images:
            break
    return transition, fitted


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
