"""Inputs: a dataset, features or scores that a user names -> a source to select from."""

from moderate_cli.inputs.request import Inputs
from moderate_cli.inputs.source import Source, open_source

__all__ = ["Inputs", "Source", "open_source"]
