"""`--config`: options from a TOML file, below the command line and the environment."""

from __future__ import annotations

import importlib
import os
import re
from pathlib import Path
from typing import Any

import click

from moderate_cli.cli import console
from moderate_cli.errors import ArgumentError
from moderate_cli.files.near import near_or
from moderate_cli.files.regular import read_once
from moderate_cli.presets import bundled
from moderate_cli.text import resembling, unknown

CONFIG = "moderate.config"  # key of the file's name in the context of a command


def apply(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    """Make a config file's values the defaults of a command's options."""
    if value is None or ctx.resilient_parsing:
        return
    content = _read(value)
    if value.endswith(".json"):
        _check_recipe(ctx, value, content)
    ctx.meta[CONFIG] = value
    own = _options(ctx.command)
    foreign = content.keys() - own.keys()  # for other commands, which may share the file
    known = (_all_options() if foreign else {}) | own
    if strange := foreign - known.keys():
        raise click.UsageError(f"{value}: option {unknown(min(strange), known)}", ctx)
    for key in sorted(content):
        if getattr(known[key], "command_line_only", False):
            reason = f"{key} works only on the command line, as --{key}"
            raise click.UsageError(f"{value}: {reason}", ctx)
    defaults = {}
    for key in sorted(content.keys() & own.keys()):
        setting = _as_given(value, key, content[key], own[key])
        try:
            own[key].type_cast_value(ctx, setting)
        except click.BadParameter as error:
            raise click.UsageError(f"{value}: {key}: {error.message}", ctx) from None
        defaults[own[key].name or key] = setting
    ctx.default_map = {**(ctx.default_map or {}), **defaults}


def _as_given(value: str, key: str, setting: Any, option: click.Option) -> bool | str | list[str]:
    """Return a setting as it would be on the command line."""
    several = option.multiple or (option.metavar or "").endswith("...]")  # with commas
    for one in setting if isinstance(setting, list) and several else [setting]:
        if isinstance(one, bool) != option.is_flag:
            kind = "must be" if option.is_flag else "cannot be"
            raise click.UsageError(f"{value}: {key}: {kind} true or false")
        if not isinstance(one, (bool, str, int, float)):
            name = "list" if isinstance(one, list) else "table" if isinstance(one, dict) else "date"
            raise click.UsageError(f"{value}: {key}: cannot be a {name}")
        if "\0" in str(one):
            raise click.UsageError(f"{value}: {key}: contains a NUL character")
    if setting == []:
        raise click.UsageError(f"{value}: {key}: is an empty list; add a value or remove the line")
    if isinstance(setting, bool):
        return setting
    texts = list(map(str, setting if isinstance(setting, list) else [setting]))
    return texts if option.multiple else ",".join(texts)


def _read(value: str) -> dict[str, Any]:
    if value.endswith(".json"):
        return _recipe(value)
    import tomllib  # takes as long as ten of our modules, and most commands have no file

    presets = bundled()
    path = presets.get(value, Path(value))
    try:
        content = read_once(path, lambda: console.note(f"waiting for data on the pipe {value}"))
        text = content.decode()
        return tomllib.loads(text)
    except OSError as error:
        near = " or ".join(resembling(value, presets))
        advice = f"did you mean {near}?" if near else near_or(value, "")
        known = f"{advice} Bundled presets" if advice else "bundled presets"
        reason = f"{error.strerror}; {known}: {', '.join(presets)}"
        raise click.UsageError(f"{value}: {reason}") from None
    except RecursionError:
        raise click.UsageError(f"{value}: is nested too deeply") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{value}: is not TOML ({error})") from None
    except ValueError:  # of int(), which tomllib lets pass
        raise click.UsageError(f"{value}: {_key_of_long_number(text)}too many digits") from None


def _recipe(value: str) -> dict[str, Any]:
    """Return the options of a selection that -o kept.json wrote."""
    from moderate_cli.exporting.recipes import read_published  # loads numpy

    try:
        options = read_published(value).options
    except ArgumentError as error:
        raise click.UsageError(str(error)) from None
    if not options:
        raise click.UsageError(
            f"{value}: has no recipe; only selections from DATA that are not inverted have one"
        )
    return dict(options)


def _check_recipe(ctx: click.Context, value: str, options: dict[str, Any]) -> None:
    """Refuse a recipe that sets other things, and variables that would change the selection."""
    from moderate_cli.choosing.recipes import OPTIONS  # loads numpy

    if strange := options.keys() - OPTIONS:
        raise click.UsageError(f"{value}: a recipe cannot set --{min(strange)}", ctx)
    for name, option in _options(ctx.command).items():
        variable = option.envvar if isinstance(option.envvar, str) else ""
        given, own = os.environ.get(variable, ""), options.get(name, "")
        same = given == (" ".join(own) if isinstance(own, list) else str(own))
        if name in OPTIONS and given and not same:
            raise click.UsageError(f"{value}: {variable}={given} would change it; unset it", ctx)


def _key_of_long_number(content: str) -> str:
    found = re.search(
        r"^[ \t]*([\w-]+)[ \t]*=[^\n]*?\d{1000}", content.replace("_", ""), re.MULTILINE
    )
    return f"{found[1]}: has " if found else "a number has "


def _options(command: click.Command) -> dict[str, click.Option]:
    """Return a command's options by their long names, as files name them."""
    options = {
        max(param.opts, key=len).lstrip("-"): param
        for param in command.params
        if isinstance(param, click.Option)
    }
    options.pop("config", None)  # a file cannot name another file
    return options


def _all_options() -> dict[str, click.Option]:
    from moderate_cli.cli import COMMANDS

    commands: list[click.Command] = [
        importlib.import_module(f"moderate_cli.cli.{name}").command for name in COMMANDS
    ]
    return {key: option for command in commands for key, option in _options(command).items()}
