"""The linear probe: a regularized linear head on frozen features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from moderate_cli.arrays import Doubles, Features, Rows, blocks, read_rows

BLOCK_ROWS = 4096
STRENGTHS = 10.0 ** np.arange(-5, 0.5, 0.5)  # of the penalty, over that of the mean squared norm
SMALLEST = 1e-290  # a smaller number may have an infinite inverse


class Probe:
    """Ridge regression on one-hot labels; the class of the highest output is predicted.

    The penalty is the one of `STRENGTHS` with the best leave-one-out accuracy. For ridge
    regression, leave-one-out predictions follow from a single fit (Hastie, Tibshirani and
    Friedman, 2009, Eq. 7.64).

    Parameters
    ----------
    features
        (n, d) of any float type; may be memory-mapped.
    rows, members
        int64 (m,), rows to fit, ascending, and the class of each, numbered from 0.
    classes
        Number of classes.
    """

    def __init__(self, features: Features, rows: Rows, members: Rows, classes: int) -> None:
        self._mean = _sum(features, rows) / len(rows)
        self._base = np.bincount(members, minlength=classes) / len(rows)
        targets = np.eye(classes)[members] - self._base
        if len(rows) <= features.shape[1]:
            weights = self._fit_few(features, rows, members, targets)
        else:
            weights = self._fit_many(features, rows, members, targets)
        self._weights: Doubles = weights

    def predict(self, features: Features, rows: Rows) -> Rows:
        """Class of each row, int64 (m,), numbered from 0."""
        found = [
            (block @ self._weights + self._base).argmax(axis=1)
            for _, block in self._centered(features, rows)
        ]
        return np.concatenate(found)

    def _fit_few(self, features: Features, rows: Rows, members: Rows, targets: Doubles) -> Doubles:
        """Fit by the matrix of products of images, (m, m)."""
        points = np.concatenate([block for _, block in self._centered(features, rows)])
        values, vectors = np.linalg.eigh(points @ points.T)
        values = values.clip(min=0)
        turned = vectors.T @ targets
        strengths = STRENGTHS * _scale(values)
        right = [
            _right(
                vectors @ (turned * (values / (values + strength))[:, None]),
                (vectors**2) @ (values / (values + strength)) + 1 / len(rows),
                targets,
                members,
                self._base,
            )
            for strength in strengths
        ]
        best = strengths[_strongest(right)]
        weights: Doubles = points.T @ (vectors @ (turned / (values + best)[:, None]))
        return weights

    def _fit_many(self, features: Features, rows: Rows, members: Rows, targets: Doubles) -> Doubles:
        """Fit by the matrix of products of coordinates, (d, d), in two passes over the images."""
        d = features.shape[1]
        gram, moment = np.zeros((d, d)), np.zeros((d, targets.shape[1]))
        for part, block in self._centered(features, rows):
            gram += block.T @ block
            moment += block.T @ targets[part]
        values, vectors = np.linalg.eigh(gram)
        values = values.clip(min=0)
        turned = vectors.T @ moment
        strengths = STRENGTHS * _scale(values)
        right = np.zeros(len(strengths))
        for part, block in self._centered(features, rows):
            along = block @ vectors
            for number, strength in enumerate(strengths):
                right[number] += _right(
                    along @ (turned / (values + strength)[:, None]),
                    (along**2) @ (1 / (values + strength)) + 1 / len(rows),
                    targets[part],
                    members[part],
                    self._base,
                )
        best = strengths[_strongest(right.tolist())]
        weights: Doubles = vectors @ (turned / (values + best)[:, None])
        return weights

    def _centered(self, features: Features, rows: Rows) -> Iterator[tuple[slice, Doubles]]:
        for part in blocks(len(rows), BLOCK_ROWS):
            yield part, read_rows(features, rows[part]) - self._mean


def _sum(features: Features, rows: Rows) -> Doubles:
    total = np.zeros(features.shape[1])
    for part in blocks(len(rows), BLOCK_ROWS):
        total += read_rows(features, rows[part]).sum(axis=0)
    return total


def _scale(values: Doubles) -> float:
    """Mean squared norm; 1 where all images coincide, for there any number gives the same head."""
    scale = float(values.mean())
    return scale if scale > SMALLEST else 1.0


def _right(
    fitted: Doubles, leverage: Doubles, targets: Doubles, members: Rows, base: Doubles
) -> int:
    """Count the images that a head fitted without them predicts correctly."""
    residuals = (targets - fitted) / (1 - leverage).clip(min=1e-12)[:, None]
    return int(np.count_nonzero((targets - residuals + base).argmax(axis=1) == members))


def _strongest(right: Sequence[float]) -> int:
    """Return the position of the highest count; of equal ones, the strongest penalty."""
    return len(right) - 1 - int(np.argmax(right[::-1]))
