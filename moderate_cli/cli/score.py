"""`moderate score`: distances as text or array."""

from __future__ import annotations

from typing import Any

import click
import numpy as np

from moderate_cli.charts.histogram import ASCII, EIGHTHS, bars
from moderate_cli.cli import console, options
from moderate_cli.cli.inputs import source_from
from moderate_cli.cli.outputs import Outputs, inputs_of
from moderate_cli.exporting.records import SCORE_FORMATS, check_output, score_lines, write_scores


@click.command(cls=options.Sectioned)
@options.data_optional
@options.option(
    "-o",
    "--output",
    command_line_only=True,
    type=options.PATH,
    metavar="FILE",
    help="Write to a .txt, .csv or .npy file in place of stdout.",
)
@options.option(
    "--histogram", "draw", is_flag=True, help="Draw the distribution in place of the lines."
)
@options.scoring
@options.arrays
@options.embedding
@options.configuration
def command(output: str | None, draw: bool, **source: Any) -> None:
    """Write the distance of each image to its class center.

    One line per image, in the order of ImageFolder: distance, tab, path relative to DATA. With
    --features and --labels in place of DATA, row numbers stand for paths.
    """
    if output is not None:
        check_output(output, SCORE_FORMATS)
    outputs = Outputs(() if output is None else (output,), inputs=inputs_of(source))
    outputs.check()
    scores = source_from(**source, outputs=outputs).scores
    readable = ~np.isnan(scores.values)
    if output is not None:
        write_scores(output, scores)
    if draw:
        blocks = EIGHTHS if console.can_show(EIGHTHS) else ASCII
        console.write(bars(scores.values[readable], console.width(), blocks=blocks).encode())
    elif output is None:
        for lines in score_lines(scores, np.flatnonzero(readable)):
            console.write(lines)
