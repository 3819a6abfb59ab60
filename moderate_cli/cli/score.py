"""`moderate score`: scores as text or array."""

from __future__ import annotations

from typing import Any

import click
import numpy as np

from moderate_cli.api.score import score
from moderate_cli.charts.histogram import ASCII, EIGHTHS, bars
from moderate_cli.cli import console, declaring, options, precedence
from moderate_cli.cli.inputs import inputs_from
from moderate_cli.cli.listening import Console
from moderate_cli.cli.outputs import Outputs, files_read
from moderate_cli.exporting import SCORE_FORMATS, check_output, score_lines, write_scores
from moderate_cli.literals import Center, Criterion, Metric


@click.command(
    cls=declaring.Sectioned,
    common=("criterion", "histogram", "output", "backbone", "features"),
    examples=(
        ("moderate score data/train | sort -g | tail", "the farthest images"),
        ("moderate score data/train --histogram", "draw the distribution"),
    ),
)
@options.data_optional
@options.output_in(SCORE_FORMATS)
@declaring.option(
    "--histogram", "draw", is_flag=True, help="Draw the distribution instead of printing lines."
)
@options.configuration
@options.scoring
@options.arrays
@options.lists
@options.embedding
def command(
    output: str | None,
    draw: bool,
    criterion: Criterion,
    center: Center,
    metric: Metric,
    seed: int,
    verbose: bool,
    **source: Any,
) -> None:
    """Print a score per image: the distance to its class center.

    Prints one line per image, in ImageFolder's order: score, tab, path relative to DATA.
    --criterion chooses another score. With --features and --labels instead of DATA, row numbers
    replace paths.
    """
    if output is not None:
        check_output(output, SCORE_FORMATS)
    outputs = Outputs(() if output is None else (output,), inputs=files_read(source))
    outputs.check()
    center, metric = precedence.centered(criterion, center, metric)
    listener = Console(outputs, verbose=verbose)
    scores = score(
        criterion=criterion, center=center, metric=metric, seed=seed, listener=listener,
        **inputs_from(**source),
    )  # fmt: skip
    readable = ~np.isnan(scores.values)
    if output is not None:
        write_scores(output, scores)
    if draw:
        blocks = EIGHTHS if console.can_show(EIGHTHS) else ASCII
        console.write(bars(scores.values[readable], console.width(), blocks=blocks).encode())
    elif output is None:
        for lines in score_lines(scores, np.flatnonzero(readable)):
            console.write(lines)
