"""Scoring: features and labels -> scores; one module per kind of criterion; pure numpy."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from moderate_cli.scoring.centers import CENTERS, METRICS, geometric_median
from moderate_cli.scoring.scores import ROWS_AT_ONCE, Scores

if TYPE_CHECKING:
    from moderate_cli.scoring.criteria import (
        CRITERIA,
        Criterion,
        check_compared,
        of_features,
        score_features,
    )

__all__ = [
    "CENTERS",
    "CRITERIA",
    "METRICS",
    "ROWS_AT_ONCE",
    "Criterion",
    "Scores",
    "check_compared",
    "geometric_median",
    "of_features",
    "score_features",
]


def __getattr__(name: str) -> Any:
    # Loading all criteria takes as long as selecting from 10,000 images, which needs none.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.criteria"), name)
