"""Choosing: a source and a Choice -> a Selection; the pipeline of `moderate select`."""

from moderate_cli.choosing.chooser import Chooser, check, check_labels
from moderate_cli.choosing.selection import ClassCount, Selection

__all__ = ["Chooser", "ClassCount", "Selection", "check", "check_labels"]
