"""Options of evaluate and suggest: the test set, and the repetitions."""

from __future__ import annotations

from typing import Any

from moderate_cli.cli.declaring import Decorator, option
from moderate_cli.cli.values import PATH, Whole
from moderate_cli.evaluation.estimates import FEWEST_SEEDS

test = option(
    "--test",
    type=PATH,
    metavar="DIR",
    help="Test set. Its features are stored in DIR.moderate (STORE-test with --store)."
    "  [default: a fifth of DATA]",
)


def seeds(default: int | None = None, told: str = "") -> Decorator[Any]:
    """Declare the number of repetitions, with a default, or words for it."""
    return option(
        "--seeds",
        type=Whole(min=1, max=1000),
        default=default,
        help=f"Number of repetitions; {FEWEST_SEEDS} or more for intervals.{told}",
    )
