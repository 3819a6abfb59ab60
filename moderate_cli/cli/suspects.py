"""`moderate suspects`: images that probably have a wrong label."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

import click

from moderate_cli.cli import console, options
from moderate_cli.cli.inputs import feature_set_of
from moderate_cli.cli.leaving import suspects_of
from moderate_cli.cli.outputs import check_table, put_table
from moderate_cli.dataset import Dataset
from moderate_cli.exporting.records import Table
from moderate_cli.label_errors.doubts import summary
from moderate_cli.label_errors.suspects import check_suspectable
from moderate_cli.results import LabeledFeatures
from moderate_cli.selection import written


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

    def listed(dataset: Dataset) -> None:
        check_suspectable(dataset.labels)

    _, store = feature_set_of(data, "suspects", listed=listed, outputs=outputs, **embedding)
    found = suspects_of(LabeledFeatures.of(store), seed)
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
    asked = ""
    if fraction != "auto":
        number = console.count(len(rows), "image is", "images are")
        asked = f"{number} listed for --fraction {written(fraction)}; "
    console.note(f"{asked}{summary(found)}")
    put_table(output, table)
