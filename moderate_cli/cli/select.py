"""`moderate select`: which images to keep."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import click
import numpy as np

from moderate_cli.arrays import Mask
from moderate_cli.cli import console, options
from moderate_cli.cli.choosing import amounts_of, choose, count, file_text, selecting
from moderate_cli.cli.inputs import Source
from moderate_cli.cli.outputs import Outputs, inputs_of
from moderate_cli.cli.values import Choice
from moderate_cli.exporting.folders import LINKS, export
from moderate_cli.exporting.records import INDEX_FORMATS, check_output, index_bytes, write_index
from moderate_cli.scoring import Scores
from moderate_cli.text import printable


@click.command(cls=options.Sectioned)
@options.data_optional
@options.option(
    "-r",
    "--ratio",
    "ratios",
    type=options.ratios,
    metavar="R[,R...]",
    help="Fraction to keep, 0 < R <= 1; several make several outputs.",
)
@count
@selecting
@options.option(
    "--invert",
    command_line_only=True,
    is_flag=True,
    help="Put out what is dropped in place of what is kept.",
)
@options.option(
    "-n",
    "--dry-run",
    command_line_only=True,
    is_flag=True,
    help="Show a per-class table, write nothing.",
)
@options.option(
    "-o",
    "--output",
    command_line_only=True,
    type=options.PATH,
    metavar="FILE",
    help="Write to a .txt, .csv, .json or .npy file in place of stdout.",
)
@options.option(
    "--copy-to",
    command_line_only=True,
    type=options.PATH,
    metavar="DIR",
    help="Make an ImageFolder of the kept images.",
)
@options.option(
    "--link",
    type=Choice(list(LINKS)),
    default="none",
    help="What --copy-to makes: copies (none) or links.",
)
@options.option("-0", "--null", "nul", is_flag=True, help="End paths with NUL, not newline.")
@options.force
@options.option(
    "--scores",
    "scores_file",
    type=options.PATH,
    metavar="FILE",
    help="Your own scores, .npy (n,), in place of DATA.",
)
@options.scoring
@options.arrays
@options.embedding
@options.configuration
def command(
    ratios: dict[str, Fraction] | None,
    count: int | None,
    invert: bool,
    dry_run: bool,
    output: str | None,
    copy_to: str | None,
    link: str,
    nul: bool,
    force: bool,
    **chosen_by: Any,
) -> None:
    """Choose which images of a dataset to keep.

    Kept are the images whose distance to their class center lies around the median of all
    distances, or what another --strategy prefers. Their paths, relative to DATA, go to stdout, or
    to a file with -o, or the images themselves to a new ImageFolder with --copy-to. DATA itself is
    never changed.
    """
    amounts = amounts_of(ratios, count)
    outputs = _outputs(amounts, output, copy_to, dry_run, force, chosen_by)
    if copy_to is None:
        options.refuse_without("--copy-to", {"force", "link"})
    if output is not None and not output.lower().endswith(".txt"):
        options.refuse_beside(f"--output {output}", {"nul"})
        nul = False
    chosen = choose(amounts, **chosen_by, outputs=outputs)
    masks = {text: one.mask for text, one in chosen.items()}
    found = {text: one.prepared.found for text, one in chosen.items()}
    if invert:
        masks = {text: ~mask & found[text].readable for text, mask in masks.items()}
    table = _table(next(iter(found.values())).scores, masks, "dropped" if invert else "kept")
    if dry_run:
        console.write(table.encode())
        return
    if chosen_by["verbose"]:
        for line in table.splitlines():
            console.note(line)
    for text, mask in masks.items():
        _put_out(found[text], mask, text, output, copy_to, link=link, nul=nul, force=force)


def _outputs(
    amounts: dict[str, Any],
    output: str | None,
    copy_to: str | None,
    dry_run: bool,
    force: bool,
    source: Mapping[str, Any],
) -> Outputs:
    """Find fault before hours of embedding, not after."""
    named = {"--output": output, "--copy-to": copy_to}
    for name, value in named.items():
        if value is not None and dry_run:
            raise click.UsageError(f"{name} and --dry-run exclude each other")
        if value is not None and len(amounts) > 1 and "{ratio}" not in value:
            raise click.UsageError(f"several ratios want {{ratio}} in the name that {name} gives")
    if len(amounts) > 1 and not any((output, copy_to, dry_run)):
        raise click.UsageError("several ratios want -o or --copy-to with {ratio} in the name")
    if copy_to is not None and source["data"] is None:
        raise click.UsageError("--copy-to wants DATA, a dataset folder")
    if copy_to is not None and "://" in source["data"]:
        raise click.UsageError("--copy-to wants images on this machine; -o lists what is kept")
    files, folders = (
        tuple(name.replace("{ratio}", file_text(text)) for text in amounts) if name else ()
        for name in (output, copy_to)
    )
    for file in files:
        check_output(file, INDEX_FORMATS)
    outputs = Outputs(files, folders, force=force, inputs=inputs_of(source))
    outputs.check()
    return outputs


def _put_out(
    found: Source,
    mask: Mask,
    text: str,
    output: str | None,
    copy_to: str | None,
    *,
    link: str,
    nul: bool,
    force: bool,
) -> None:
    if output is None and copy_to is None:
        console.write(index_bytes(found.scores, np.flatnonzero(mask), nul=nul))
    if output is not None:
        write_index(output.replace("{ratio}", file_text(text)), found.scores, mask, nul=nul)
    if copy_to is not None and found.dataset is not None:
        folder = copy_to.replace("{ratio}", file_text(text))
        with console.progress("copy") as move:
            export(found.dataset, mask, folder, link=link, force=force, on_progress=move)
        console.note(f"{np.count_nonzero(mask)} of {len(found.scores)} images in {folder}")
        if found.dataset.empty_classes:
            console.note(f"{folder}: has empty classes; ImageFolder needs allow_empty=True")


def _table(scores: Scores, masks: dict[str, Mask], verb: str) -> str:
    """Align what each class has and keeps."""
    labels, sizes = np.unique(scores.labels[~np.isnan(scores.values)], return_counts=True)
    columns = [
        dict(zip(*np.unique(scores.labels[mask], return_counts=True), strict=True))
        for mask in masks.values()
    ]
    header = ("class", "images", *(f"{verb} {text}" if len(masks) > 1 else verb for text in masks))
    rows = [
        (
            printable(scores.class_name(label)),
            str(size),
            *(str(column.get(label, 0)) for column in columns),
        )
        for label, size in zip(labels.tolist(), sizes.tolist(), strict=True)
    ]
    total = ("total", str(sizes.sum()), *(str(np.count_nonzero(mask)) for mask in masks.values()))
    return console.table(header, [*rows, total])
