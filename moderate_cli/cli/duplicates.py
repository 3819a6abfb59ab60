"""`moderate duplicates`: images that show nearly the same as an earlier one."""

from __future__ import annotations

from typing import Any

import click
import numpy as np

from moderate_cli.cli import console, options
from moderate_cli.cli.inputs import feature_set_of, tell_of_duplicates
from moderate_cli.cli.leaving import PATIENCE
from moderate_cli.cli.outputs import check_table, put_table
from moderate_cli.cli.values import Real
from moderate_cli.exporting.records import Table
from moderate_cli.selection.duplicates import find_duplicates


@click.command(cls=options.Sectioned)
@options.data_required
@options.option(
    "--threshold",
    type=Real(0, 1, min_open=True),
    default=0.95,
    help="Cosine similarity from which on two images are near duplicates.",
)
@options.table_output
@options.embedding
@options.configuration
def command(data: str, threshold: float, output: str | None, **embedding: Any) -> None:
    """List images that are nearly the same as an earlier one.

    One line per duplicate: similarity, tab, its path, tab, the path of the image that it
    duplicates. Those paths are the first of their group; `moderate select --dedup` keeps them and
    drops the others. Pairs with different classes are named on stderr.
    """
    outputs = check_table(output, embedding)
    _, store = feature_set_of(data, "duplicates", outputs=outputs, **embedding)
    store.check_features()
    with console.progress("duplicates", delay=PATIENCE) as move:
        found = find_duplicates(store.features, np.flatnonzero(store.readable), threshold, move)
    tell_of_duplicates(found, store.labels, store.paths)
    table = Table(
        ("similarity", "path", "duplicate_of"),
        [
            (round(similarity, 6), store.paths[row], store.paths[survivor])
            for row, survivor, similarity in zip(*map(np.ndarray.tolist, found), strict=True)
        ],
    )
    put_table(output, table)
