"""`moderate suggest`: look at a dataset, and show the one command to use."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any, Literal

import click

from moderate_cli.api.suggest import PURPOSES, SEEDS, suggest
from moderate_cli.cli import (
    choosing,
    comparing,
    console,
    declaring,
    options,
    precedence,
    select,
)
from moderate_cli.cli.choosing import single
from moderate_cli.cli.inputs import inputs_from
from moderate_cli.cli.listening import Console
from moderate_cli.cli.outputs import Outputs, files_read
from moderate_cli.cli.values import Choice
from moderate_cli.evaluation.about import OUTPUT
from moderate_cli.exporting import check_output, index_formats


@click.command(
    cls=declaring.Sectioned,
    common=("ratio", "test", "for", "output", "copy-to"),
    examples=(
        ("moderate suggest data/train", "compare, and show a command"),
        ("moderate suggest data/train --copy-to train-30", "and run it"),
    ),
)
@options.data_required
@choosing.ratio
@comparing.test
@declaring.option(
    "--for",
    "purpose",
    type=Choice(list(PURPOSES)),
    default="fine-tune",
    help="What the images are for: to fine-tune a network, to train one from scratch, or a linear"
    " probe.",
)
@comparing.seeds(told=f"  [default: {SEEDS['probe']}, or {SEEDS['train']} to train]")
@options.output("Go on and make the selection: write it to a file, as `moderate select` does.")
@options.copy_to("Go on and make the selection: copy the kept images to a new folder.")
@options.force
@options.seed
@options.corrections
@options.lists
@options.embedding
def command(
    ratios: dict[str, Fraction],
    test: Any,
    purpose: Literal["fine-tune", "train", "probe"],
    seeds: int | None,
    output: str | None,
    copy_to: str | None,
    force: bool,
    seed: int,
    verbose: bool,
    **source: Any,
) -> None:
    """Look at a dataset, compare selections, and show the command to use.

    Looks for label errors, near duplicates, small classes and unreadable images, and at how well
    the features know the classes. Compares the recommended strategy, random selection and the
    default on a test set. Ends with one table, one verdict and one command; with -o or --copy-to,
    it runs that command.

    --balance is not compared: shares that are equal (uniform) help rare classes and cost common
    ones, so how often each class occurs where you use the network decides.

    Results are stored: a second run takes seconds.
    """
    ratio = single(ratios, "suggest")
    if copy_to is not None and "://" in os.fspath(source["data"]):
        raise click.UsageError("--copy-to needs images on this machine; -o lists the kept ones")
    if copy_to is None:
        precedence.refuse_without("--copy-to", {"force"})
    named = [*(("-o", output) if output else ()), *(("--copy-to", copy_to) if copy_to else ())]
    named += ["--force"] * force
    if output is not None:
        check_output(output, index_formats(source["data"]))
    outputs = Outputs(
        (output,) if output else (), (copy_to,) if copy_to else (), force=force,
        inputs=files_read(source),
    )  # fmt: skip
    outputs.check()
    if precedence.left_alone("on_error"):
        del source["on_error"]
    found = suggest(
        ratio=ratio, test=test, for_=purpose, seeds=seeds, seed=seed,
        listener=Console(outputs, verbose=verbose), **inputs_from(**source),
    )  # fmt: skip
    console.write(found.text(named or OUTPUT).encode(errors="surrogateescape"))
    if named:
        with select.command.make_context("moderate select", found.words(named)[2:]) as context:
            select.command.invoke(context)
