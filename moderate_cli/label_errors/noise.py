"""Fit a noise model: the share of images of each class that have each label."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Doubles, Floats, Rows
from moderate_cli.scoring.linear_head import softmax

TEMPERATURES = 2.0 ** np.arange(-3, 2.5, 0.5)
PASSES, PRECISION = 60, 1e-6  # of the fit: maximum number, and minimum gain per image
PRIOR = 10.0  # weight of the overall rate of wrong labels, in images per class
LEAST_RIGHT = 0.5  # minimum share of a class's images that have its label


class Noise(NamedTuple):
    """A noise model.

    Attributes
    ----------
    temperature
        Divisor of the logits.
    transition
        float64 (c, c), T(c, y): share of the images of class c with label y.
    """

    temperature: float
    transition: Doubles


def fit_noise(
    logits: Floats, members: Rows, classes: int, told: Callable[[int], None] = lambda tried: None
) -> Noise:
    """Find the noise model that makes the labels (m,) most probable, given logits (m, c)."""
    order = np.argsort(members, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(members[order])) + 1)
    labels = [int(members[group[0]]) for group in groups]
    best = Noise(1.0, np.eye(classes))
    likeliest = -np.inf
    for tried, temperature in enumerate(TEMPERATURES.tolist(), 1):
        predicted = [softmax(logits[group] / np.float32(temperature)) for group in groups]
        transition, likelihood = _fit_transition(dict(zip(labels, predicted, strict=True)), classes)
        if likelihood > likeliest:
            best, likeliest = Noise(temperature, transition), likelihood
        told(tried)
    return best


def _fit_transition(predicted: dict[int, Floats], classes: int) -> tuple[Doubles, float]:
    """Fit T to p(c | x) of the images of each label; return T and the log-likelihood."""
    images = sum(map(len, predicted.values()))
    transition = _uniform(0.1, classes)
    likelihood = -np.inf
    for _ in range(PASSES):
        before, likelihood = likelihood, 0.0
        expected = np.zeros((classes, classes))  # number of images of each class with each label
        for label, probabilities in predicted.items():
            rates = transition[:, label]
            evidence = np.maximum(probabilities @ rates, np.finfo(np.float64).tiny)
            likelihood += float(np.log(evidence).sum())
            expected[:, label] = rates * ((1 / evidence) @ probabilities)
        expected += PRIOR * _uniform(1 - np.trace(expected) / images, classes)
        transition = expected / expected.sum(axis=1, keepdims=True)
        right = np.diag(transition).copy()
        kept = right.clip(min=LEAST_RIGHT)
        # Scale down the wrong labels of a class that has too many.
        transition *= ((1 - kept) / np.maximum(1 - right, np.finfo(np.float64).tiny))[:, None]
        np.fill_diagonal(transition, kept)
        if likelihood - before < PRECISION * images:
            break
    return transition, likelihood


def _uniform(wrong: float, classes: int) -> Doubles:
    """Return T for a share of wrong labels, spread evenly over the other classes."""
    transition = np.full((classes, classes), wrong / (classes - 1))
    np.fill_diagonal(transition, 1 - wrong)
    return transition
