"""Rates at which images of each class get each label, by expectation-maximization."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from moderate_cli.arrays import Doubles, blocks
from moderate_cli.gpu import Place, Processor
from moderate_cli.label_errors.probabilities import probabilities_of
from moderate_cli.threads import in_threads

LEAST_RIGHT = 0.5  # minimum share of the images of a class that have its label
PRIOR = 6.0  # weight of the even rate, in images per pair of classes
START = 0.1  # share of wrong labels
PASSES, PRECISION = 30, 1e-5
LABELS_AT_ONCE, COPIES = 16, 5  # in each thread; of T in the memory of a GPU
TINY = np.finfo(np.float64).tiny

# T -> the expected number of images of each class with each label, and the log-likelihood.
Expect = Callable[[Any], tuple[Any, float]]


def fit_transition(
    place: Place, outputs: Any, members: Any, floor: float, power: float
) -> tuple[Doubles, float]:
    """Fit T, float64 (c, c), given outputs for each image, (m, c), and its label, (m,).

    Returns T and the log-likelihood of the labels.
    """
    images, classes = outputs.shape
    if not place.fits(COPIES * 8 * classes**2):
        outputs, members = place.compute(lambda *arrays: arrays, outputs, members)
        place = Processor()
    expect = (_whole if place.on_gpu else _by_label)(place, outputs, members, floor, power)
    every, transition = place.keep(np.arange(classes)), place.keep(even_rates(START, classes))
    fitted = -np.inf
    for _ in range(PASSES):
        before = fitted
        expected, fitted = expect(transition)
        (transition,) = place.apply(partial(_renewed, images), expected, every)
        if fitted - before < PRECISION * images:
            break
    (found,) = place.compute(lambda one: (one,), transition)
    return found, fitted


def even_rates(wrong: float, classes: int) -> Doubles:
    """Return T for a share of wrong labels, spread evenly over the other classes."""
    transition = np.full((classes, classes), wrong / (classes - 1))
    np.fill_diagonal(transition, 1 - wrong)
    return transition


def _by_label(place: Place, outputs: Any, members: Any, floor: float, power: float) -> Expect:
    """Images of a label have one column of T, so that two products of it suffice."""
    order = np.argsort(members, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(members[order])) + 1)

    def of_group(group: Any) -> tuple[int, Doubles]:
        return int(members[group[0]]), probabilities_of(place.module, outputs[group], floor, power)

    by_label = list(in_threads(of_group, groups))
    tasks = [by_label[part] for part in blocks(len(by_label), LABELS_AT_ONCE)]

    def expect(transition: Any) -> tuple[Any, float]:
        expected, fitted = np.zeros_like(transition), 0.0
        for found in in_threads(partial(_expect, transition), tasks):
            for label, counts, likely in found:
                expected[:, label], fitted = counts, fitted + likely
        return expected, fitted

    return expect


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


def _whole(place: Place, outputs: Any, members: Any, floor: float, power: float) -> Expect:
    """All images at once, with the sums over images of a label as a product of matrices."""
    start = partial(_start_whole, place.module, floor, power)
    probabilities, chosen = place.apply(start, outputs, members)

    def expect(transition: Any) -> tuple[Any, float]:
        expected, fitted = place.apply(_expect_whole, probabilities, chosen, members, transition)
        (found,) = place.compute(lambda one: (one,), fitted)
        return expected, float(found)

    return expect


def _start_whole(
    module: Any, floor: float, power: float, outputs: Any, members: Any
) -> tuple[Any, Any]:
    """Return p(class), (m, c), and which images have each label, (c, m)."""
    probabilities = probabilities_of(module, outputs, floor, power)
    chosen = probabilities.new_zeros(probabilities.T.shape).scatter_(0, members[None], 1.0)
    return probabilities, chosen


def _expect_whole(
    probabilities: Any, chosen: Any, members: Any, transition: Any
) -> tuple[Any, Any]:
    evidence = (probabilities * transition.T[members]).sum(axis=1).clip(min=TINY)
    expected = transition * (chosen @ (probabilities / evidence[:, None])).T
    return expected, evidence.log().sum()


def _renewed(images: int, expected: Any, every: Any) -> tuple[Any]:
    """Return T for expected numbers of images, (c, c), and an even rate of wrong labels."""
    classes = len(every)
    wrong = 1 - expected[every, every].sum() / images
    expected = expected + PRIOR * classes * (wrong / (classes - 1))
    expected[every, every] += PRIOR * classes * (1 - wrong - wrong / (classes - 1))
    transition = expected / expected.sum(axis=1, keepdims=True)
    # Wrong labels of classes that have too many are scaled down.
    right = transition[every, every]
    kept = right.clip(min=LEAST_RIGHT)
    transition *= ((1 - kept) / (1 - right).clip(min=TINY))[:, None]
    transition[every, every] = kept
    return (transition,)
