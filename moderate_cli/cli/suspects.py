"""`moderate suspects`: images that probably have a wrong label."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

import click

from moderate_cli.cli import console, options
from moderate_cli.cli.inputs import feature_set_of
from moderate_cli.cli.outputs import check_table, put_table
from moderate_cli.derived import LabeledFeatures
from moderate_cli.records import Table


@click.command(cls=options.Sectioned)
@options.data_required
@options.option(
    "--fraction",
    type=options.fraction,
    metavar="auto|F",
    default="auto",
    help="List those more probably wrong than not, or this fraction of all images.",
)
@options.table_output
@options.seed
@options.embedding
@options.configuration
def command(
    data: str,
    fraction: Fraction | Literal["auto"],
    output: str | None,
    seed: int,
    **embedding: Any,
) -> None:
    """List images that probably have a wrong label.

    One line per image, the most probable first: path, tab, its class, tab, the class that it looks
    like, tab, the probability that the label is wrong. `moderate select --drop-suspects auto`
    leaves them out. How many labels are wrong is estimated from the data, and said on stderr.
    """
    outputs = check_table(output, embedding)
    _, store = feature_set_of(data, "suspects", outputs=outputs, **embedding)
    found = LabeledFeatures.of(store).suspects(seed=seed)
    classes, rows = store.manifest.classes, found.most_probable(fraction)
    table = Table(
        ("path", "class", "looks_like", "probability"),
        [
            (store.paths[row], classes[label], classes[other], round(probability, 6))
            for row, label, other, probability in zip(
                rows.tolist(),
                store.labels[rows].tolist(),
                found.looks_like[rows].tolist(),
                found.probability[rows].tolist(),
                strict=True,
            )
        ],
    )
    number = console.count(len(rows), "suspect", "suspects")
    console.note(f"{number}; about {100 * found.noise_rate:.1f} % of all labels are wrong")
    put_table(output, table)
