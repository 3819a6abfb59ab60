"""Selection: which images to keep, given their scores, their features, or both.

Pure numpy. Each strategy keeps exactly k images, breaks ties by row, and depends on nothing but
its arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Counts, Mask, Points, Values, read_rows
from moderate_cli.errors import ArgumentError
from moderate_cli.scoring import Scores
from moderate_cli.selection.counts import BALANCES, exact, kept_count, members_of, quotas, written
from moderate_cli.selection.coverage import facility_location, k_center
from moderate_cli.selection.floors import attainable, raise_to_floors
from moderate_cli.selection.graph import graph
from moderate_cli.selection.matching import herding, matching
from moderate_cli.selection.sampling import random, stratified, two_ends
from moderate_cli.selection.trimming import least, trim
from moderate_cli.selection.windows import MEDIAN, class_windows, global_window

__all__ = [
    "BALANCES",
    "MEDIAN",
    "PICKS",
    "SCOPES",
    "STRATEGIES",
    "emptied_classes",
    "exact",
    "kept_count",
    "preparation_for",
    "quotas",
    "select",
    "written",
]


SCOPES = ("global", "class")

# Where the window of scores sits; None is for the user to say.
WINDOWS: dict[str, Fraction | None] = {
    "moderate": None,
    "easy": Fraction(0),
    "hard": Fraction(1),
}
# Scores of a group, number to keep, random numbers -> all of the group, the most wanted first.
ORDERS: dict[str, Callable[[Values, int, np.random.Generator], Counts]] = {
    "two-ends": two_ends,
    "random": random,
    "stratified": stratified,
}
# Features of a class, number to keep, scores -> what is kept.
PICKS: dict[str, Callable[[Points, int, Values], Counts]] = {
    "trimmed": lambda points, k, _: matching(points, k),
    "matching": lambda points, k, _: matching(points, k),
    "herding": lambda points, k, _: herding(points, k),
    "k-center": lambda points, k, _: k_center(points, k),
    "facility-location": lambda points, k, _: facility_location(points, k),
    "graph": graph,
}
STRATEGIES = (*WINDOWS, *ORDERS, *PICKS)


class Preparation(NamedTuple):
    """What a strategy wants to be done before it, unless the user says otherwise.

    Attributes
    ----------
    criterion
        A key of `moderate_cli.scoring.CRITERIA`.
    drop_suspects
        Whether images with a probably wrong label are left out first: "" or "auto".
    """

    criterion: str = "center"
    drop_suspects: str = ""


# What leaves out easy images is left with the wrong labels, unless these are left out first.
PREPARATIONS = {"trimmed": Preparation("margin", "auto")}

# Larger classes are picked from in parts: the matrices of all pairs grow with the square.
PART_ROWS = 4096


def select(
    scores: Scores | npt.ArrayLike,
    labels: npt.ArrayLike | None = None,
    *,
    ratio: float | str | Fraction | None = None,
    count: int | None = None,
    strategy: str = "moderate",
    scope: str | None = None,
    quantile: float | str | Fraction = MEDIAN,
    balance: str = "proportional",
    min_per_class: int = 1,
    features: npt.NDArray[np.floating[Any]] | None = None,
    criterion: str | None = None,
    seed: int = 0,
) -> Mask:
    """Keep some images; by default those whose score lies around the median.

    That is the window of Moderate Coreset, Section 3.2, Eq. 2.

    Parameters
    ----------
    scores
        `Scores`, or an array (n,) from any criterion. An image with a NaN score is never kept
        and not counted in n.
    labels
        (n,) class of each image, if `scores` is a plain array; without it all are one class.
    ratio, count
        How much to keep, one of the two: a fraction of n in (0, 1], or a number in [1, n].
    strategy
        One of `STRATEGIES`. "moderate", "easy" and "hard" are windows of scores, around the
        quantile, at the lowest and at the highest ones; "two-ends", "random" and "stratified" are
        described in `moderate_cli.selection.sampling`; the others, in the modules `matching`,
        `coverage` and `graph` beside it, work on features. "trimmed" is "matching" on what
        `moderate_cli.selection.trimming` leaves; it works on scores of the criterion "margin", NaN
        for suspects, which the command line leaves out by itself, and this function does not.
    scope
        "global": from all images at once. "class": from each class its share. None is "class"
        for strategies that work on features, and where `balance` is not "proportional", which
        know no other, and "global" for the rest.
    quantile
        Where the window of "moderate" sits, in [0, 1]: 0.5 around the median, 0 the lowest
        scores, 1 the highest.
    balance
        A key of `BALANCES`, what the shares of classes are in proportion to: "proportional" to
        their sizes, to the square roots of them ("sqrt"), or "uniform".
    min_per_class
        Every class keeps at least this many images, or all where it has fewer; so many for all as
        the number kept allows; what spans all classes gives up its least wanted images for them. 0
        leaves it as it is.
    features
        (n, d) of any float type, for the strategies that work on them; may be memory-mapped.
    criterion
        What scores measure, where `scores` does not say so; "trimmed" asks. To name another one
        than a strategy works on says that it is meant.
    seed
        For "random" and "stratified".

    Returns
    -------
    bool (n,)
        Exactly `kept_count(n, ratio, count)` entries are True.

    Raises
    ------
    ArgumentError
        If an argument is out of range, or the strategy works on scores of another criterion.

    Examples
    --------
    >>> select(np.array([0.1, 0.9, 0.5, 0.4, 0.6]), ratio=0.6)
    array([False, False,  True,  True,  True])
    >>> select(np.array([0.1, 0.9, 0.5, 0.4, 0.6]), ratio=0.6, strategy="two-ends")
    array([ True,  True, False, False,  True])
    """
    measured = scores.criterion if isinstance(scores, Scores) else ""
    values, labels = _values_and_labels(scores, labels)
    where = _check(strategy, scope, quantile, balance, min_per_class, seed, features, len(values))
    if criterion is None:
        _check_criterion(strategy, measured)
    within = scope == "class" or strategy in PICKS or balance != "proportional"
    rows = np.flatnonzero(~np.isnan(values))
    values, k = values[rows], kept_count(len(rows), ratio, count)
    members, sizes = members_of(labels[rows])
    floors = np.minimum(sizes, attainable(sizes, min(min_per_class, len(rows)), k))
    if strategy == "trimmed":
        floors = np.maximum(floors, least(quotas(sizes, k, floors, balance)))
        left = trim(values, members, k, floors)
        floors = floors[np.unique(members[left])]
        rows, values = rows[left], values[left]
        members, sizes = members_of(labels[rows])
    if strategy in WINDOWS and not within:
        inside = global_window(values, members, k, floors, where)
    elif strategy in ORDERS and not within:
        order = ORDERS[strategy](values, k, np.random.default_rng(seed))
        inside = raise_to_floors(_mask(order[:k], len(values)), members, floors, order)
    elif strategy in WINDOWS:
        inside = class_windows(values, members, quotas(sizes, k, floors, balance), sizes, where)
    else:
        shares = quotas(sizes, k, floors, balance).tolist()
        groups = np.split(np.argsort(members, kind="stable"), np.cumsum(sizes)[:-1])
        kept = [
            own[_from_class(strategy, values[own], share, features, rows[own], (seed, number))]
            for number, (own, share) in enumerate(zip(groups, shares, strict=True))
            if share
        ]
        inside = _mask(np.concatenate(kept), len(values))
    return _mask(rows[inside], len(labels))


def preparation_for(strategy: str) -> Preparation:
    """Return what a strategy wants to be done before it.

    >>> preparation_for("trimmed")
    Preparation(criterion='margin', drop_suspects='auto')
    """
    return PREPARATIONS.get(strategy, Preparation())


def emptied_classes(scores: Scores, mask: Mask) -> list[int]:
    """Classes that have readable images, none of them in the mask."""
    present = np.unique(scores.labels[~np.isnan(scores.values)])
    return [int(label) for label in np.setdiff1d(present, scores.labels[mask])]


def _check_criterion(strategy: str, criterion: str) -> None:
    """Refuse scores on which a strategy would silently choose other images than it is made for."""
    if strategy not in PREPARATIONS or criterion == (wanted := preparation_for(strategy).criterion):
        return
    whose = f"are of {criterion!r}" if criterion else "do not say what they measure"
    raise ArgumentError(
        f"strategy: {strategy} works on scores of criterion {wanted!r}, NaN for suspects, and these"
        f" {whose}; use score(..., criterion={wanted!r}), or add criterion={criterion or wanted!r}"
        " to say that they are meant"
    )


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
        raise ArgumentError(f"scores: are {values.dtype}, not numbers")
    if classes.dtype.kind not in "iu":
        raise ArgumentError(f"labels: are {classes.dtype}, not integers; number the classes")
    return values, classes


def _check(
    strategy: str,
    scope: str | None,
    quantile: float | str | Fraction,
    balance: str,
    min_per_class: int,
    seed: int,
    features: npt.NDArray[np.floating[Any]] | None,
    n: int,
) -> Fraction:
    """Refuse arguments that are out of range; return the quantile that the window sits at."""
    if strategy not in STRATEGIES:
        raise ArgumentError(f"strategy: {strategy!r} is none of {', '.join(STRATEGIES)}")
    if scope is not None and scope not in SCOPES:
        raise ArgumentError(f"scope: {scope!r} is none of {', '.join(SCOPES)}")
    where = exact(quantile)
    if not 0 <= where <= 1:
        raise ArgumentError(f"quantile: {quantile} is not in [0, 1]")
    if balance not in BALANCES:
        raise ArgumentError(f"balance: {balance!r} is none of {', '.join(BALANCES)}")
    if balance != "proportional" and scope == "global":
        raise ArgumentError(f"balance: {balance} shares among classes, not global")
    if min_per_class < 0:
        raise ArgumentError(f"min_per_class: {min_per_class} is negative")
    if seed < 0:
        raise ArgumentError(f"seed: {seed} is negative")
    if where != MEDIAN and strategy != "moderate":
        raise ArgumentError(f"quantile: strategy {strategy} has no window to move")
    if strategy in PICKS:
        if scope == "global":
            raise ArgumentError(f"scope: strategy {strategy} works in each class, not global")
        if features is None:
            raise ArgumentError(f"strategy: {strategy} works on features, which are not given")
        if not isinstance(features, np.ndarray):
            raise ArgumentError(
                "features: are not an array (n, d), such as the features of what embed returns"
            )
        if features.ndim != 2 or len(features) != n:
            raise ArgumentError(f"features {features.shape} and scores ({n},) do not match")
    own = WINDOWS.get(strategy)
    return where if own is None else own


def _from_class(
    strategy: str,
    values: Values,
    k: int,
    features: npt.NDArray[np.floating[Any]] | None,
    rows: Counts,
    seed: tuple[int, int],
) -> Counts:
    """Positions in one class, given its scores and its rows in the features, that are kept."""
    if features is None or strategy in ORDERS:
        return ORDERS[strategy](values, k, np.random.default_rng(seed))[:k]
    parts = -(-len(rows) // PART_ROWS)
    pieces = [np.arange(part, len(rows), parts) for part in range(parts)]
    sizes = np.array([len(piece) for piece in pieces])
    shares = quotas(sizes, k, np.zeros_like(sizes)).tolist()
    kept = []
    for piece, share in zip(pieces, shares, strict=True):
        points = read_rows(features, rows[piece])
        bad = ~np.isfinite(points).all(axis=1)
        if bad.any():
            raise ArgumentError(
                f"features: row {rows[piece][bad][0]} is not finite; set its score to NaN, which"
                " leaves it out"
            )
        kept.append(piece[PICKS[strategy](points, share, values[piece])])
    return np.concatenate(kept)


def _mask(rows: Counts, n: int) -> Mask:
    mask = np.zeros(n, dtype=np.bool_)
    mask[rows] = True
    return mask
