"""Options of a choice that exclude each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from moderate_cli.selection.counts import exact
from moderate_cli.selection.strategies import STRATEGIES
from moderate_cli.selection.windows import MEDIAN

CENTERED = {"center": "mean", "metric": "euclidean"}  # options of some criteria, with defaults


class Conflict(NamedTuple):
    """Two options of a `Choice` that exclude each other.

    Attributes
    ----------
    one, other
        Names of fields of `Choice`.
    wins
        The one that stays if it was set closer to the command line: "one", or "both" for either.
    fatal
        Whether it is an error to set both; else only the weaker one is reset.
    """

    one: str
    other: str
    wins: Literal["one", "both"] = "one"
    fatal: bool = True


def conflicts(asked: Mapping[str, Any]) -> Iterator[Conflict]:
    """Yield the conflicts between fields of a `Choice`.

    Parameters
    ----------
    asked
        Values of fields, each in its range.

    Examples
    --------
    >>> list(conflicts({"strategy": "matching", "scope": "global"}))
    [Conflict(one='strategy', other='scope', wins='one', fatal=True)]
    """
    strategy, scope = asked.get("strategy", "moderate"), asked.get("scope")
    criterion = asked.get("criterion")
    if asked.get("ratio") is not None and asked.get("count") is not None:
        yield Conflict("ratio", "count", "both")
    if scope == "global" and STRATEGIES[strategy].within_classes:
        yield Conflict("strategy", "scope")
    if strategy != "moderate" and exact(asked.get("quantile", MEDIAN)) != MEDIAN:
        yield Conflict("strategy", "quantile")
    if STRATEGIES[strategy].adapts and criterion not in (None, STRATEGIES[strategy].criterion):
        yield Conflict("strategy", "criterion")  # it adapts to the accuracy, the sign of its own
    if asked.get("balance", "proportional") != "proportional" and scope == "global":
        yield Conflict("balance", "scope")


def without_effect(asked: Mapping[str, Any]) -> Iterator[Conflict]:
    """Yield a class center and a metric that were set, but change nothing.

    It is no conflict where several strategies are compared, some of which use them.

    Examples
    --------
    >>> list(without_effect({"strategy": "adaptive", "center": "median"}))
    [Conflict(one='strategy', other='center', wins='one', fatal=True)]
    """
    from moderate_cli.scoring import CRITERIA  # which take long to load

    strategy, criterion = asked.get("strategy", "moderate"), asked.get("criterion")
    if not CRITERIA[criterion or STRATEGIES[strategy].criterion].centered:
        for name, default in CENTERED.items():
            if asked.get(name, default) != default:
                yield Conflict("criterion" if criterion else "strategy", name)


def compatible(strategy: str, scope: str, criterion: str | None) -> bool:
    """Whether a strategy goes with a scope and a criterion.

    >>> compatible("matching", "global", None), compatible("matching", "class", "aum")
    (False, True)
    """
    return not any(conflicts({"strategy": strategy, "scope": scope, "criterion": criterion}))
