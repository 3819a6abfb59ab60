"""Scores: a number for each image that says how it stands in its class.

Pure numpy: arrays in, arrays out. Each criterion takes features and labels; the higher its score,
the harder, or the stranger, is the image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Features, Labels, Mask, Rows
from moderate_cli.errors import ArgumentError
from moderate_cli.scoring.centers import CENTERS, METRICS, center_distances, geometric_median
from moderate_cli.scoring.heads import aum, el2n, forgetting, grand
from moderate_cli.scoring.margins import margins
from moderate_cli.scoring.neighbors import disagreement
from moderate_cli.scoring.prototypes import prototype_distances

__all__ = ["CENTERS", "CRITERIA", "METRICS", "SEEDED", "Scores", "check_compared",
           "geometric_median", "score_features"]  # fmt: skip


ROWS_AT_ONCE = 1 << 16  # whose names are made at a time: a number in Python takes 40 bytes


@dataclass(frozen=True)
class Scores:
    """A score for each image, in row order.

    Attributes
    ----------
    values
        float64 (n,); NaN marks an image that cannot be read, which is never kept.
    labels
        int64 (n,), the class index of each image.
    classes
        Class names by index; empty if the scores come from plain arrays.
    paths
        Path of each image relative to the dataset; empty if the scores come from plain arrays.
    criterion
        A key of `CRITERIA`, what was scored; empty if that is not known.
    """

    values: Doubles
    labels: npt.NDArray[np.int64]
    classes: Sequence[str] = ()
    paths: Sequence[str] = ()
    criterion: str = ""

    def __len__(self) -> int:
        return len(self.values)

    def names(self, rows: Rows) -> Iterator[str]:
        """Yield paths of images, or their row numbers where there are no paths."""
        for start in range(0, len(rows), ROWS_AT_ONCE):
            numbers = rows[start : start + ROWS_AT_ONCE].tolist()
            yield from (self.paths[row] for row in numbers) if self.paths else map(str, numbers)

    def class_name(self, label: int) -> str:
        """The name of a class, or its index where there are no names."""
        return self.classes[label] if self.classes else str(label)


class Task(NamedTuple):
    """What a criterion is given.

    Attributes
    ----------
    features
        (n, d) of any float type; may be memory-mapped.
    rows, members
        int64 (m,), rows to score, ascending, and the class of each, numbered from 0.
    center, metric
        Keys of `CENTERS` and `METRICS`.
    seed
        For what is drawn at random.
    """

    features: Features
    rows: Rows
    members: Rows
    center: str
    metric: str
    seed: int

    @property
    def classes(self) -> list[Rows]:
        """Rows of each class, ascending."""
        return [self.rows[group] for group in self.groups]

    @property
    def groups(self) -> list[Rows]:
        """Positions in `rows` of each class, ascending."""
        order = np.argsort(self.members, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(self.members[order])) + 1)


def score_features(
    features: Features,
    labels: Labels,
    *,
    criterion: str = "center",
    center: str = "mean",
    metric: str = "euclidean",
    seed: int = 0,
    readable: Mask | None = None,
) -> Doubles:
    """Score each image; by default with the distance of its feature to its class center.

    That is the score of Moderate Coreset, Section 3.2, Eq. 1.

    Parameters
    ----------
    features
        (n, d) of any float type.
    labels
        (n,) class of each row; any integers, gaps allowed.
    criterion
        A key of `CRITERIA`: "center"; "margin", distance to the own center minus that to the
        nearest other; "neighbors", share of nearest neighbors of other labels; "el2n", "grand",
        "forgetting" and "aum", from training a linear head; "prototypes", distance to the nearest
        of as many k-means centers as there are classes. Papers and formulas stand in the modules
        of `moderate_cli.scoring`.
    center, metric
        Keys of `CENTERS` and `METRICS`, for "center" and "margin".
    seed
        For those in `SEEDED`.
    readable
        bool (n,); rows that are False belong to no class and score NaN.

    Returns
    -------
    float64 (n,)

    Raises
    ------
    ArgumentError
        If an argument is out of range.

    Examples
    --------
    >>> features = np.array([[0.0, 0.0], [2.0, 0.0], [7.0, 7.0]])
    >>> score_features(features, np.array([4, 4, 9]))
    array([1., 1., 0.])
    """
    for name, value, choices in (
        ("criterion", criterion, CRITERIA), ("center", center, CENTERS), ("metric", metric, METRICS)
    ):  # fmt: skip
        if value not in choices:
            raise ArgumentError(f"{name}: {value!r} is none of {', '.join(choices)}")
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ArgumentError(f"features {features.shape} and labels {labels.shape} do not match")
    values = np.full(len(labels), np.nan)
    rows = np.arange(len(labels)) if readable is None else np.flatnonzero(readable)
    if len(rows):
        _, members = np.unique(labels[rows], return_inverse=True)
        check_compared(criterion, members)
        task = Task(features, rows, members, center, metric, seed)
        values[rows] = CRITERIA[criterion](task)
    return values


def check_compared(criterion: str, labels: Labels) -> None:
    """Refuse labels, (n,), of one class for a criterion that compares two.

    Raises
    ------
    ArgumentError
        As of `score_features`.
    """
    if criterion in COMPARING and np.all(labels == labels[0]):
        raise ArgumentError(f"criterion {criterion}: there is one class only; it compares two")


def _center(task: Task) -> Doubles:
    scores = np.empty(len(task.rows))
    distances = center_distances(task.features, task.classes, task.center, task.metric)
    for group, values in zip(task.groups, distances, strict=True):
        scores[group] = values
    return scores


def _margin(task: Task) -> Doubles:
    return margins(task.features, task.rows, task.classes, task.members, task.center, task.metric)


def _prototypes(task: Task) -> Doubles:
    return prototype_distances(task.features, task.rows, int(task.members.max()) + 1, task.seed)


CRITERIA: dict[str, Callable[[Task], Doubles]] = {
    "center": _center,
    "margin": _margin,
    "neighbors": lambda task: disagreement(task.features, task.rows, task.members),
    "el2n": lambda task: el2n(task.features, task.rows, task.members, task.seed),
    "grand": lambda task: grand(task.features, task.rows, task.members, task.seed),
    "forgetting": lambda task: forgetting(task.features, task.rows, task.members, task.seed),
    "aum": lambda task: aum(task.features, task.rows, task.members, task.seed),
    "prototypes": _prototypes,
}
COMPARING = ("margin", "aum")
SEEDED = ("el2n", "grand", "forgetting", "aum", "prototypes")
