"""`moderate evaluate`: compare strategies and ratios on a dataset."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal

import click

from moderate_cli.api.evaluate import COMPARED, EVALUATORS, RATIOS, evaluate
from moderate_cli.charts.curves import draw_curves
from moderate_cli.charts.drawing import SUFFIXES, check_drawable
from moderate_cli.cli import (
    choosing,
    comparing,
    completing,
    console,
    declaring,
    options,
    parsing,
    precedence,
    shares,
)
from moderate_cli.cli.inputs import inputs_from
from moderate_cli.cli.listening import Console
from moderate_cli.cli.outputs import Outputs, files_read
from moderate_cli.cli.values import Choice, Whole
from moderate_cli.evaluation import Comparison
from moderate_cli.evaluation.cells import strategy_in
from moderate_cli.evaluation.recipe import BATCH, NETWORKS, SMALL, STEPS
from moderate_cli.exporting import TABLE_FORMATS, check_output, formatted, write_table
from moderate_cli.literals import Center, Criterion, Judge, Metric, Scope
from moderate_cli.networks.table import WHERE
from moderate_cli.selection import SCOPES, STRATEGIES
from moderate_cli.text import one_of


def _strategies(text: str) -> list[str]:
    """Read strategies with commas; "moderate:0.25" also names the quantile of its window."""
    names = [part.strip() for part in text.split(",")]
    with parsing.as_bad_parameter("strategy"):
        for name in names:
            strategy_in(name)
    return names


def _scope_beside(strategies: list[str]) -> Scope:
    """Return the global scope of a preset, unless a strategy excludes it."""
    names = [strategy_in(text)[0] for text in strategies]
    return "class" if any(STRATEGIES[name].within_classes for name in names) else "global"


def _write_records(destination: str, found: Comparison) -> None:
    write_table(destination, found.table())


def _write_curves(destination: str, found: Comparison) -> None:
    draw_curves(destination, found.points, found.subtitle)


FORMATS: dict[str, Callable[[str, Comparison], None]] = {
    **dict.fromkeys(TABLE_FORMATS, _write_records),
    **dict.fromkeys(SUFFIXES, _write_curves),
}


@click.command(
    cls=declaring.Sectioned,
    common=("test", "ratio", "strategy", "with", "output"),
    examples=(
        ("moderate evaluate data/train --test data/test", "judge on a test set"),
        ("moderate evaluate data/train -r 0.3 -o curves.png", "draw the result"),
    ),
)
@options.data_optional
@declaring.option(
    "-r",
    "--ratio",
    "ratios",
    type=shares.RATIOS,
    metavar="R[,R...]",
    default=",".join(RATIOS),
    help="Fractions to keep.",
)
@declaring.option(
    "--strategy",
    "strategies",
    type=_strategies,
    shell_complete=completing.strategies,
    metavar="NAME[,NAME...]",
    default=",".join(COMPARED),
    help="Strategies to compare (`moderate help strategies`); moderate:Q puts the window at"
    " quantile Q.",
)
@declaring.option(
    "--drop-suspects",
    type=choosing.DROPPED,
    metavar="auto|F",
    help="Also evaluate each strategy after dropping likely mislabeled images.",
)
@comparing.seeds(default=5)
@declaring.option(
    "--within",
    type=shares.Share(zero=True, one="%", number=float, example="1%"),
    metavar="P%",
    help="Report the smallest selection within P% (or a fraction) of the full set's accuracy.",
)
@comparing.test
@declaring.option(
    "--with",
    "evaluator",
    type=Choice(EVALUATORS),
    metavar="NAME",
    default="probe",
    help="Judge with a linear probe, a network to train from scratch, or fine-tune the backbone.",
)
@declaring.option(
    "--network",
    type=Choice(NETWORKS, WHERE),
    metavar="NAME",
    default=SMALL,
    help="Network for --with train: cnn for small images, or a classifier.",
)
@declaring.option(
    "--steps",
    type=Whole(min=1, max=10**7),
    help=f"Training steps of {BATCH} images.  [default: {STEPS['train']}, or"
    f" {STEPS['fine-tune']} to fine-tune]",
)
@declaring.option(
    "--size",
    type=Whole(min=8, max=4096),
    help="Pixels per side.  [default: 32, or the backbone's own size]",
)
@declaring.option("--csv", is_flag=True, help="Print the table as CSV, in fractions.")
@declaring.option("--json", is_flag=True, help="Print the table as JSON, in fractions.")
@options.output(
    f"Also write it to a {one_of([*TABLE_FORMATS])} file, or curves to a {one_of(SUFFIXES)} file.",
    "outputs",
    multiple=True,
)
@options.configuration
@declaring.option(
    "--scope",
    type=Choice(SCOPES),
    metavar="NAME",
    default="class",
    help="As in `moderate select`: class or global.",
)
@options.scoring
@options.one_array
@options.lists
@options.embedding
def command(
    test: str | None,
    evaluator: Judge,
    network: str,
    steps: int | None,
    size: int | None,
    ratios: dict[str, Fraction],
    strategies: list[str],
    drop_suspects: Fraction | Literal["auto", "nothing"] | None,
    seeds: int,
    within: float | None,
    scope: Scope,
    csv: bool,
    json: bool,
    outputs: tuple[str, ...],
    criterion: Criterion,
    center: Center,
    metric: Metric,
    seed: int,
    verbose: bool,
    **source: Any,
) -> None:
    """Train a classifier on each selection and compare accuracies.

    The classifier is a linear probe on the features. It takes seconds per selection, but
    undervalues diversity compared with training from scratch. --with train is the stronger test: it
    trains a network for the same number of steps on every selection. --with fine-tune starts from
    the backbone's weights. The recommended strategy and random selection are always compared.

    Each seed selects from a different random 80 % of DATA. Without --test, it judges on the rest,
    where labels that are probably wrong count less. The 95 % intervals are about new images; with
    --test, about other seeds. An interrupted evaluation continues where it stopped.
    """
    if csv and json:
        raise click.UsageError("use --csv or --json, not both")
    writers = _writers(outputs)
    # A preset may set options of networks for the other evaluators.
    if evaluator == "probe":
        precedence.refuse_without("--with train or --with fine-tune", {"steps", "size"})
        steps = size = None
    if evaluator != "train":
        precedence.refuse_without("--with train", {"network"})
        network = SMALL
    center, metric = precedence.centered(criterion, center, metric)
    if scope == "global" and precedence.stronger("strategies", "scope") == "strategies":
        scope = _scope_beside(strategies)
    written = Outputs(outputs, inputs=files_read(source))
    written.check()
    found = evaluate(
        test=test, with_=evaluator, network=network, steps=steps, size=size,
        ratio=list(ratios.values()),
        strategy=None if precedence.left_alone("strategies") else strategies,
        drop_suspects=drop_suspects, seeds=seeds,
        scope=scope, criterion=None if precedence.left_alone("criterion") else criterion,
        center=center, metric=metric, seed=seed,
        listener=Console(written, verbose=verbose), **inputs_from(**source),
    )  # fmt: skip
    for output, write in zip(outputs, writers, strict=True):
        write(output, found)
    if csv or json:
        console.write(formatted(found.table(), ".csv" if csv else ".json"))
    else:
        console.write(found.text(with_command=within is None).encode())
    if within is not None:
        console.note(found.advice(within))


def _writers(outputs: tuple[str, ...]) -> list[Callable[[str, Comparison], None]]:
    """Refuse wrong outputs before minutes of training, not after."""
    writers = [check_output(output, FORMATS) for output in outputs]
    for output, write in zip(outputs, writers, strict=True):
        if write is _write_curves:
            check_drawable(output)
    return writers
