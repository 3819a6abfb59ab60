"""`moderate suspects`: images that probably have a wrong label."""

from __future__ import annotations

import shlex
from fractions import Fraction
from typing import Any, Literal

import click

from moderate_cli.api.suspects import suspects
from moderate_cli.cli import console, declaring, options, precedence, shares
from moderate_cli.cli.inputs import inputs_from
from moderate_cli.cli.listening import Console
from moderate_cli.cli.outputs import check_table, output_table
from moderate_cli.dataset.correcting import corrections_lost
from moderate_cli.errors import OutputError
from moderate_cli.selection import written
from moderate_cli.text import counted


@click.command(
    cls=declaring.Sectioned,
    common=("fraction", "output", "backbone", "features", "labels"),
    examples=(
        ("moderate suspects data/train | head", "the surest errors"),
        ("moderate suspects data/train -o suspects.csv", "write a table"),
    ),
)
@options.data_optional
@declaring.option(
    "--fraction",
    type=shares.Share("auto", one=False),
    metavar="auto|F",
    default="auto",
    help="List images with a probability above 0.5, or this fraction of all images.",
)
@options.table_output
@options.copies
@options.link
@options.force
@options.configuration
@options.one_array
@options.lists
@options.embedding
def command(
    fraction: Fraction | Literal["auto"],
    output: str | None,
    copy_to: str | None,
    link: str,
    force: bool,
    verbose: bool,
    **source: Any,
) -> None:
    """List images that probably have a wrong label.

    Prints one line per image, the most probable errors first: path, given class, the class that is
    seen in it, and the probability that the label is wrong. Estimates the share of wrong labels on
    stderr. To look at the images, use --copy-to: those of class dog that look like cat are in
    dog-cat. To correct labels, edit the column label of a .csv and pass it to any command as
    --labels. DATA is never changed.
    """
    if copy_to is None:
        precedence.refuse_without("--copy-to", {"force", "link"})
    elif source["data"] is None:
        raise click.UsageError("--copy-to needs DATA, a dataset folder")
    outputs = check_table(output, source, copy_to, force=force)
    if output is not None and output.lower().endswith(".csv"):
        _refuse_corrected(output, source["labels_file"])
    listener = Console(outputs, verbose=verbose)
    found = suspects(fraction=fraction, listener=listener, **inputs_from(**source))
    number = counted(len(found.rows), "image")
    asked = f"listed {number} for --fraction {written(fraction)}; " if fraction != "auto" else ""
    console.note(f"{asked}{found.said}")
    if output is not None or copy_to is None:
        as_text = output is None or output.lower().endswith(".txt")
        output_table(output, found.table(label=not as_text))
        if output is not None and output.lower().endswith(".csv"):
            advice = f"; correct its column label, then pass --labels {output}"
            console.note(f"Wrote {number} -> {output}{advice if len(found.rows) else ''}")
    if copy_to is not None:
        found.copy_to(copy_to, link=link, force=force, listener=listener)
        console.note(f"Copied {number} -> {copy_to}; suspects.csv in it lists them")


def _refuse_corrected(output: str, kept: str | None) -> None:
    """Refuse to replace a list with corrections that are in no other file."""
    number = corrections_lost(output, kept)
    if number:
        raise OutputError(
            f"{output}: has {counted(number, 'correction')} of yours; pass --labels"
            f" {shlex.quote(output)} -o more.csv to keep {'it' if number == 1 else 'them'}, or"
            " choose another file"
        )
