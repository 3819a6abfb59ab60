"""`moderate duplicates`: near duplicates of earlier images."""

from __future__ import annotations

from typing import Any

import click

from moderate_cli.api.duplicates import duplicates
from moderate_cli.cli import declaring, options, shares
from moderate_cli.cli.inputs import inputs_from
from moderate_cli.cli.listening import Console
from moderate_cli.cli.outputs import check_table, output_table
from moderate_cli.cli.values import PATH


@click.command(
    cls=declaring.Sectioned,
    common=("threshold", "against", "output", "backbone", "features"),
    examples=(
        ("moderate duplicates data/train", "list near duplicates"),
        ("moderate duplicates data/train --against data/test", "list leaks"),
    ),
)
@options.data_optional
@declaring.option(
    "--threshold",
    type=shares.SIMILARITY,
    default=0.95,
    help="Minimum cosine similarity of near duplicates.",
)
@declaring.option(
    "--against",
    type=PATH,
    metavar="DIR",
    help="List images that nearly equal one of this dataset, such as a test set.",
)
@options.table_output
@options.configuration
@options.one_array
@options.lists
@options.embedding
def command(
    threshold: float,
    against: str | None,
    output: str | None,
    verbose: bool,
    **source: Any,
) -> None:
    """List near duplicates of earlier images.

    Prints one line per near duplicate, with tabs: similarity, its path, and the path of the earlier
    image. Pairs with different labels are named on stderr. `moderate select --dedup` keeps the
    first image of each group and drops the others.
    """
    outputs = check_table(output, source)
    listener = Console(outputs, verbose=verbose)
    found = duplicates(
        threshold=threshold, against=against, listener=listener, **inputs_from(**source)
    )
    output_table(output, found.table())
