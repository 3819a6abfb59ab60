"""`moderate select`: which images to keep."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import click
import numpy as np

from moderate_cli.api.keywords import inputs_of
from moderate_cli.api.select import select_each
from moderate_cli.choosing import Selection
from moderate_cli.cli import choosing, console, declaring, options, parsing, precedence, values
from moderate_cli.cli.choosing import choices_from, file_text
from moderate_cli.cli.config import CONFIG
from moderate_cli.cli.inputs import inputs_from
from moderate_cli.cli.listening import Console
from moderate_cli.cli.outputs import Outputs, files_read
from moderate_cli.cli.values import Choice
from moderate_cli.dataset.layouts import is_split_name
from moderate_cli.errors import DatasetError
from moderate_cli.exporting import (
    INDEX_FORMATS,
    LINKS,
    check_output,
    export,
    index_bytes,
    index_formats,
    write_index,
)
from moderate_cli.exporting.recipes import read_published
from moderate_cli.text import aligned, counted, one_of, printable, unknown


@click.command(cls=declaring.Sectioned)
@options.data_optional
@declaring.option(
    "-r",
    "--ratio",
    "ratios",
    type=parsing.ratios,
    metavar="R[,R...]",
    help="Fraction to keep; several (0.1,0.3) write several outputs, with {ratio} in their names.",
)
@choosing.count
@choosing.strategy
@choosing.drop_suspects
@declaring.option(
    "-o",
    "--output",
    command_line_only=True,
    type=values.PATH,
    metavar="FILE",
    help=f"Write to a {one_of([*INDEX_FORMATS])} file instead of stdout.",
)
@declaring.option(
    "--copy-to",
    command_line_only=True,
    type=values.PATH,
    metavar="DIR",
    help="Copy the kept images to a new folder.",
)
@declaring.option(
    "--link",
    type=Choice(list(LINKS)),
    default="none",
    help="How --copy-to adds images: copies (none) or links.",
)
@declaring.option(
    "--split",
    metavar="NAME",
    help="Select from DATA/NAME; --copy-to adds all else.",
)
@options.force
@declaring.option(
    "-n",
    "--dry-run",
    command_line_only=True,
    is_flag=True,
    help="Print counts per class; write nothing.",
)
@declaring.option(
    "--invert",
    command_line_only=True,
    is_flag=True,
    help="Output the dropped images instead.",
)
@declaring.option("-0", "--null", "nul", is_flag=True, help="End paths with NUL, not newline.")
@options.configuration
@choosing.selecting
@options.scoring
@options.scores
@options.arrays
@options.lists
@options.embedding
def command(
    ratios: dict[str, Fraction] | None,
    count: int | None,
    strategy: str,
    drop_suspects: Any,
    invert: bool,
    dry_run: bool,
    output: str | None,
    copy_to: str | None,
    split: str | None,
    link: str,
    nul: bool,
    force: bool,
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
    """Choose which images of a dataset to keep.

    Keeps the images whose distance to their class center is closest to the median of their class;
    --strategy chooses another rule. Prints paths relative to DATA; -o writes them to a file,
    --copy-to copies the images. DATA, a folder with one sub-folder per class, is never changed.
    """
    choices = choices_from(
        ratios, count, strategy=strategy, drop_suspects=drop_suspects, scope=scope,
        balance=balance, quantile=quantile, min_per_class=min_per_class, dedup=dedup,
        criterion=criterion, center=center, metric=metric, seed=seed,
    )  # fmt: skip
    tree = None
    if split is not None:
        tree, source["data"] = source["data"], _split_of(source["data"], split)
    outputs = _outputs(list(choices), output, copy_to, dry_run, force, source, tree)
    if copy_to is None:
        precedence.refuse_without("--copy-to", {"force", "link"})
    if output is not None and not output.lower().endswith(".txt"):
        precedence.refuse_beside(f"--output {output}", {"nul"})
        nul = False
    listener = Console(outputs, verbose=verbose)
    inputs = inputs_of(**inputs_from(**source))
    found = select_each(inputs, list(choices.values()), listener)
    _check_recipe(found)
    if invert:
        found = [selection.inverted() for selection in found]
    table = _table(list(choices), found, "dropped" if invert else "kept")
    if dry_run:
        console.write(table.encode())
        return
    if verbose:
        for line in table.splitlines():
            console.note(line)
    for text, selection in zip(choices, found, strict=True):
        file, folder = (
            name and name.replace("{ratio}", file_text(text)) for name in (output, copy_to)
        )
        _write(selection, file, folder, link=link, nul=nul, force=force, tree=tree)


def _split_of(data: Any, split: str) -> str:
    """Return the folder of a split."""
    folders = []
    with contextlib.suppress(OSError), os.scandir(os.fspath(data or "")) as entries:
        folders = sorted(entry.name for entry in entries if entry.is_dir())
    if split not in folders:
        shown = [name for name in folders if is_split_name(name)] or folders
        told = f" {unknown(split, shown)}" if shown else ""
        raise click.UsageError(f"--split{told}; DATA must be a folder of splits")
    return os.path.join(data, split)


def _check_recipe(found: Sequence[Selection]) -> None:
    """Refuse a selection that follows a recipe but is another one; options may change it.

    Raises
    ------
    DatasetError
        With the cause.
    """
    context = click.get_current_context()
    recipe = context.meta.get(CONFIG) or ""
    if not recipe.endswith(".json") or len(found) > 1:
        return
    published = read_published(recipe)
    if precedence.overridden({*published.options} | {"ratio", "count"}):
        return
    before, now = {one.path for one in published.images}, set(found[0].paths)
    if before == now:
        console.note(f"selected the same {counted(len(now), 'image')} as in {recipe}")
        return
    own = found[0].recipe
    causes = [] if own is None else published.causes(own.facts)
    raise DatasetError(
        f"{recipe}: cannot be made again: {len(before - now)} of its"
        f" {counted(len(before), 'image')} would not be kept, because"
        f" {' and '.join(causes) or 'features differ'}; leave out --recipe to select anew"
    )


def _outputs(
    amounts: Sequence[str],
    output: str | None,
    copy_to: str | None,
    dry_run: bool,
    force: bool,
    source: Mapping[str, Any],
    tree: str | None,
) -> Outputs:
    """Refuse wrong outputs before hours of embedding, not after."""
    named = {"--output": output, "--copy-to": copy_to}
    for name, value in named.items():
        if value is not None and dry_run:
            raise click.UsageError(f"use {name} or --dry-run, not both")
        if value is not None and len(amounts) > 1 and "{ratio}" not in value:
            raise click.UsageError(f"with several ratios, {name} needs {{ratio}} in the name")
    if len(amounts) > 1 and not any((output, copy_to, dry_run)):
        raise click.UsageError("several ratios need -o or --copy-to, with {ratio} in the name")
    if copy_to is not None and source["data"] is None:
        raise click.UsageError("--copy-to needs DATA, a dataset folder")
    if copy_to is not None and "://" in os.fspath(source["data"]):
        raise click.UsageError("--copy-to needs images on this machine; -o lists the kept ones")
    files, folders = (
        tuple(name.replace("{ratio}", file_text(text)) for text in amounts) if name else ()
        for name in (output, copy_to)
    )
    for file in files:
        check_output(file, index_formats(source["data"]))
    outputs = Outputs(files, folders, force=force, inputs=files_read(source), tree=tree)
    outputs.check()
    return outputs


def _write(
    selection: Selection,
    file: str | None,
    folder: str | None,
    *,
    link: str,
    nul: bool,
    force: bool,
    tree: str | None,
) -> None:
    scores, mask = selection.scores, selection.mask
    recipe = selection.recipe if (file or "").lower().endswith(".json") else None
    if file is None and folder is None:
        console.write(index_bytes(scores, selection.rows, nul=nul))
    if file is not None:
        write_index(file, scores, mask, nul=nul, dataset=selection.dataset, recipe=recipe)
    if folder is not None and selection.dataset is not None:
        dataset = selection.dataset
        export(dataset, mask, folder, link=link, force=force, tree=tree, listener=Console())
        kept = f"{np.count_nonzero(mask)} of {counted(len(scores), 'image')}"
        others = "" if tree is None else f", and all else in {tree}"
        console.note(f"Copied {kept}{others} -> {folder}")
        if dataset.empty_classes:
            console.warn(f"{folder}: has empty classes; ImageFolder needs allow_empty=True")


def _table(amounts: Sequence[str], found: Sequence[Selection], verb: str) -> str:
    """Return how many images each class has and keeps, as aligned columns."""
    header = (
        "class",
        "images",
        *(f"{verb} {text}" if len(amounts) > 1 else verb for text in amounts),
    )
    classes = [selection.classes for selection in found]
    rows = [
        (printable(each[0].name), str(each[0].images), *(str(one.kept) for one in each))
        for each in zip(*classes, strict=True)
    ]
    sizes = sum(one.images for one in classes[0])
    total = ("total", str(sizes), *(str(len(selection.rows)) for selection in found))
    return aligned(header, [*rows, total])
