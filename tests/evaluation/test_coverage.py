"""A 95 % interval contains the true difference in about 95 of 100 evaluations.

Simulated: images of five classes, selections of the images nearest to their class center and at
random, a ridge classifier. Pools and intervals are those of `moderate_cli.evaluation`.
"""

import numpy as np
import pytest

from moderate_cli.evaluation.estimates import ALONE, PAIRED, differences, estimate
from moderate_cli.evaluation.pools import FOLDS, Pool
from moderate_cli.inputs import Source
from moderate_cli.results import LabeledFeatures

CLASSES, SEEDS = 5, 10
SETS = 600  # a coverage of 95 % is measured to within 0.9 points


def images(rng, n):
    labels = np.arange(n) % CLASSES
    features = rng.normal(size=(n, 20)) + 2 * np.eye(20)[labels]
    return Source((LabeledFeatures(features, labels, np.ones(n, dtype=bool)),))


def accuracies(rng, source, pool, test=None):
    """Accuracies after selecting the easiest fifth of each class, and a random fifth."""
    (data,) = source.sets
    inside = np.setdiff1d(np.arange(len(data.labels)), pool.held_out)
    (judged,), rows = (source.sets, pool.held_out) if test is None else (test.sets, slice(None))
    kept = {"easy": [], "random": []}
    for label in range(CLASSES):
        own = inside[data.labels[inside] == label]
        points = data.features[own]
        order = np.argsort(((points - points.mean(axis=0)) ** 2).sum(axis=1))
        kept["easy"].append(own[order[: len(own) // 5]])
        kept["random"].append(rng.permutation(own)[: len(own) // 5])
    return [
        np.mean(predicted(data, np.concatenate(own), judged.features[rows]) == judged.labels[rows])
        for own in kept.values()
    ]


def predicted(data, rows, points):
    features, targets = data.features[rows], np.eye(CLASSES)[data.labels[rows]]
    mean = features.mean(axis=0)
    centered = features - mean
    weights = np.linalg.solve(centered.T @ centered + np.eye(20), centered.T @ targets)
    return ((points - mean) @ weights).argmax(axis=1)


def coverage(values, seeds, shared):
    """Share of the rows whose interval from the first seeds contains the mean of all values."""
    true = values.mean()
    found = [estimate(row[:seeds].tolist(), shared) for row in values]
    return np.mean([abs(one.mean - true) <= one.half for one in found])


@pytest.fixture(scope="module")
def held_out():
    """Accuracies (sets, seeds, 2) on held-out images, each row of a new set of 500 images."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(SETS):
        source = images(rng, 500)
        draws = [(seed - seed % FOLDS, seed % FOLDS) for seed in range(SEEDS)]
        found.append([accuracies(rng, source, Pool(source, *draw)) for draw in draws])
    return np.array(found)


@pytest.fixture(scope="module")
def tested():
    """Accuracies (draws, seeds, 2) on one test set, all of pools of the same 500 images."""
    rng = np.random.default_rng(1)
    source, test = images(rng, 500), images(rng, 300)
    found = [
        [accuracies(rng, source, Pool(source, SEEDS * draw + seed), test) for seed in range(SEEDS)]
        for draw in range(SETS)
    ]
    return np.array(found)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_differences_on_held_out_images_are_those_of_new_images(held_out, seeds):
    apart = held_out[..., 0] - held_out[..., 1]
    assert 0.93 <= coverage(apart, seeds, PAIRED) <= 0.97


def test_seeds_after_the_fifth_are_not_worth_as_much(held_out):
    apart = held_out[..., 0] - held_out[..., 1]
    assert coverage(apart, 10, 0.0) < 0.93  # as if they were independent
    assert coverage(held_out[..., 0], 10, 0.0) < 0.85


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_accuracies_on_held_out_images_are_nearly_those_of_new_images(held_out, seeds):
    # Pools have images in common, which matters more where nothing is subtracted.
    assert 0.9 <= coverage(held_out[..., 0], seeds, ALONE) <= 0.97


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_differences_on_a_test_set_are_those_of_other_pools(tested, seeds):
    apart = tested[..., 0] - tested[..., 1]
    assert 0.93 <= coverage(apart, seeds, 0.0) <= 0.97


def test_differences_are_paired():
    assert differences([0.5, 0.75], [0.25, 0.5]) == [0.25, 0.25]
