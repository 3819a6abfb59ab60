"""Sorted scores, packed for a page that finds out what any ratio would keep."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import numpy.typing as npt

from moderate_cli.errors import ArgumentError
from moderate_cli.reporting.facts import MOST_CLASSES, Subject
from moderate_cli.selection import MEDIAN, PICKS, WINDOWS, exact

MOST_RANKS = 300_000  # images; of more every second, third, ... is carried
LEVELS = 65_535


def ranking(subject: Subject) -> dict[str, Any]:
    """Return what can be kept, in the order of scores, and the rule by which it is chosen.

    Scores are rounded to 65,536 levels; their order, on which the window depends, is that of the
    full numbers. `step` tells how many images one in the lists stands for.
    """
    if len(subject.labels) > MOST_CLASSES:
        raise ArgumentError(
            f"report: {len(subject.labels)} classes are more than a page can show, {MOST_CLASSES}"
        )
    rows = np.flatnonzero(subject.eligible)
    values, members = subject.scores.values[rows], subject.members[rows]
    order = np.argsort(values, kind="stable")
    step = -(-len(rows) // MOST_RANKS)
    order = order[step // 2 :: step]
    low, high = float(values.min()), float(values.max())
    levels = np.round((values[order] - low) * (LEVELS / (high - low or 1.0)))
    sizes = np.bincount(members, minlength=len(subject.labels))
    return {
        "n": len(rows),
        "step": step,
        "low": low,
        "high": high,
        "scores": _packed(levels),
        "members": _packed(members[order]),
        "sizes": sizes.tolist(),
        "rule": rule_of(subject),
    }


def rule_of(subject: Subject) -> dict[str, Any]:
    """Say how `select` was told to choose, in the terms of the page."""
    how = subject.how
    strategy = how["strategy"]
    within = how["scope"] == "class" or strategy in PICKS or how["balance"] != "proportional"
    quantile = WINDOWS.get(strategy) if strategy != "moderate" else exact(how["quantile"])
    # What trimmed leaves out first, and so each class's share of the rest, differs with the ratio.
    kind = "shares" if within and strategy != "trimmed" else "fixed"
    if strategy in WINDOWS:
        kind = "class windows" if within else "global window"
    return {
        "kind": kind,
        "within": within,
        "strategy": strategy,
        "median": quantile == MEDIAN,
        "quantile": [str(part) for part in (quantile or MEDIAN).as_integer_ratio()],
        "floor": how["min_per_class"],
        "balance": how["balance"],
    }


def _packed(numbers: npt.NDArray[Any]) -> str:
    """Write numbers of 16 bits, the lower byte first, in base 64."""
    return base64.b64encode(numbers.astype("<u2").tobytes()).decode()
