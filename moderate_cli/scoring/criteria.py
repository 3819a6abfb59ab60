"""Criteria: ways to score images. Choices, help and docs are read from their entries.

Pure numpy: arrays in, arrays out. Each criterion takes features and labels. A higher score means a
harder or stranger image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from moderate_cli.arrays import Doubles, Features, Labels, Mask, Rows, blocks, copy_rows, oversized
from moderate_cli.errors import ArgumentError, check_choice, check_seed
from moderate_cli.literals import Center, Metric
from moderate_cli.literals import Criterion as CriterionName
from moderate_cli.scoring.centers import CENTERS, METRICS, center_distances
from moderate_cli.scoring.heads import aum, el2n, forgetting, grand
from moderate_cli.scoring.margins import held_out_margins
from moderate_cli.scoring.neighbors import disagreement
from moderate_cli.scoring.prototypes import prototype_distances
from moderate_cli.threads import in_threads, one_blas_thread

BLOCK_ROWS = 4096


class Task(NamedTuple):
    """The input of a criterion.

    Attributes
    ----------
    features
        (n, d) of any float type; may be memory-mapped.
    rows, members
        int64 (m,), rows to score, ascending, and the class of each, numbered from 0.
    center, metric
        Keys of `CENTERS` and `METRICS`.
    seed
        Random seed.
    recorded
        Returns scores that were recorded while a network was trained on the images: name ->
        float64 (n,), NaN where there is none.
    """

    features: Features
    rows: Rows
    members: Rows
    center: str
    metric: str
    seed: int
    recorded: Callable[[], Mapping[str, Doubles] | None] = lambda: None

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
    criterion: CriterionName = "center",
    center: Center = "mean",
    metric: Metric = "euclidean",
    seed: int = 0,
    readable: Mask | None = None,
) -> Doubles:
    """Score each image; by default by the distance of its feature to its class center.

    That is the score of Moderate Coreset, Section 3.2, Eq. 1.

    Parameters
    ----------
    features
        (n, d) of any float type.
    labels
        (n,) class of each row; any integers, gaps allowed.
    criterion
        A key of `CRITERIA`. Papers and formulas are in the modules of `moderate_cli.scoring`.
    center, metric
        Keys of `CENTERS` and `METRICS`; used by criteria that are `centered`.
    seed
        Random seed, of criteria that are `seeded`.
    readable
        bool (n,); False for rows to ignore, whose score is NaN.

    Returns
    -------
    float64 (n,)

    Raises
    ------
    ArgumentError
        If an argument is out of range, or a readable row is not finite.

    Examples
    --------
    >>> features = np.array([[0.0, 0.0], [2.0, 0.0], [7.0, 7.0]])
    >>> score_features(features, np.array([4, 4, 9]))
    array([1., 1., 0.])
    """
    for name, value, choices in (
        ("criterion", criterion, CRITERIA), ("center", center, CENTERS), ("metric", metric, METRICS)
    ):  # fmt: skip
        check_choice(name, value, choices)
    check_seed(seed)
    rows = check_labeled(features, labels, readable)
    return score_rows(features, labels, rows, criterion, center, metric, seed)


@one_blas_thread()
def score_rows(
    features: Features,
    labels: Labels,
    rows: Rows,
    criterion: str,
    center: str,
    metric: str,
    seed: int,
    recorded: Callable[[], Mapping[str, Doubles] | None] = lambda: None,
) -> Doubles:
    """Score as `score_features`, but without reading all features to check them: float64 (n,).

    `recorded` is that of `Task`.
    """
    values = np.full(len(labels), np.nan)
    if len(rows):
        _, members = np.unique(labels[rows], return_inverse=True)
        check_compared(criterion, members)
        task = Task(features, rows, members, center, metric, seed, recorded)
        values[rows] = CRITERIA[criterion].function(task)
    return values


def check_labeled(features: Features, labels: Labels, readable: Mask | None = None) -> Rows:
    """Refuse features and labels that do not match, or cannot be computed with.

    Returns
    -------
    int64 (m,), the readable rows.

    Raises
    ------
    ArgumentError
        With the first row that is not finite.
    """
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu":
        given = labels.dtype if isinstance(labels, np.ndarray) else type(labels).__name__
        raise ArgumentError(f"labels: are {given}; an array of integers (n,) is needed")
    if why := oversized(labels):
        raise ArgumentError(f"labels: {why}")
    if not isinstance(features, np.ndarray) or features.dtype.kind != "f":
        kind = features.dtype if isinstance(features, np.ndarray) else type(features).__name__
        raise ArgumentError(f"features: are {kind}; an array of floats (n, d) is needed")
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ArgumentError(f"features {features.shape} and labels {labels.shape} do not match")
    if not features.shape[1]:
        raise ArgumentError("features: have no columns")
    if readable is not None and (readable.shape != labels.shape or readable.dtype != np.bool_):
        raise ArgumentError(f"readable: is not a mask of booleans for {len(labels)} rows")
    rows = np.arange(len(labels)) if readable is None else np.flatnonzero(readable)

    def bad_in(part: slice) -> Rows:
        finite = np.isfinite(copy_rows(features, rows[part], features.dtype)).all(axis=1)
        return rows[part][~finite]

    for bad in in_threads(bad_in, blocks(len(rows), BLOCK_ROWS)):
        if len(bad):
            raise ArgumentError(
                f"features: row {bad[0]} is not finite; set it to False in `readable` to leave it"
                " out"
            )
    return rows


def check_compared(criterion: str, labels: Labels) -> None:
    """Refuse labels, (n,), of a single class for a criterion that compares classes.

    Raises
    ------
    ArgumentError
        With the criterion.
    """
    if CRITERIA[criterion].compares and np.all(labels == labels[0]):
        raise ArgumentError(
            f"criterion {criterion} compares classes, and there is only one; choose another"
        )


def _center(task: Task) -> Doubles:
    scores = np.empty(len(task.rows))
    distances = center_distances(task.features, task.classes, task.center, task.metric)
    for group, values in zip(task.groups, distances, strict=True):
        scores[group] = values
    return scores


def _prototypes(task: Task) -> Doubles:
    return prototype_distances(task.features, task.rows, int(task.members.max()) + 1, task.seed)


def _recorded(name: str) -> Callable[[Task], Doubles]:
    """Return what looks up a score of the training of a network."""

    def look_up(task: Task) -> Doubles:
        every = task.recorded()
        if every is None:
            raise ArgumentError(
                f"criterion fitted-{name} needs the features of a network that `moderate"
                " fit` trained on these images"
            )
        scores = every[name][task.rows]
        unknown = int(np.count_nonzero(np.isnan(scores)))
        if unknown:
            raise ArgumentError(
                f"criterion fitted-{name}: the network was not trained on {unknown} of"
                f" {len(scores)} images with their current labels; run `moderate fit`"
            )
        return scores

    return look_up


class Criterion(NamedTuple):
    """One way to score images.

    Attributes
    ----------
    name
        Its name, as `--criterion` takes it.
    measures
        The score in a few words, for docs.
    source
        Its paper; "" if there is none.
    function
        Scores the rows of a task: float64 (m,), higher for harder images.
    compares
        Whether it compares classes, so that it needs two.
    centered
        Whether `center` and `metric` change it.
    seeded
        Whether `seed` changes it.
    fitted
        Whether it is of the training of `moderate fit`, and needs its features.
    """

    name: str
    measures: str
    source: str
    function: Callable[[Task], Doubles]
    compares: bool = False
    centered: bool = False
    seeded: bool = False
    fitted: bool = False


_ENTRIES = (
    Criterion(
        "center",
        "distance to the class center",
        "Xia et al., ICLR 2023",
        _center,
        centered=True,
    ),
    Criterion(
        "margin",
        "by how much a linear (ridge) probe that did not see the image prefers another class;"
        " negative if it prefers the label",
        "",
        lambda task: held_out_margins(task.features, task.rows, task.members),
        compares=True,
    ),
    Criterion(
        "neighbors",
        "fraction of the ten nearest neighbors, by cosine, that have another label",
        "",
        lambda task: disagreement(task.features, task.rows, task.members),
    ),
    Criterion(
        "el2n",
        "error of a linear probe that did not see the image, early in its training",
        "Paul et al., NeurIPS 2021",
        lambda task: el2n(task.features, task.rows, task.members, task.seed),
        seeded=True,
    ),
    Criterion(
        "grand",
        "gradient norm of the image for a linear probe that did not see it, early in its training",
        "Paul et al., NeurIPS 2021",
        lambda task: grand(task.features, task.rows, task.members, task.seed),
        seeded=True,
    ),
    Criterion(
        "forgetting",
        "how often a linear probe that did not see the image turns from right to wrong in its"
        " training",
        "Toneva et al., ICLR 2019",
        lambda task: forgetting(task.features, task.rows, task.members, task.seed),
        seeded=True,
    ),
    Criterion(
        "aum",
        "by how much a linear probe that did not see the image prefers another class, averaged over"
        " its training",
        "Pleiss et al., NeurIPS 2020",
        lambda task: aum(task.features, task.rows, task.members, task.seed),
        compares=True,
        seeded=True,
    ),
    Criterion(
        "prototypes",
        "cosine distance to the nearest k-means center, with as many centers as classes; ignores"
        " labels",
        "Sorscher et al., NeurIPS 2022",
        _prototypes,
        seeded=True,
    ),
    Criterion(
        "fitted-el2n",
        "error of the network of `moderate fit`, early in its training",
        "Paul et al., NeurIPS 2021",
        _recorded("el2n"),
        fitted=True,
    ),
    Criterion(
        "fitted-grand",
        "gradient norm of the image for the last layer of that network, early in its training",
        "Paul et al., NeurIPS 2021",
        _recorded("grand"),
        fitted=True,
    ),
    Criterion(
        "fitted-forgetting",
        "how often that network turns from right to wrong in its training",
        "Toneva et al., ICLR 2019",
        _recorded("forgetting"),
        fitted=True,
    ),
    Criterion(
        "fitted-aum",
        "by how much that network prefers another class, averaged over its training",
        "Pleiss et al., NeurIPS 2020",
        _recorded("aum"),
        fitted=True,
    ),
)
CRITERIA = {entry.name: entry for entry in _ENTRIES}


def of_features() -> list[str]:
    """Return the names of criteria that need features alone."""
    return [name for name, entry in CRITERIA.items() if not entry.fitted]
