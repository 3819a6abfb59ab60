"""The form of help: a short one for -h, a full one for --help, with heads in color.

Plain click, because the time to import rich-click is 1.7 times that of click, and of cloup 2.0
times; `moderate --help` is to take 1.6 times as long at most, with all that is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

WIDEST = 100  # columns; longer lines are hard to read


class Formatter(click.HelpFormatter):
    """Writes heads and names in color; click removes it where the output is no terminal."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the first line."""
        super().write_usage(prog, args, _head(prefix or "Usage: "))

    def write_heading(self, heading: str) -> None:
        """Write the head of a section."""
        super().write_heading(_head(heading))

    def write_dl(self, rows: Iterable[tuple[str, str]], *args: Any, **how: Any) -> None:
        """Write names and their texts."""
        super().write_dl(
            [(click.style(name, fg="cyan"), text) for name, text in rows], *args, **how
        )


class Context(click.Context):
    """A context of a command, whose help is as wide as the terminal, up to `WIDEST`."""

    formatter_class = Formatter

    def make_formatter(self) -> click.HelpFormatter:
        """Bound the width."""
        self.max_content_width = WIDEST
        return super().make_formatter()


class Helped(click.Command):
    """A command with two forms of help: -h and --help.

    Parameters
    ----------
    examples
        Commands, each with its result; the last part of both forms.
    """

    context_class = Context

    def __init__(
        self, *arguments: Any, examples: Sequence[tuple[str, str]] = (), **attributes: Any
    ) -> None:
        super().__init__(*arguments, **attributes)
        self.examples = tuple(examples)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Add -h, which the line of --help names."""
        return [*super().get_params(ctx), _SHORT]

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return --help."""
        return _FULL

    def format_short_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the purpose, the common options and the examples."""
        self._write_purpose(ctx, formatter)
        self._write_common(ctx, formatter)
        self.format_epilog(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text(f"`{ctx.command_path} --help` shows all options.")

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        if self.examples:
            with formatter.section("Examples"):
                formatter.write_dl(self.examples, col_max=54)

    def _write_purpose(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_usage(ctx, formatter)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text((self.help or "").split("\n\n")[0])

    def _write_common(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write options that belong into the short help, too."""


def _head(text: str) -> str:
    return click.style(text, fg="green", bold=True)


def _show_help(ctx: click.Context, _param: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


def _show_short_help(ctx: click.Context, _param: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing and isinstance(ctx.command, Helped):
        formatter = ctx.make_formatter()
        ctx.command.format_short_help(ctx, formatter)
        click.echo(formatter.getvalue().rstrip("\n"), color=ctx.color)
        ctx.exit()


class _Full(click.Option):
    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        return "-h, --help", "Show the common options, or all."


_FLAG: dict[str, Any] = {"is_flag": True, "is_eager": True, "expose_value": False}
_FULL = _Full(["--help"], callback=_show_help, **_FLAG)
_SHORT = click.Option(["-h"], callback=_show_short_help, hidden=True, **_FLAG)
