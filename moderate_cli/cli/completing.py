"""Completion of values that are no fixed choice, such as presets, strategies and columns."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from moderate_cli.presets import bundled


def presets(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a preset, or else a file."""
    found = _starting(bundled(), incomplete)
    return [*found, CompletionItem(incomplete, type="file")]


def files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a file, for an option that also takes other values."""
    return [CompletionItem(incomplete, type="file")]


def strategies(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the last one of several strategies with commas."""
    from moderate_cli.selection import STRATEGIES

    before, comma, last = incomplete.rpartition(",")
    return [
        CompletionItem(f"{before}{comma}{name}")
        for name in STRATEGIES
        if name.startswith(last) and name not in before.split(",")
    ]


def columns(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a column of DATA, if that is a list with a header."""
    data = _data(ctx)
    if not data.endswith((".csv", ".tsv")):
        return []
    try:
        with open(data, encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file, "excel-tab" if data.endswith(".tsv") else "excel"), [])
    except (OSError, ValueError, csv.Error):
        return []
    return _starting(header, incomplete)


def splits(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a folder of DATA."""
    try:
        with os.scandir(_data(ctx)) as entries:
            return _starting(sorted(one.name for one in entries if one.is_dir()), incomplete)
    except OSError:
        return []


def _data(ctx: click.Context) -> str:
    """Return DATA; an option that still lacks its value keeps click from assigning it."""
    return next(map(str, filter(None, (ctx.params.get("data"), *ctx.args))), "")


def _starting(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
