"""Scoring: features and labels -> scores; one module per kind of criterion; pure numpy."""

from moderate_cli.scoring.centers import CENTERS, METRICS, geometric_median
from moderate_cli.scoring.criteria import (
    CRITERIA,
    Criterion,
    check_compared,
    of_features,
    score_features,
)
from moderate_cli.scoring.scores import ROWS_AT_ONCE, Scores

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
