"""Values of options: a name of several, a whole number, a number with decimals."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

import click

from moderate_cli.text import choice_refusal, clipped

# As it would be written anywhere: int() takes 1_0 and digits of all scripts, too.
WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


class Choice(click.Choice[str]):
    """A name of several; for an unknown one, those near it are told, and `where` all are."""

    def __init__(self, choices: Iterable[str], where: str = "") -> None:
        super().__init__(tuple(choices))
        self.where = where

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse an unknown name."""
        if str(value) not in self.choices:
            refused = choice_refusal(str(value), tuple(self.choices), self.where)
            self.fail(refused if refused.endswith("?") else f"{refused}.", param, ctx)
        return super().convert(value, param, ctx)


class Whole(click.IntRange):
    """A whole number in a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what is no number as it is usually written."""
        if isinstance(value, str) and not WHOLE.fullmatch(value.strip(" ")):
            self.fail(f"{clipped(value)!r} is not a valid integer.", param, ctx)
        return super().convert(value, param, ctx)


class Real(click.FloatRange):
    """A number in a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what is no finite number as it is usually written."""
        if isinstance(value, str) and not REAL.fullmatch(value.strip(" ")):
            self.fail(f"{clipped(value)!r} is not a valid number.", param, ctx)
        if not math.isfinite(float(value)):
            self.fail(f"{clipped(str(value))!r} is not a finite number.", param, ctx)
        return super().convert(value, param, ctx)
