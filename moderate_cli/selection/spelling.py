"""A choice as the options of `moderate select` that make it."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction

from moderate_cli.selection.choice import Choice
from moderate_cli.selection.counts import written

ALWAYS = ("strategy",)  # also if it is the default: the reader need not know that


def spelled(choice: Choice) -> list[str]:
    """Return the words on the command line, without options that have their default.

    >>> " ".join(spelled(Choice(ratio=0.3, dedup=0.95)))
    '--ratio 0.3 --strategy moderate --dedup 0.95'
    """
    words = []
    choice = replace(choice, quantile=choice.window_quantile, drop_suspects=choice.dropped)
    for field in fields(choice):
        value = choice.dropped if field.name == "drop_suspects" else getattr(choice, field.name)
        if value != field.default or field.name in ALWAYS:
            numeric = isinstance(value, (float, Fraction)) or field.name == "ratio"
            text = str(value) if not numeric else written(value)  # type: ignore[arg-type]
            words += [f"--{field.name.replace('_', '-')}", text]
    return words
