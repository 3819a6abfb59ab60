"""Declaring options: in sections of the help, and readable from the environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from moderate_cli.cli import precedence
from moderate_cli.errors import OptionError

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]


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


class Sectioned(click.Command):
    """A command whose help lists options by section, and whose errors say where those were set."""

    def invoke(self, ctx: click.Context) -> Any:
        """Name the file or the variable that set an option, if it is part of an error."""
        try:
            return super().invoke(ctx)
        except OptionError as error:
            error.name_sources(lambda name: precedence.source(ctx, name))
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections, in the order of declaration."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                name = param.section if isinstance(param, Option) else Option.section
                sections.setdefault(name, []).append(record)
        for name, records in sections.items():
            with formatter.section(name):
                formatter.write_dl(records)


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
