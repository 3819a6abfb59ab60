"""`moderate duplicates`: near duplicates of earlier images."""

from __future__ import annotations

from typing import Any

import click

from moderate_cli.api.duplicates import duplicates
from moderate_cli.cli import declaring, options
from moderate_cli.cli.listening import Console
from moderate_cli.cli.outputs import check_table, output_table
from moderate_cli.cli.values import Real


@click.command(cls=declaring.Sectioned)
@options.data_required
@declaring.option(
    "--threshold",
    type=Real(0, 1, min_open=True),
    default=0.95,
    help="Minimum cosine similarity of near duplicates.",
)
@options.table_output
@options.configuration
@options.embedding
def command(
    data: str,
    threshold: float,
    output: str | None,
    backbones: tuple[str, ...],
    verbose: bool,
    **embedding: Any,
) -> None:
    """List near duplicates of earlier images.

    Prints one line per near duplicate, with tabs: similarity, its path, and the path of the earlier
    image. Pairs with different labels are named on stderr. `moderate select --dedup` keeps the
    first image of each group and drops the others.
    """
    outputs = check_table(output, embedding)
    listener = Console(outputs, verbose=verbose)
    found = duplicates(
        data, threshold=threshold, listener=listener, backbone=backbones, **embedding
    )
    output_table(output, found.table())
