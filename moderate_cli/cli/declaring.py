"""Declaring options: in sections of the help, and readable from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from moderate_cli.cli import precedence
from moderate_cli.cli.helping import Helped
from moderate_cli.errors import OptionError
from moderate_cli.text import clipped, resembling

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]


MEANT = {"--dry-run": "--counts", "--stats": "--counts", "--gpu": "--device", "--out": "--output"}
EXTRA = "Got unexpected extra argument"  # so begins the message of click
NUMBER = re.compile(r"[0-9]*[.,]?[0-9]+%?|[0-9]+/[0-9]+")
ONCE = "--labels"  # the last of several would win, and the corrections in the others be lost


class Option(click.Option):
    """An option in a section of the help.

    An option for the command line only cannot be set by a file or variable that a user may have
    forgotten.
    """

    section = "Options"

    def __init__(
        self,
        *names: Any,
        command_line_only: bool = False,
        **attributes: Any,
    ) -> None:
        super().__init__(*names, **attributes)
        self.command_line_only = command_line_only

    def such_as(self, ctx: click.Context) -> str:
        """Return an example of its values, for the error if there is none."""
        if isinstance(self.type, click.Choice):
            return f", such as {self.type.choices[0]}"
        example = getattr(self.type, "example", "")
        return f", such as {example}" if example else f": {self.make_metavar(ctx)}"

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """Say that the value is missing, if DATA or another option was taken for it."""
        try:
            return super().type_cast_value(ctx, value)
        except click.BadParameter:
            last = value[-1] if isinstance(value, (list, tuple)) and value else value
            if not isinstance(last, str) or self.is_flag or not _is_of_another(ctx, last):
                raise
            message = f"needs a value{self.such_as(ctx)}; {last!r} was taken for it."
            raise click.BadParameter(message, ctx, self) from None

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Leave out the range of a number, which the error for a wrong one gives."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra


def _is_of_another(ctx: click.Context, value: str) -> bool:
    """Whether a value was rather meant for DATA, or is another option."""
    options = (name for param in ctx.command.params for name in param.opts)
    return value.partition("=")[0] in options or os.path.isdir(value)


class Sectioned(Helped, click.Command):
    """A command whose help lists options by section, and whose errors say where those were set.

    Parameters
    ----------
    common
        The options of the short help, by their long names without dashes, and first in the full
        help.
    """

    def __init__(self, *arguments: Any, common: Sequence[str] = (), **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.common = tuple(common)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Name a value for an option that has none, and options near an unknown one."""
        named = [word.partition("=")[0] for word in args]
        if named[: named.index("--") if "--" in named else None].count(ONCE) > 1:
            raise click.UsageError(
                f"{ONCE} is given more than once; join the files, and pass one", ctx
            )
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            names = [name for param in self.params for name in (*param.opts, *param.secondary_opts)]
            long = [name for name in names if name.startswith("--")]
            near = [name for name in long if name.startswith(error.option_name)]
            near = near or resembling(error.option_name, long, MEANT)
            guess = f"; did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(
                f"option {clipped(error.option_name)} is unknown{guess}", ctx
            ) from None
        except click.MissingParameter as error:
            param = error.param
            if isinstance(param, Option):
                name = f"{max(param.opts, key=len)} {param.make_metavar(ctx)}"
            else:
                assert param is not None
                name = str(param.metavar or param.name).upper()
                name += ", a dataset folder" if name == "DATA" else ""
            raise click.UsageError(f"missing {name}", ctx) from None
        except click.BadOptionUsage as error:
            for param in self.params:
                if isinstance(param, Option) and error.option_name in param.opts:
                    message = f"{error.option_name} needs a value{param.such_as(ctx)}"
                    raise click.UsageError(message, ctx) from None
            raise
        except click.UsageError as error:
            if not error.message.startswith(EXTRA):
                raise
            raise click.UsageError(self._say_extra(ctx, error.message), ctx) from None

    def _say_extra(self, ctx: click.Context, message: str) -> str:
        """Name the first of too many words; a number may be the ratio."""
        data, extra = str(ctx.params.get("data", "")), message.split("(", 1)[-1].removesuffix(")")
        ratio = next((one for one in self.params if "--ratio" in one.opts), None)
        number = next((one for one in (data, *extra.split()) if NUMBER.fullmatch(one)), None)
        if ratio is not None and number is not None:
            advice = f"write --ratio {number}"
            if ctx.get_parameter_source(str(ratio.name)) is ParameterSource.COMMANDLINE:
                advice = "several ratios have commas and no spaces, such as --ratio 0.1,0.3"
            return f"{number!r} belongs to no option; {advice}"
        told = f"; DATA is {clipped(data)!r}" if data else ""
        return f"{clipped(extra)!r} is one argument too many{told}"

    def invoke(self, ctx: click.Context) -> Any:
        """Name the file or the variable that set an option, if it is part of an error."""
        try:
            return super().invoke(ctx)
        except OptionError as error:
            error.name_sources(lambda name: precedence.source(ctx, name))
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the common options, then the sections in the order of declaration."""
        common = self._commons(ctx)
        self._write_common(ctx, formatter)
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None and param not in common:
                name = param.section if isinstance(param, Option) else Option.section
                sections.setdefault(name, []).append(record)
        for name, records in sections.items():
            with formatter.section(name):
                formatter.write_dl(records)

    def _write_common(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = [param.get_help_record(ctx) for param in self._commons(ctx)]
        if records:
            with formatter.section("Common options"):
                formatter.write_dl([record for record in records if record is not None])

    def _commons(self, ctx: click.Context) -> list[click.Parameter]:
        named = {max(param.opts, key=len).lstrip("-"): param for param in self.get_params(ctx)}
        return [named[name] for name in self.common]


def option(*names: str, command_line_only: bool = False, **attributes: Any) -> Decorator[Any]:
    """Declare an option that the variable `MODERATE_<NAME>` can also set.

    Options that say where to write, or what to replace, are for the command line only.
    """
    long = max(names, key=len).lstrip("-")
    if not command_line_only:
        attributes.setdefault("envvar", f"MODERATE_{long.replace('-', '_').upper()}")
    attributes["command_line_only"] = command_line_only
    attributes.setdefault("show_default", attributes.get("default") is not None)
    return click.option(*names, cls=Option, **attributes)


def group(*decorators: Decorator[Any], section: str = "") -> Decorator[Any]:
    """Apply several options as one, in the order of the help."""

    def decorate(command: Any) -> Any:
        before = len(getattr(command, "__click_params__", ()))
        for decorator in reversed(decorators):
            command = decorator(command)
        if section:
            for param in command.__click_params__[before:]:
                param.section = section
        return command

    return decorate
