"""`moderate report`: a page that shows what is kept and why."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
import numpy as np

from moderate_cli.charts.drawing import check_drawable
from moderate_cli.cli import console, options
from moderate_cli.cli.choosing import Chosen, amounts_of, choose, count, selecting
from moderate_cli.cli.leaving import PATIENCE
from moderate_cli.cli.outputs import Outputs, inputs_of
from moderate_cli.errors import OutputError
from moderate_cli.reporting import Subject, map_of, write_plots, write_report
from moderate_cli.reporting.evaluations import evaluations_in
from moderate_cli.selection import PICKS, written
from moderate_cli.store.feature_store import open_store


@click.command(cls=options.Sectioned)
@options.data_required
@options.option(
    "-o",
    "--output",
    command_line_only=True,
    type=options.PATH,
    metavar="FILE",
    required=True,
    help="The page to write, an .html file.",
)
@options.option(
    "-r",
    "--ratio",
    "ratios",
    type=options.ratios,
    metavar="R",
    default="0.3",
    help="Fraction to keep, 0 < R <= 1.",
)
@count
@selecting
@options.option(
    "--png",
    command_line_only=True,
    type=options.PATH,
    metavar="DIR",
    help="Write the plots as files, too.",
)
@options.option(
    "--open", "open_it", command_line_only=True, is_flag=True, help="Open the page in the browser."
)
@options.scoring
@options.labels_option
@options.embedding
@options.configuration
def command(
    data: str,
    output: str,
    ratios: dict[str, Fraction] | None,
    count: int | None,
    png: str | None,
    open_it: bool,
    **chosen_by: Any,
) -> None:
    """Make a page that shows what is kept and why.

    Chooses as `moderate select` does, with the same options, and writes one HTML file: the
    distribution of scores, the share of each class, images that are kept, dropped or suspect, a map
    of the features, and what `moderate evaluate` found. It needs no network and nothing beside it.
    With --png, the plots also go to DIR, as .png and .svg files for a paper.
    """
    for destination in (output, png):
        if destination is not None:
            check_drawable(destination)
    if not output.lower().endswith((".html", ".htm")):
        raise click.UsageError(f"--output {output} must end in .html")
    outputs = Outputs((output,), into=png, inputs=inputs_of(chosen_by))
    outputs.check()
    amounts = amounts_of(ratios, count)
    if len(amounts) > 1:
        raise click.UsageError("a report wants one --ratio")
    found = choose(
        amounts, data=data, features_files=(), scores_file=None, outputs=outputs, **chosen_by
    )
    chosen = next(iter(found.values()))
    # Suspects are found when the page first asks for them.
    with console.progress("suspects", unit="step", delay=PATIENCE) as move:
        subject = _subject(chosen, chosen_by, move)
        projection, evaluations = map_of(subject), evaluations_in(subject.data.folder)
        write_report(output, subject, projection, evaluations)
    if png is not None:
        write_plots(png, subject, projection, evaluations)
    console.note(f"{np.count_nonzero(subject.kept)} of {len(subject.scores)} images in {output}")
    if open_it and not webbrowser.open(Path(output).absolute().as_uri()):
        raise OutputError(f"{output}: there is no browser to open it in")


def _subject(
    chosen: Chosen, chosen_by: dict[str, Any], on_progress: Callable[[int, int], None]
) -> Subject:
    found, eligible = chosen.prepared.found, chosen.prepared.eligible
    assert found.dataset is not None
    unreadable: dict[str, str] = {}
    for features in found.sets:
        store = None if features.folder is None else open_store(features.folder)
        if store is not None:
            unreadable |= {store.paths[row]: why for row, why in store.unreadable.items()}
    return Subject(
        dataset=found.dataset,
        data=found.sets[0],
        scores=found.scores,
        eligible=eligible.readable,
        kept=chosen.mask,
        how=chosen.how,
        rescued=chosen.rescued,
        lost=chosen.lost,
        several_sets=len(found.sets) > 1,
        dedup=chosen.prepared.duplicates,
        spared={what: len(one.spared) for what, one in chosen.prepared.left_out.items()},
        on_progress=on_progress,
        unreadable=unreadable,
        options=_options(chosen.how, chosen.prepared.options, chosen_by),
    )


def _options(how: Any, prepared: dict[str, Any], chosen_by: dict[str, Any]) -> dict[str, str]:
    """Name what led to the selection, by the long names of options."""
    named = {name: how.get(name) for name in ("ratio", "count", "strategy", "scope", "balance")}
    named["scope"] = how["scope"] or ("class" if how["strategy"] in PICKS else "global")
    named |= {"quantile": how["quantile"], "min-per-class": how["min_per_class"]}
    named |= {name: prepared[name] for name in ("criterion", "drop-suspects")}
    named |= {name: chosen_by[name] for name in ("center", "metric", "dedup", "seed")}
    named |= {"labels": chosen_by["labels_file"], "backbone": ", ".join(chosen_by["backbones"])}
    named |= {name: chosen_by[name] for name in ("precision", "dtype", "decode")}
    return {
        name: written(value) if isinstance(value, Fraction) else str(value)
        for name, value in named.items()
        if value is not None
    }
