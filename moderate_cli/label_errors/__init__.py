"""Label errors: features, labels -> the probability that a label is wrong."""

from moderate_cli.label_errors.suspects import Suspects, check_suspectable, find_suspects

__all__ = ["Suspects", "check_suspectable", "find_suspects"]
