"""Values of options that need parsing: ratios, parts, labels."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

import click

from moderate_cli.cli.values import WHOLE
from moderate_cli.errors import ArgumentError
from moderate_cli.inputs.request import clusters_in
from moderate_cli.selection import exact
from moderate_cli.text import clipped


def share(text: str) -> Fraction:
    """Read a number in [0, 1] exactly: 0.3 is 3/10, not a float near it."""
    number = _number(text)
    if not 0 <= number <= 1:
        raise click.BadParameter(f"{clipped(text)} is not in [0, 1].")
    return number


def fraction(text: str) -> Fraction | Literal["auto"]:
    """Read a number in (0, 1), or "auto"."""
    if text == "auto":
        return "auto"
    number = _number(text, "neither auto nor a number")
    if not 0 < number < 1:
        raise click.BadParameter(f"{clipped(text)} is not in (0, 1).{_as_fraction(text)}")
    return number


def dropped(text: str) -> Fraction | Literal["auto", "nothing"]:
    """Read a number in (0, 1), "auto" or "nothing"."""
    return "nothing" if text == "nothing" else fraction(text)


def labels(text: str) -> str:
    """Read the name of a file, or "kmeans:K"."""
    if text.startswith("kmeans:"):
        with as_bad_parameter("labels"):
            clusters_in(text)
    return text


def part(text: str) -> tuple[int, int]:
    """Read the number of a part, from 1, and the number of parts."""
    number, slash, of = text.partition("/")
    numbers = slash and WHOLE.fullmatch(number) and WHOLE.fullmatch(of)
    if not (numbers and 1 <= int(number) <= int(of)):
        raise click.BadParameter(f"{clipped(text)!r} is not a valid part; use I/N, e.g. 3/8.")
    return int(number), int(of)


def ratios(text: str) -> dict[str, Fraction]:
    """Read one ratio or several with commas; return each by its text."""
    found: dict[str, Fraction] = {}
    for part in map(str.strip, str(text).split(",")):
        ratio = _number(part)
        twin = next((other for other, value in found.items() if value == ratio), None)
        if twin is not None:
            raise click.BadParameter(f"{part} repeats {twin}; name each ratio once.")
        if not 0 < ratio <= 1:
            raise click.BadParameter(
                f"{clipped(part)} is not in (0, 1]; it is the fraction kept.{_as_fraction(part)}"
            )
        found[part] = ratio
    return found


def points(text: str) -> float:
    """Read a difference of accuracies: "1%" is 0.01, and so is "0.01".

    >>> points("1%"), points("0.01")
    (0.01, 0.01)
    """
    percent = text.endswith("%")
    number = _number(text.removesuffix("%")) / (100 if percent else 1)
    if percent and not 0 <= number <= 1:
        raise click.BadParameter(f"{clipped(text)} is not in [0%, 100%].")
    if not percent and not 0 <= number < 1:  # 1 may mean 1%, or all
        advice = f" For {clipped(text)} % write {clipped(text)}%." if 1 <= number <= 100 else ""
        raise click.BadParameter(f"{clipped(text)} is not in [0, 1).{advice}")
    return float(number)


@contextlib.contextmanager
def as_bad_parameter(name: str) -> Iterator[None]:
    """Turn an error of the library, which names its argument, into one that names the option."""
    try:
        yield
    except ArgumentError as error:
        raise click.BadParameter(str(error).removeprefix(f"{name}: ")) from None


def _number(text: str, otherwise: str = "not a number") -> Fraction:
    try:
        return exact(text)
    except ArgumentError:
        shown = clipped(text)
        raise click.BadParameter(f"{shown!r} is {otherwise}.{_as_fraction(text)}") from None


def _as_fraction(text: str) -> str:
    """Return advice for a number that looks like a percentage.

    >>> _as_fraction("30%"), _as_fraction("30"), _as_fraction("-1")
    (' For 30 % write 0.3.', ' For 30 % write 0.3.', '')
    """
    number = text.removesuffix("%").strip()
    try:
        value = exact(number)
    except ArgumentError:
        return ""
    return f" For {number} % write {float(value / 100):g}." if 1 < value < 100 else ""
