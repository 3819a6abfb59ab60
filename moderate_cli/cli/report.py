"""`moderate report`: a page that shows a selection."""

from __future__ import annotations

import os
import webbrowser
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from moderate_cli.api.keywords import inputs_of
from moderate_cli.api.report import check_page, write
from moderate_cli.cli import choosing, console, declaring, options, values
from moderate_cli.cli.choosing import choices_from, single
from moderate_cli.cli.inputs import inputs_from
from moderate_cli.cli.listening import Console
from moderate_cli.cli.outputs import Outputs, files_read
from moderate_cli.errors import OutputError
from moderate_cli.reporting.projection import METHODS


@click.command(
    cls=declaring.Sectioned,
    common=("output", "ratio", "strategy", "drop-suspects", "open"),
    examples=(
        ("moderate report data/train --open", "show the page"),
        ("moderate report data/train -r 0.1 -o page.html", "keep a tenth"),
    ),
)
@options.data_required
@options.output("Page to write, an .html file.  [default: DATA-report.html]")
@choosing.ratio
@choosing.count
@choosing.strategy
@choosing.drop_suspects
@choosing.keep_from
@declaring.option(
    "--png",
    command_line_only=True,
    type=values.PATH,
    metavar="DIR",
    help="Also write the plots as .png and .svg files.",
)
@declaring.option(
    "--map",
    "method",
    command_line_only=True,
    type=values.Choice(list(METHODS)),
    default="pca",
    help="Place the images of the map by principal components, or by UMAP, which takes longer.",
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
    output: str | None,
    ratios: dict[str, Fraction] | None,
    count: int | None,
    png: str | None,
    method: str,
    open_it: bool,
    strategy: str,
    drop_suspects: Any,
    keep_from: str | None,
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

    Selects as `moderate select` does, with the same options, and writes one HTML file: whether the
    selection is better than a random one, if `moderate evaluate` has compared it; likely label
    errors, to be reviewed; the images that are kept and dropped; a map of the features; scores and
    counts per class. The page works offline and needs no other file.
    """
    page = output if output is not None else _beside(data)
    check_page(page, png, method)
    outputs = Outputs((page,), into=png, inputs=files_read(source))
    outputs.check()
    choices = choices_from(
        ratios, count, strategy=strategy, drop_suspects=drop_suspects, scope=scope,
        balance=balance, quantile=quantile, min_per_class=min_per_class, dedup=dedup,
        criterion=criterion, center=center, metric=metric, seed=seed,
    )  # fmt: skip
    inputs = inputs_of(**inputs_from(data=data, **source))
    listener = Console(outputs, verbose=verbose)
    found = write(
        inputs, single(choices, "report"), page, png, listener, method=method, keep_from=keep_from
    )
    console.note(f"Kept {found.summary} -> {page}")
    if png is not None:
        console.note(f"Wrote the plots -> {png}")
    address = Path(page).absolute().as_uri()
    if output is None:
        console.hint(f"open {address}, or add --open")
    if open_it and not webbrowser.open(address):
        raise OutputError(f"{page}: there is no browser to open it in")


def _beside(data: Any) -> str:
    """Return the page of a dataset, beside it; of a remote one, here."""
    name = os.fspath(data)
    if "://" in name:
        return f"{name.rstrip('/').rpartition('/')[2]}-report.html"
    plain = os.path.normpath(name)
    return f"{plain if os.path.basename(plain).strip('.') else os.path.abspath(name)}-report.html"
