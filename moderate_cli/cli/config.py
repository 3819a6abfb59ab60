"""`--config`: options from a TOML file, below the command line and the environment."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import click

from moderate_cli.cli import console
from moderate_cli.files.regular import read_once

PACKAGE = Path(__file__).parents[1]
CONFIG = "moderate.config"  # name of the file that was read, in the context of a command


def bundled() -> dict[str, Path]:
    """Return the presets that come with the package, by name."""
    # In a wheel they lie inside the package, in a checkout beside it.
    folder = next(path / "configs" for path in (PACKAGE, PACKAGE.parent) if _has_configs(path))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def apply(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    """Make a config file's values the defaults of a command's options."""
    if value is None or ctx.resilient_parsing:
        return
    content = _read(value)
    ctx.meta[CONFIG] = value
    own = _options(ctx.command)
    foreign = content.keys() - own.keys()  # of another command: a file may serve several
    known = (_all_options() if foreign else {}) | own
    if unknown := foreign - known.keys():
        raise click.UsageError(f"{value}: no option is called {min(unknown)!r}", ctx)
    for key in sorted(content):
        if getattr(known[key], "command_line_only", False):
            reason = f"{key} may be set on the command line only, as --{key}"
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
    """Return a setting as it would stand on the command line."""
    several = option.multiple or (option.metavar or "").endswith("...]")  # with commas
    for one in setting if isinstance(setting, list) and several else [setting]:
        if isinstance(one, bool) != option.is_flag:
            kind = "true or false" if option.is_flag else "no true or false"
            raise click.UsageError(f"{value}: {key}: takes {kind}")
        if not isinstance(one, (bool, str, int, float)):
            name = "list" if isinstance(one, list) else "table" if isinstance(one, dict) else "date"
            raise click.UsageError(f"{value}: {key}: takes no {name}")
        if "\0" in str(one):
            raise click.UsageError(f"{value}: {key}: holds a NUL character")
    if setting == []:
        raise click.UsageError(f"{value}: {key}: is an empty list; name one, or leave it out")
    if isinstance(setting, bool):
        return setting
    texts = list(map(str, setting if isinstance(setting, list) else [setting]))
    return texts if option.multiple else ",".join(texts)


def _read(value: str) -> dict[str, Any]:
    presets = bundled()
    path = presets.get(value, Path(value))
    try:
        content = read_once(path, lambda: console.note(f"waiting for who writes to {value}"))
        text = content.decode()
        return tomllib.loads(text)
    except OSError as error:
        known = ", ".join(presets)
        raise click.UsageError(f"{value}: {error.strerror}; bundled presets: {known}") from None
    except RecursionError:
        raise click.UsageError(f"{value}: is nested too deep to be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{value}: is not TOML ({error})") from None
    except ValueError:  # of int(), which tomllib lets pass
        raise click.UsageError(f"{value}: {_key_of_long_number(text)}too many digits") from None


def _key_of_long_number(content: str) -> str:
    found = re.search(
        r"^[ \t]*([\w-]+)[ \t]*=[^\n]*?\d{1000}", content.replace("_", ""), re.MULTILINE
    )
    return f"{found[1]}: has " if found else "a number has "


def _options(command: click.Command) -> dict[str, click.Option]:
    """Return a command's options by the long name that a file calls them."""
    options = {
        max(param.opts, key=len).lstrip("-"): param
        for param in command.params
        if isinstance(param, click.Option)
    }
    options.pop("config", None)  # a file names no other file
    return options


def _all_options() -> dict[str, click.Option]:
    from moderate_cli.cli import COMMANDS

    commands: list[click.Command] = [
        importlib.import_module(f"moderate_cli.cli.{name}").command for name in COMMANDS
    ]
    return {key: option for command in commands for key, option in _options(command).items()}


def _has_configs(folder: Path) -> bool:
    return (folder / "configs").is_dir()
