"""Labels that are known to be right or wrong."""

import math

import numpy as np

CLASSES, DIM = 8, 32


def clusters(rng, n=1600, spread=1.0):
    """Labels, and features around a point of each."""
    labels = np.arange(n) * CLASSES // n
    centers = 3 * rng.normal(size=(CLASSES, DIM)) / math.sqrt(2 * DIM)
    return labels, centers[labels] * 4 + spread * rng.normal(size=(n, DIM))


def mislabel(labels, rng, share):
    """Give a share of the images any other label."""
    wrong = rng.random(len(labels)) < share
    other = rng.integers(1, CLASSES, len(labels))
    return np.where(wrong, (labels + other) % CLASSES, labels), wrong
