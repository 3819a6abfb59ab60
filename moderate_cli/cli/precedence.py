"""Where options were set: on the command line, in the environment, in a file, or nowhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import click
from click.core import ParameterSource

from moderate_cli.cli import console
from moderate_cli.cli.config import CONFIG
from moderate_cli.scoring import CRITERIA
from moderate_cli.selection.conflicts import CENTERED


def stronger(one: str, other: str) -> str | None:
    """Return which of two parameters was set nearer to the command line, if either was."""
    order = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)
    context = click.get_current_context()
    sources = [context.get_parameter_source(name) for name in (one, other)]
    if sources[0] == sources[1]:
        return None
    return next((one, other)[sources.index(source)] for source in order if source in sources)


def left_alone(name: str) -> bool:
    """Whether a parameter has its default because nobody set it."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.DEFAULT


def source(context: click.Context, option: str) -> str:
    """Return where an option was set, by its name in Python; "" on the command line or nowhere."""
    long = f"--{option.replace('_', '-')}"
    param = next((one for one in context.command.params if long in one.opts), None)
    match context.get_parameter_source(param.name or "") if param is not None else None:
        case ParameterSource.DEFAULT_MAP:
            return f"from --config {context.meta[CONFIG]}"
        case ParameterSource.ENVIRONMENT:
            return f"from MODERATE_{option.upper()}"
    return ""


def overridden(options: Collection[str]) -> bool:
    """Whether any of these options, by their long names, is on the command line."""
    context = click.get_current_context()
    return any(
        max(param.opts, key=len).lstrip("-") in options
        and context.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE
        for param in context.command.params
        if isinstance(param, click.Option)
    )


def refuse_beside(flag: str, names: Iterable[str]) -> None:
    """Refuse options on the command line that have no effect beside `flag`.

    The environment and config files may set them, for other commands.
    """
    for long in _given(names):
        raise click.UsageError(f"use {flag} or {long}, not both")


def refuse_without(flag: str, names: Iterable[str]) -> None:
    """Refuse options on the command line that have no effect without `flag`."""
    for long in _given(names):
        raise click.UsageError(f"{long} needs {flag}")


def warn_without_effect(name: str, value: object, flag: str) -> None:
    """Warn of an option of a file, or of the environment, that has no effect beside `flag`."""
    context = click.get_current_context()
    option = flag.split()[0].removeprefix("--")
    where, whence = source(context, name), source(context, option.replace("-", "_"))
    told, because = (f" {said}" if said else "" for said in (where, whence))
    override = f"; --{option} on the command line goes before it" if whence else ""
    console.warn(f"{name} {value}{told} has no effect with {flag}{because}{override}")


def centered(criterion: str, center: str, metric: str, option: str = "") -> tuple[Any, Any]:
    """Return the class center and the metric; their defaults if the criterion does not use them.

    On the command line they are refused then. `option` is the one that sets the criterion, if not
    --criterion.
    """
    if CRITERIA[criterion].centered:
        return center, metric
    flag = option or f"--criterion {criterion}"
    refuse_beside(flag, CENTERED)
    for name, value in {"center": center, "metric": metric}.items():
        if value != CENTERED[name]:
            warn_without_effect(name, value, flag)
    return CENTERED["center"], CENTERED["metric"]


def _given(names: Iterable[str]) -> Iterator[str]:
    """Yield the long form of the options that are on the command line."""
    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in names and source is ParameterSource.COMMANDLINE:
            yield max(parameter.opts, key=len)
