"""`moderate suspects`: images that probably have a wrong label."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

import click

from moderate_cli.api.suspects import suspects
from moderate_cli.cli import console, declaring, options, parsing
from moderate_cli.cli.inputs import inputs_from
from moderate_cli.cli.listening import Console
from moderate_cli.cli.outputs import check_table, output_table
from moderate_cli.selection import written
from moderate_cli.text import counted
from moderate_cli.words import say_noise


@click.command(cls=declaring.Sectioned)
@options.data_optional
@declaring.option(
    "--fraction",
    type=parsing.fraction,
    metavar="auto|F",
    default="auto",
    help="List images with a probability above 0.5, or this fraction of all images.",
)
@options.table_output
@options.configuration
@options.one_array
@options.lists
@options.embedding
def command(
    fraction: Fraction | Literal["auto"],
    output: str | None,
    verbose: bool,
    **source: Any,
) -> None:
    """List images that probably have a wrong label.

    Prints one line per image, with tabs, the most probable errors first: path, class, the class
    that it looks like, and the probability that the label is wrong. Estimates the share of wrong
    labels on stderr. `moderate select --drop-suspects auto` drops these images.
    """
    outputs = check_table(output, source)
    listener = Console(outputs, verbose=verbose)
    found = suspects(fraction=fraction, listener=listener, **inputs_from(**source))
    asked = ""
    if fraction != "auto":
        number = counted(len(found.rows), "image")
        asked = f"listed {number} for --fraction {written(fraction)}; "
    console.note(f"{asked}{say_noise(found.noise)}")
    output_table(output, found.table())
