"""`moderate select`: which images to keep."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import click

from moderate_cli.api.keywords import inputs_of
from moderate_cli.api.select import select_each
from moderate_cli.choosing import Selection
from moderate_cli.cli import (
    choosing,
    completing,
    console,
    declaring,
    options,
    precedence,
    shares,
    values,
)
from moderate_cli.cli.advice import advised
from moderate_cli.cli.choosing import choices_from, file_text
from moderate_cli.cli.config import CONFIG
from moderate_cli.cli.inputs import inputs_from
from moderate_cli.cli.listening import Console
from moderate_cli.cli.outputs import Outputs, files_read
from moderate_cli.dataset.layouts import is_split_name
from moderate_cli.dataset.named import NamedDataset
from moderate_cli.dataset.names import is_left_behind
from moderate_cli.dataset.shards import splits_of, tables_in
from moderate_cli.errors import DatasetError
from moderate_cli.exporting import (
    INDEX_FORMATS,
    MANIFEST_FORMATS,
    check_output,
    index_bytes,
    index_formats,
    write_index,
    write_manifest,
)
from moderate_cli.exporting.recipes import read_published
from moderate_cli.literals import Link
from moderate_cli.text import aligned, clipped, counted, printable, some, unknown

WITHOUT_LABELS = ("", ".txt", ".npy")  # formats of lists


@click.command(
    cls=declaring.Sectioned,
    common=("ratio", "strategy", "drop-suspects", "output", "copy-to"),
    examples=(
        ("moderate select -r 0.3 data/train -o kept.txt", "write a list"),
        ("moderate select -r 0.3 data/train --copy-to train-30", "copy images"),
    ),
)
@options.data_optional
@declaring.option(
    "-r",
    "--ratio",
    "ratios",
    type=shares.RATIOS,
    metavar="R[,R...]",
    help="Fraction to keep; several (0.1,0.3) write several outputs, with {ratio} in their names.",
)
@choosing.count
@choosing.strategy
@choosing.drop_suspects
@options.output_in(INDEX_FORMATS)
@options.copies
@options.link
@declaring.option(
    "--manifest",
    command_line_only=True,
    type=values.PATH,
    metavar="FILE",
    help="Write all images to a .jsonl file: kept or not, and why.",
)
@declaring.option(
    "--split",
    metavar="NAME",
    shell_complete=completing.splits,
    help="Select from DATA/NAME; --copy-to adds all else.",
)
@options.force
@choosing.keep_from
@declaring.option(
    "--counts",
    command_line_only=True,
    is_flag=True,
    help="Print counts per class instead of paths.",
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
    counts: bool,
    output: str | None,
    copy_to: str | None,
    manifest: str | None,
    split: str | None,
    keep_from: str | None,
    link: Link,
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

    Keeps the images whose distance to their class center is closest to the median of their class,
    as in the paper; to train on the result, use --strategy adaptive. Prints paths relative to DATA;
    -o writes them to a file, --copy-to copies the images. DATA, a folder with one sub-folder per
    class, is never changed.
    """
    choices = choices_from(
        ratios, count, strategy=strategy, drop_suspects=drop_suspects, scope=scope,
        balance=balance, quantile=quantile, min_per_class=min_per_class, dedup=dedup,
        criterion=criterion, center=center, metric=metric, seed=seed,
    )  # fmt: skip
    tree = None
    if split is not None:
        tree, source["data"] = source["data"], _split_of(source["data"], split)
    outputs = _outputs(list(choices), output, copy_to, manifest, counts, force, source, tree)
    if copy_to is None:
        precedence.refuse_without("--copy-to", {"force", "link"})
    if counts:
        precedence.refuse_beside("--counts", {"nul"})
    if output is not None and not output.lower().endswith(".txt"):
        precedence.refuse_beside(f"--output {output}", {"nul"})
        nul = False
    listener = Console(outputs, verbose=verbose)
    inputs = inputs_of(**inputs_from(**source))
    found = select_each(inputs, list(choices.values()), listener, keep_from)
    _check_recipe(found)
    if invert:
        found = [selection.inverted() for selection in found]
    verb = "dropped" if invert else "kept"
    if counts:
        console.write(_table(list(choices), found, verb).encode())
        for selection in found:
            console.note(f"Would keep {selection.summary}")
        return
    if verbose:
        console.tell(_table(list(choices), found, verb))
    for text, selection in zip(choices, found, strict=True):
        file, folder, every = (
            name and name.replace("{ratio}", file_text(text))
            for name in (output, copy_to, manifest)
        )
        if file or folder or not every:
            _write(selection, file, folder, link=link, nul=nul, force=force, tree=tree)
        if every:
            write_manifest(every, selection.records(split))
    others: dict[str, str | bool | None] = {
        "--split": split, "--keep-from": keep_from, "--invert": invert, "-o": output,
        "--copy-to": copy_to, "--link": None if link == "none" else link,
        "--force": copy_to is not None, "--manifest": manifest, "--null": nul,
    }  # fmt: skip
    asked = inputs if tree is None else replace(inputs, data=tree)
    advice = advised(found, list(choices), asked, others, precedence.left_alone)
    if advice:
        console.hint(advice)


def _split_of(data: Any, split: str) -> Any:
    """Return the folder of a split, or the name of its tables."""
    folders, name = list[str](), os.fspath(data or "")
    with contextlib.suppress(OSError), os.scandir(name) as entries:
        found = sorted(entry.name for entry in entries if entry.is_dir())
        folders = [one for one in found if not is_left_behind(one)]
    splits = [*splits_of(tables_in(name)), *folders]
    if split not in splits and (os.path.lexists(name) or not name):
        shown = [one for one in splits if is_split_name(one)]
        if shown:
            raise click.UsageError(f"--split {unknown(split, shown)}")
        if folders:
            own = f"{name} has no splits (its folders: {some(list(map(printable, folders)))})"
            raise click.UsageError(f"--split {clipped(split)}: {own}; leave it out")
        raise click.UsageError("--split needs a folder of splits, such as data with data/train")
    path = os.path.join(name, split)
    return replace(data, path=path) if isinstance(data, NamedDataset) else path


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
    manifest: str | None,
    counts: bool,
    force: bool,
    source: Mapping[str, Any],
    tree: str | None,
) -> Outputs:
    """Refuse wrong outputs before hours of embedding, not after."""
    named = {"--output": output, "--copy-to": copy_to, "--manifest": manifest}
    for name, value in named.items():
        if value is not None and counts:
            raise click.UsageError(f"use {name} or --counts, not both")
        if value is not None and len(amounts) > 1 and "{ratio}" not in value:
            raise click.UsageError(f"with several ratios, {name} needs {{ratio}} in the name")
    if len(amounts) > 1 and not any((output, copy_to, manifest, counts)):
        raise click.UsageError("several ratios need -o or --copy-to, with {ratio} in the name")
    if copy_to is not None and source["data"] is None:
        raise click.UsageError("--copy-to needs DATA, a dataset folder")
    if copy_to is not None and "://" in os.fspath(source["data"]):
        raise click.UsageError("--copy-to needs images on this machine; -o lists the kept ones")
    files, folders, manifests = (
        tuple(name.replace("{ratio}", file_text(text)) for text in amounts) if name else ()
        for name in (output, copy_to, manifest)
    )
    for file in files:
        check_output(file, index_formats(source["data"]))
    for file in manifests:
        check_output(file, MANIFEST_FORMATS)
    outputs = Outputs(
        (*files, *manifests), folders, force=force, inputs=files_read(source), tree=tree
    )
    outputs.check()
    return outputs


def _write(
    selection: Selection,
    file: str | None,
    folder: str | None,
    *,
    link: Link,
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
        from moderate_cli.exporting.folders import export  # with tar files, tables and Parquet

        dataset = selection.dataset
        export(dataset, mask, folder, link=link, force=force, tree=tree, listener=Console())
        if dataset.empty_classes and dataset.in_class_folders and not dataset.source.containers:
            console.warn(f"{folder}: has empty classes; ImageFolder needs allow_empty=True")
    verb = "Listed" if selection.is_inverted else "Kept"
    others = "" if tree is None or folder is None else f", and all else in {os.fspath(tree)}"
    places = " and ".join(filter(None, (file, folder)))
    where = f" -> {places}" if places else ""
    console.note(f"{verb} {selection.summary}{others}{where}")
    if folder is None and os.path.splitext(file or "")[1].lower() in WITHOUT_LABELS:
        _tell_of_corrected(selection, file)


def _tell_of_corrected(selection: Selection, file: str | None) -> None:
    """Tell of corrected labels that a list of paths or rows does not have."""
    dataset = selection.dataset
    if dataset is None or dataset.listed is not None:  # a list, such as train.txt, may have labels
        return
    if dataset.corrections is not None and (lost := dataset.corrections.count(selection.rows)):
        labels = counted(lost, "corrected label")
        console.hint(
            f"{file or 'the list'} does not have the {labels} of its images; -o kept.csv and"
            " --copy-to do"
        )


def _table(amounts: Sequence[str], found: Sequence[Selection], verb: str) -> str:
    """Return how many images each class has and keeps, as aligned columns."""
    header = (
        "class",
        "images",
        *(f"{verb} {text}" if len(amounts) > 1 else verb for text in amounts),
    )
    classes = [selection.classes for selection in found]
    rows = [
        (printable(clipped(each[0].name)), str(each[0].images), *(str(one.kept) for one in each))
        for each in zip(*classes, strict=True)
    ]
    sizes = sum(one.images for one in classes[0])
    total = ("total", str(sizes), *(str(len(selection.rows)) for selection in found))
    return aligned(header, [*rows, total])
