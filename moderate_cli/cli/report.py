"""`moderate report`: a page that shows a selection."""

from __future__ import annotations

import webbrowser
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from moderate_cli.api.keywords import inputs_of
from moderate_cli.api.report import check_page, write
from moderate_cli.cli import choosing, console, declaring, options, parsing, values
from moderate_cli.cli.choosing import choices_from, single
from moderate_cli.cli.inputs import inputs_from
from moderate_cli.cli.listening import Console
from moderate_cli.cli.outputs import Outputs, files_read
from moderate_cli.errors import OutputError


@click.command(cls=declaring.Sectioned)
@options.data_required
@declaring.option(
    "-o",
    "--output",
    command_line_only=True,
    type=values.PATH,
    metavar="FILE",
    required=True,
    help="Page to write, an .html file.",
)
@declaring.option(
    "-r",
    "--ratio",
    "ratios",
    type=parsing.ratios,
    metavar="R",
    default="0.3",
    help="Fraction to keep, 0 < R <= 1.",
)
@choosing.count
@choosing.strategy
@choosing.drop_suspects
@declaring.option(
    "--png",
    command_line_only=True,
    type=values.PATH,
    metavar="DIR",
    help="Also write the plots as .png and .svg files.",
)
@declaring.option(
    "--open", "open_it", command_line_only=True, is_flag=True, help="Open the page in a browser."
)
@options.configuration
@choosing.selecting
@options.scoring
@options.clusters
@options.lists
@options.embedding
def command(
    data: str,
    output: str,
    ratios: dict[str, Fraction] | None,
    count: int | None,
    png: str | None,
    open_it: bool,
    strategy: str,
    drop_suspects: Any,
    scope: str,
    balance: str,
    quantile: Fraction,
    min_per_class: int,
    dedup: float | None,
    criterion: str,
    center: str,
    metric: str,
    seed: int,
    verbose: bool,
    **source: Any,
) -> None:
    """Write an HTML report of the selection.

    Selects as `moderate select` does, with the same options, and writes one HTML file: the
    distribution of scores, the counts per class, images that are kept, dropped or suspect, a map
    of the features, and the results of `moderate evaluate`. The page works offline and needs no
    other file.
    """
    check_page(output, png)
    outputs = Outputs((output,), into=png, inputs=files_read(source))
    outputs.check()
    choices = choices_from(
        ratios, count, strategy=strategy, drop_suspects=drop_suspects, scope=scope,
        balance=balance, quantile=quantile, min_per_class=min_per_class, dedup=dedup,
        criterion=criterion, center=center, metric=metric, seed=seed,
    )  # fmt: skip
    inputs = inputs_of(**inputs_from(data=data, **source))
    listener = Console(outputs, verbose=verbose)
    found = write(inputs, single(choices, "report"), output, png, listener)
    console.note(f"Kept {len(found.rows)} of {len(found.mask)} images -> {output}")
    if open_it and not webbrowser.open(Path(output).absolute().as_uri()):
        raise OutputError(f"{output}: there is no browser to open it in")
