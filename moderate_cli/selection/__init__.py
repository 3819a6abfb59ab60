"""Selection: scores and features -> a mask of the kept images; one module per kind of strategy."""

from moderate_cli.selection.choice import SCOPES, Choice, ChoiceKeywords
from moderate_cli.selection.counts import BALANCES, exact, kept_count, quotas, written
from moderate_cli.selection.pool import class_shares
from moderate_cli.selection.selecting import emptied_classes, select_scores
from moderate_cli.selection.strategies import (
    RECOMMENDED,
    STRATEGIES,
    Follow,
    Order,
    Pick,
    Search,
    Strategy,
    Window,
)
from moderate_cli.selection.windows import MEDIAN

__all__ = [
    "BALANCES",
    "MEDIAN",
    "RECOMMENDED",
    "SCOPES",
    "STRATEGIES",
    "Choice",
    "ChoiceKeywords",
    "Follow",
    "Order",
    "Pick",
    "Search",
    "Strategy",
    "Window",
    "class_shares",
    "emptied_classes",
    "exact",
    "kept_count",
    "quotas",
    "select_scores",
    "written",
]
