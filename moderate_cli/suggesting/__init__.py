"""Suggesting: facts of a dataset, and a comparison -> the one command to use."""

from moderate_cli.suggesting.facts import Facts, facts_of
from moderate_cli.suggesting.options import choice_for
from moderate_cli.suggesting.suggestion import Suggestion
from moderate_cli.suggesting.timing import Expected, compute_seconds

__all__ = ["Expected", "Facts", "Suggestion", "choice_for", "compute_seconds", "facts_of"]
