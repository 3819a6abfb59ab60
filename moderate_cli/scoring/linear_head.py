"""A softmax classifier on features: the last layer of a network with a frozen backbone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Doubles, Features, Floats, Rows, blocks, read_rows

BATCH = 256
BLOCK_ROWS = 4096
# The more classes, the fewer images of each in a step; so the rate grows with their number.
RATE_PER_CLASS, LEAST_RATE = 0.1, 1.0
MOMENTUM, DECAY = 0.9, 1e-4


class Step(NamedTuple):
    """One step of training, before the weights change.

    Attributes
    ----------
    batch
        int64 (b,), positions of its images, ascending.
    inputs
        float32 (b, d + 1), scaled features and a column of ones.
    logits
        float32 (b, c).
    error
        float32 (b, c), predicted probabilities minus those of the label.
    """

    batch: Rows
    inputs: Floats
    logits: Floats
    error: Floats


class LinearHead:
    """A linear layer, trained by stochastic gradient descent on the cross-entropy.

    Parameters
    ----------
    features
        (n, d) of any float type; may be memory-mapped.
    rows, members
        int64 (m,), rows to train on, ascending, and the class of each, numbered from 0.
    classes
        Number of classes.
    seed
        Seed of the order of training.

    Attributes
    ----------
    weights
        float32 (d + 1, classes).
    """

    def __init__(
        self, features: Features, rows: Rows, members: Rows, classes: int, seed: int
    ) -> None:
        self.weights = np.zeros((features.shape[1] + 1, classes), dtype=np.float32)
        self._features, self._rows, self._members = features, rows, members
        self._rng = np.random.default_rng(seed)
        self._mean, self._scale = _moments(features, rows)
        self._velocity = np.zeros_like(self.weights)
        self._rate = max(LEAST_RATE, RATE_PER_CLASS * classes)

    def inputs(self, rows: Rows) -> Floats:
        """Return the inputs of the layer for rows, ascending: float32 (b, d + 1)."""
        scaled = (read_rows(self._features, rows) - self._mean) * self._scale
        return np.concatenate([scaled, np.ones((len(rows), 1))], axis=1, dtype=np.float32)

    def epoch(self) -> Iterator[Step]:
        """Train on all images once, in random order."""
        order = self._rng.permutation(len(self._rows))
        for part in blocks(len(order), BATCH):
            batch = np.sort(order[part])
            inputs = self.inputs(self._rows[batch])
            logits = inputs @ self.weights
            error = softmax(logits)
            error[np.arange(len(batch)), self._members[batch]] -= 1
            yield Step(batch, inputs, logits, error)
            self._velocity *= MOMENTUM
            self._velocity -= self._rate * (inputs.T @ error / len(batch) + DECAY * self.weights)
            self.weights += self._velocity


def softmax(logits: Floats) -> Floats:
    """Return the probabilities (b, c) of classes."""
    powers: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def _moments(features: Features, rows: Rows) -> tuple[Doubles, float]:
    """Return the mean feature, and the factor that makes the mean squared distance to it 1."""
    total, squares = np.zeros(features.shape[1]), 0.0
    for part in blocks(len(rows), BLOCK_ROWS):
        block = read_rows(features, rows[part])
        total += block.sum(axis=0)
        squares += float(np.vecdot(block, block).sum())
    mean = total / len(rows)
    variance = squares / len(rows) - float(mean @ mean)
    return mean, 1 / np.sqrt(variance) if variance > 0 else 1.0
