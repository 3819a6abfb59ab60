"""A softmax classifier on features: the last layer of a network with a frozen backbone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TypeVar

import numpy as np

from moderate_cli.arrays import Doubles, Features, Floats, Rows, blocks, copy_rows, read_rows
from moderate_cli.threads import in_threads

BATCH = 256
BLOCK_ROWS = 4096
HELD_NUMBERS = 1 << 28  # 1 GiB
# The more classes, the fewer images of each in a step; so the rate grows with their number.
RATE_PER_CLASS, LEAST_RATE = 0.1, 1.0
MOMENTUM, DECAY = 0.9, 1e-4

Real = TypeVar("Real", Floats, Doubles)


class Inputs:
    """Features, centered and scaled to a mean squared length of 1, and a column of ones.

    They are kept in memory if they fit into `HELD_NUMBERS`, because each is needed in each epoch.

    Parameters
    ----------
    features
        (n, d) of any float type; may be memory-mapped.
    rows
        int64 (m,), the rows that determine center and scale, ascending.
    """

    def __init__(self, features: Features, rows: Rows) -> None:
        self._features, self._rows = features, rows
        self._mean, self._scale = moments(features, rows)
        self._held: Floats | None = None
        if len(rows) * (features.shape[1] + 1) <= HELD_NUMBERS:
            self._held = np.empty((len(rows), features.shape[1] + 1), dtype=np.float32)
            deque(in_threads(self._hold, blocks(len(rows), BLOCK_ROWS)), maxlen=0)

    def __call__(self, positions: Rows) -> Floats:
        """Return the inputs for some of the rows, ascending: float32 (b, d + 1)."""
        if self._held is not None:
            return self._held[positions]
        return self._read(self._rows[positions])

    def _hold(self, part: slice) -> None:
        assert self._held is not None
        self._held[part] = self._read(self._rows[part])

    def _read(self, rows: Rows) -> Floats:
        points = copy_rows(self._features, rows)
        found = np.ones((len(rows), points.shape[1] + 1), dtype=np.float32)
        points -= self._mean.astype(points.dtype)
        np.multiply(points, self._scale, out=found[:, :-1], casting="same_kind")
        return found


class SoftmaxLayer:
    """The weights of a linear layer, float32 (inputs, classes), and how they are trained."""

    def __init__(self, inputs: int, classes: int) -> None:
        self.weights: Floats = np.zeros((inputs, classes), dtype=np.float32)
        self._velocity = np.zeros_like(self.weights)
        self._rate = np.float32(learning_rate(classes))

    def learn(self, inputs: Floats, logits: Floats, members: Rows) -> None:
        """Take a step for inputs (b, inputs), their logits (b, classes) and classes (b,)."""
        gradient = inputs.T @ errors(logits, members)
        gradient *= self._rate / np.float32(len(members))
        self._velocity *= np.float32(MOMENTUM)
        self._velocity -= gradient
        self._velocity -= self._rate * np.float32(DECAY) * self.weights
        self.weights += self._velocity


def learning_rate(classes: int) -> float:
    """Return the learning rate of a layer for a number of classes."""
    return max(LEAST_RATE, RATE_PER_CLASS * classes)


def random_batches(n: int, size: int, rng: np.random.Generator) -> Iterator[Rows]:
    """Yield all positions once, in random batches, each ascending."""
    order = rng.permutation(n)
    for part in blocks(n, size):
        yield np.sort(order[part])


def errors(logits: Floats, members: Rows) -> Floats:
    """Return predicted probabilities minus those of the labels (b,): float32 (b, c)."""
    found = softmax(logits)
    found[np.arange(len(members)), members] -= 1
    return found


def softmax(logits: Real) -> Real:
    """Return the probabilities (b, c) of classes."""
    powers: Real = np.exp(logits - logits.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def moments(features: Features, rows: Rows) -> tuple[Doubles, float]:
    """Return the mean feature, and the factor that makes the mean squared distance to it 1."""

    def of_block(part: slice) -> tuple[Doubles, float]:
        block = read_rows(features, rows[part])
        return block.sum(axis=0), float(np.vecdot(block, block).sum())

    total, squares = np.zeros(features.shape[1]), 0.0
    for own, square in in_threads(of_block, blocks(len(rows), BLOCK_ROWS)):
        total += own
        squares += square
    mean = total / len(rows)
    variance = squares / len(rows) - float(mean @ mean)
    return mean, float(1 / np.sqrt(variance)) if variance > 0 else 1.0
