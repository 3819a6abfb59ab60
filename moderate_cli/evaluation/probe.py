"""The linear probe: a regularized linear probe on frozen features."""

from __future__ import annotations

import numpy as np

from moderate_cli.arrays import Features, Rows, blocks
from moderate_cli.scoring.ridge import BLOCK_ROWS, Ridge

STRENGTHS = tuple((10.0 ** np.arange(-5, 0.5, 0.5)).tolist())


class Probe:
    """Ridge regression on one-hot labels; the class of the highest output is predicted.

    The penalty is the one of `STRENGTHS` with the best leave-one-out accuracy.

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
        self._ridge = Ridge(features, rows, members, classes, STRENGTHS)

    def predict(self, features: Features, rows: Rows) -> Rows:
        """Class of each row, int64 (m,), numbered from 0."""
        found = [
            self._ridge.outputs(features, rows[part]).argmax(axis=1)
            for part in blocks(len(rows), BLOCK_ROWS)
        ]
        return np.concatenate(found)
