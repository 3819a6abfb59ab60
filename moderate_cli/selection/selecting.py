"""Scores and features -> a mask of the images to keep.

Pure numpy. Each strategy keeps exactly k images, breaks ties by row, and depends only on its
arguments.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Counts, Features, Mask, Rows, Values, classes_in, release
from moderate_cli.errors import ArgumentError
from moderate_cli.literals import Balance, Criterion, Scope, StrategyName
from moderate_cli.scoring.scores import Scores
from moderate_cli.selection.adaptive import surest, surest_share
from moderate_cli.selection.choice import Choice
from moderate_cli.selection.floors import raise_to_floors
from moderate_cli.selection.picking import pick_from_class
from moderate_cli.selection.pool import Pool, pool_of, rest_of
from moderate_cli.selection.strategies import Order, Pick, Strategy, Window
from moderate_cli.selection.windows import MEDIAN, class_windows, global_window
from moderate_cli.threads import in_threads, one_blas_thread, threads_for

PASSES = 32  # over the features of a class before the first pick
TASK_ROWS = 2048  # images whose classes are selected from in one thread, after each other


def select_scores(
    scores: Scores | npt.ArrayLike,
    labels: npt.ArrayLike | None = None,
    *,
    ratio: float | str | Fraction | None = None,
    count: int | None = None,
    strategy: StrategyName = "moderate",
    scope: Scope = "class",
    quantile: float | str | Fraction = MEDIAN,
    balance: Balance = "proportional",
    min_per_class: int = 1,
    features: npt.NDArray[np.floating[Any]] | None = None,
    criterion: Criterion | None = None,
    noise_rate: float = 0.0,
    seed: int = 0,
) -> Mask:
    """Choose images by their scores; by default those around the median score of each class.

    With scope "global", that is the window of Moderate Coreset, Section 3.2, Eq. 2.

    Parameters
    ----------
    scores
        `Scores`, or an array (n,) of any criterion. An image with a NaN score is never kept and
        not counted in n.
    labels
        (n,) class of each image, if `scores` is a plain array; None: all are in one class.
    ratio, count
        Amount to keep, one of the two: a fraction of n in (0, 1], or a number in [1, n].
    strategy
        A key of `STRATEGIES`.
    scope
        "class": a share per class. "global": select from all images together, which strategies
        that compare features cannot, and which needs the balance "proportional".
    quantile
        Position of the window of "moderate" in [0, 1]: 0.5 around the median, 0 the lowest scores,
        1 the highest.
    balance
        A key of `BALANCES`: the shares of classes are in proportion to their sizes
        ("proportional"), to the square roots of the sizes ("sqrt"), or equal ("uniform").
    min_per_class
        Minimum number of images kept per class, or all if a class has fewer; 0 for no minimum. It
        is reduced if the number to keep does not suffice. With scope "global", the least preferred
        images are given up for it.
    features
        (n, d) of any float type, for strategies that compare features; may be memory-mapped.
    criterion
        Criterion of the scores, if `scores` does not have it. A strategy with a criterion of its
        own refuses scores of another one, unless that is named here.
    noise_rate
        Estimated share of wrong labels, in [0, 1], for "adaptive": `find_suspects(...).noise_rate`.
    seed
        Random seed of "random" and "stratified".

    Returns
    -------
    bool (n,)
        Exactly `kept_count(n, ratio, count)` entries are True.

    Raises
    ------
    ArgumentError
        If an argument is out of range, or the strategy needs scores of another criterion.

    Examples
    --------
    >>> select_scores(np.array([0.1, 0.9, 0.5, 0.4, 0.6]), ratio=0.6)
    array([False, False,  True,  True,  True])
    >>> select_scores(np.array([0.1, 0.9, 0.5, 0.4, 0.6]), ratio=0.6, strategy="two-ends")
    array([ True,  True, False, False,  True])
    """
    values, labels = _values_and_labels(scores, labels)
    asked = Choice(
        ratio, count, strategy, criterion, scope=scope, quantile=quantile, balance=balance,
        min_per_class=min_per_class, seed=seed,
    )  # fmt: skip
    if criterion is None:
        _check_criterion(asked.entry, scores.criterion if isinstance(scores, Scores) else "")
    if asked.entry.within_classes:
        _check_features(strategy, features, len(values))
    if not 0 <= noise_rate <= 1:
        raise ArgumentError(f"noise_rate: {noise_rate} is not in [0, 1]")
    return choose_from(asked, values, labels, features, noise_rate)


@one_blas_thread()
def choose_from(
    asked: Choice,
    values: Values,
    labels: Values,
    features: Features | None = None,
    noise_rate: float = 0.0,
    fixed: Mask | None = None,
) -> Mask:
    """Select as `select_scores`, but without checking arguments: bool (n,).

    `fixed`, bool (n,), are images with a score that are kept in any case, at most as many as are
    kept at all; the strategy selects the others.
    """
    pool = pool_of(asked, values, labels)
    right = float(np.mean(pool.values < 0))  # of the margin: where the head predicts the label
    if fixed is None:
        fixed = np.zeros(len(labels), dtype=np.bool_)
    rest, shares = rest_of(pool, fixed[pool.rows], asked.balance)
    if not rest.k:
        return fixed.copy()
    if asked.within_classes:
        inside = _by_class(asked, rest, shares, features, (right, noise_rate))
    else:
        inside = _globally(asked, rest)
    return _mask(rest.rows[inside], len(labels)) | fixed


def _globally(asked: Choice, pool: Pool) -> Mask:
    """Select from all images together."""
    _, values, members, _, floors, k = pool
    function = asked.entry.function
    if isinstance(function, Window):
        return global_window(values, members, k, floors, _quantile(asked, function))
    assert isinstance(function, Order)
    order = function.function(values, k, np.random.default_rng(asked.seed))
    return raise_to_floors(_mask(order[:k], len(values)), members, floors, order)


def _by_class(
    asked: Choice,
    pool: Pool,
    shares: Counts,
    features: Features | None,
    known: tuple[float, float],
) -> Mask:
    """Select a share per class; `known` are the accuracy of the head and the label noise."""
    rows, values, members, sizes, _, _ = pool
    function = asked.entry.function
    if isinstance(function, Window):
        return class_windows(values, members, shares, sizes, _quantile(asked, function))
    groups = np.split(np.argsort(members, kind="stable"), np.cumsum(sizes)[:-1])

    def select_from(number: int) -> Rows:
        own, share = groups[number], int(shares[number])
        if asked.entry.adapts:
            own = own[surest(values[own], share, surest_share(share, *known))]
        if isinstance(function, Order):
            rng = np.random.default_rng((asked.seed, number))
            return own[function.function(values[own], share, rng)[:share]]
        assert features is not None
        return own[pick_from_class(function, features, rows[own], values[own], share)]

    def select_from_each(numbers: Rows) -> Rows:
        kept = np.concatenate([select_from(number) for number in numbers.tolist()])
        if features is not None:
            release(features)
        return kept

    some = np.flatnonzero(shares)  # in tasks of small classes together
    tasks = np.split(some, np.flatnonzero(np.diff(np.cumsum(sizes[some]) // TASK_ROWS)) + 1)
    d = 1 if features is None else features.shape[1]
    # Each pick is a pass over the features, unless products of all pairs are computed.
    passes = sizes if isinstance(function, Pick) else shares
    multiplications, calls = d * float(sizes @ (passes + PASSES)), float((shares + PASSES).sum())
    kept = in_threads(select_from_each, tasks, most=threads_for(multiplications, calls))
    return _mask(np.concatenate(list(kept)), len(values))


def _quantile(asked: Choice, window: Window) -> Fraction:
    return asked.window_quantile if window.quantile is None else window.quantile


def emptied_classes(scores: Scores, mask: Mask) -> list[int]:
    """Return the classes with readable images, but none in the mask."""
    present = classes_in(scores.labels[~np.isnan(scores.values)])
    kept = set(classes_in(scores.labels[mask]).tolist())
    return [label for label in present.tolist() if label not in kept]


def _check_criterion(entry: Strategy, criterion: str) -> None:
    """Refuse scores with which a strategy would silently select other images than `select`."""
    if entry.criterion in ("center", criterion):  # with "center", the strategy takes any
        return
    these = f"are of {criterion!r}" if criterion else "have no criterion"
    own = f"criterion={entry.criterion!r}"
    known = "" if criterion else f", or pass {own} if they are of it"
    raise ArgumentError(
        f"strategy: {entry.name} needs scores of criterion {entry.criterion!r}, but these {these};"
        f" use score(..., {own}){known}"
    )


def _check_features(strategy: str, features: Features | None, n: int) -> None:
    if features is None:
        raise ArgumentError(f"strategy: {strategy} needs features=, an array (n, d)")
    if not isinstance(features, np.ndarray):
        raise ArgumentError(
            "features: are not an array (n, d); pass, for example, embed(...).features"
        )
    if features.ndim != 2 or len(features) != n:
        raise ArgumentError(f"features {features.shape} and scores ({n},) do not match")


def _values_and_labels(
    scores: Scores | npt.ArrayLike, labels: npt.ArrayLike | None
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    if isinstance(scores, Scores):
        return scores.values, scores.labels
    values = np.asarray(scores)
    classes = np.zeros(len(values), dtype=np.int64) if labels is None else np.asarray(labels)
    if values.ndim != 1 or classes.shape != values.shape:
        raise ArgumentError(f"scores {values.shape} and labels {classes.shape} do not match")
    if values.dtype.kind not in "fiu":
        raise ArgumentError(f"scores: are {values.dtype}; pass numbers")
    if classes.dtype.kind not in "iu":
        raise ArgumentError(f"labels: are {classes.dtype}; pass integers, one per class")
    return values, classes


def _mask(rows: Rows, n: int) -> Mask:
    mask = np.zeros(n, dtype=np.bool_)
    mask[rows] = True
    return mask
