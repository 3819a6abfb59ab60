"""Fractions as people write them: 0.3, 1/3, 30%; advice on 30 and on 0,3."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal

import click

from moderate_cli.errors import ArgumentError
from moderate_cli.selection import exact
from moderate_cli.text import clipped, resembling

WRITTEN = " Write 0.3, 30% or 3/10."
COMMA = re.compile(r"(\d{0,9}),(\d{1,99})(%?)", re.ASCII)


class Share(click.ParamType):  # type: ignore[type-arg]  # no generic class before click 8.3
    """A fraction, exactly as it is written, or one of a few names.

    Parameters
    ----------
    names
        Names that are values, too, such as "auto".
    zero, one
        Whether 0 and 1 are values; "%": only as 100%, because 1 may mean 1%.
    number
        Type of the number that is returned.
    meaning
        What the fraction is of, for errors.
    example
        A value, for the error if there is none.
    """

    name = "f"

    def __init__(
        self,
        *names: str,
        zero: bool = False,
        one: bool | Literal["%"] = True,
        number: Callable[[Fraction], Any] = Fraction,
        meaning: str = "",
        example: str = "0.3",
    ) -> None:
        self.names, self._zero, self._one = names, zero, one
        self._number, self._meaning = number, meaning
        self.example = names[0] if names else example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a name or a number."""
        text = str(value).strip().removeprefix("=")  # of -r=0.3
        return text if text in self.names else self._number(self._read(text, text))

    def _read(self, text: str, whole: str) -> Fraction:
        """Read a number; `whole` is all that the user gave."""
        shown, percent = clipped(text), text.endswith("%")
        try:
            number = exact(text.removesuffix("%").rstrip()) / (100 if percent else 1)
        except ArgumentError:
            raise click.BadParameter(
                f"{shown!r} is {self._otherwise()}.{self._advice(text, whole) or WRITTEN}"
            ) from None
        one = self._one is True or (self._one == "%" and percent)
        if not (0 < number < 1 or (number == 0 and self._zero) or (number == 1 and one)):
            interval = f"{'[' if self._zero else '('}0, 1{']' if self._one is True else ')'}"
            told = f"{shown} is not in {interval}{self._meaning and f'; {self._meaning}'}."
            raise click.BadParameter(f"{told}{self._advice(text, whole)}")
        return number

    def _otherwise(self) -> str:
        return f"neither {self.names[0]} nor a number" if self.names else "not a number"

    def _advice(self, text: str, whole: str) -> str:
        found = COMMA.fullmatch(whole)
        if found and (not int(found[1] or 0) or found[3]):
            return f" For {whole} write {found[1] or '0'}.{found[2]}{found[3]}."
        if near := resembling(text, self.names):
            return f" Did you mean {' or '.join(near)}?"
        return self._of_percentage(text.replace(",", "."))

    def _of_percentage(self, text: str) -> str:
        try:
            value = exact(text)
        except ArgumentError:
            return ""
        if not (1 < value <= 100 or (value == 1 and self._one is not True)):
            return ""
        return f" For {text} % write {float(value / 100):g} or {text}%."


class Shares(Share):
    """One fraction or several with commas; each by its text."""

    name = "f[,f...]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read them; each may be there only once."""
        whole, found = str(value).strip().removeprefix("="), dict[str, Fraction]()
        for part in map(str.strip, whole.split(",")):
            number = self._read(part, whole)
            twin = next((other for other, known in found.items() if known == number), None)
            if twin is not None:
                raise click.BadParameter(f"{part} repeats {twin}; name each ratio once.")
            found[part] = number
        return found


RATIOS = Shares(meaning="it is the fraction kept")
ANY = Share(zero=True, example="0.1")
SIMILARITY = Share(number=float, example="0.95")
