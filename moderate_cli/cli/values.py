"""Values of options: a name, a number, a path."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import click

from moderate_cli.errors import ArgumentError
from moderate_cli.networks.table import DEVICES, check_device
from moderate_cli.text import REPLACED, clipped, unknown

# Numbers as people write them; int() also takes 1_0, and digits of all scripts.
WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


class Choice(click.Choice[str]):
    """One of several names. The error for an unknown one names those near it.

    Parameters
    ----------
    choices
        The names.
    where
        Text for the error that says where all names are listed.
    meant
        Other names that people try -> the name that they mean.
    """

    def __init__(
        self, choices: Iterable[str], where: str = "", meant: Mapping[str, str] = REPLACED
    ) -> None:
        super().__init__(tuple(choices))
        self.where, self.meant = where, meant

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse an unknown name."""
        if str(value) not in self.choices:
            self.fail(unknown(str(value), tuple(self.choices), self.where, self.meant), param, ctx)
        return super().convert(value, param, ctx)


class Device(Choice):
    """A device: one of several names, or a GPU by its number."""

    def __init__(self) -> None:
        super().__init__(DEVICES)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse a name that no device has."""
        try:
            check_device(value)
        except ArgumentError as error:
            self.fail(str(error).removeprefix("device: "), param, ctx)
        return str(value)


class Whole(click.IntRange):
    """A whole number in a range."""

    name = "n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse text that is not a usual number."""
        if isinstance(value, str) and not WHOLE.fullmatch(value.strip(" ")):
            self.fail(f"{clipped(value)!r} is not a whole number.", param, ctx)
        number: int = click.INT.convert(value, param, ctx)
        if self.min is not None and number < self.min:
            self.fail(f"{number} is less than {self.min}.", param, ctx)
        if self.max is not None and number > self.max:
            self.fail(f"{number} is more than {self.max}.", param, ctx)
        return number


class Real(click.FloatRange):
    """A number in a range."""

    name = "x"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse text that is not a usual finite number."""
        if isinstance(value, str) and not REAL.fullmatch(value.strip(" ")):
            self.fail(f"{clipped(value)!r} is not a number.", param, ctx)
        if not math.isfinite(float(value)):
            self.fail(f"{clipped(str(value))!r} is not a finite number.", param, ctx)
        return super().convert(value, param, ctx)


class _Path(click.Path):
    """A path; an empty one, e.g. of an unset variable, would mean the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty path."""
        if value == "":
            self.fail("is empty.", param, ctx)
        return super().convert(value, param, ctx)


# Names may start with a dash or have bytes that are not UTF-8.
PATH = _Path(path_type=str)
