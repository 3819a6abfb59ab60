"""Scores of four images, one of which cannot be read."""

import numpy as np

from moderate_cli.scoring import Scores

SCORES = Scores(
    np.array([0.5, np.nan, 1.25, 1 / 3]),
    np.array([0, 0, 1, 1]),
    ("cat", "dog"),
    ("cat/1.jpg", "cat/2.jpg", "dog/a,b.jpg", "dog/\udcff.jpg"),
)
KEPT = np.array([True, False, False, True])
