"""Evaluation: train a classifier on each strategy's selection, and compare accuracies."""

from moderate_cli.evaluation.cells import FULL, Cell, Result
from moderate_cli.evaluation.comparison import Comparison
from moderate_cli.evaluation.judging import Learner, ProbeLearner, judge
from moderate_cli.evaluation.pools import check_comparable

__all__ = [
    "FULL",
    "Cell",
    "Comparison",
    "Learner",
    "ProbeLearner",
    "Result",
    "check_comparable",
    "judge",
]
