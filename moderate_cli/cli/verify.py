"""`moderate verify`: whether a dataset has the images of a published selection."""

from __future__ import annotations

import os
from typing import Any

import click

from moderate_cli.api.verify import verify
from moderate_cli.cli import console, declaring, options, values
from moderate_cli.cli.listening import Console
from moderate_cli.cli.outputs import check_table, output_table
from moderate_cli.errors import DatasetError
from moderate_cli.text import counted


@click.command(
    cls=declaring.Sectioned,
    common=("output",),
    examples=(
        ("moderate verify kept.json data/train", "check a copy"),
        ("moderate verify kept.json data/train -o odd.csv", "list differences"),
    ),
)
@click.argument("kept", type=values.PATH)
@options.data_required
@options.table_output
@options.lists
def command(kept: str, data: Any, output: str | None) -> None:
    """Check that a dataset has the images of a published selection.

    KEPT is a kept.json that `moderate select -o kept.json` wrote; DATA is your own copy of the
    dataset. Prints a line for each image that is missing, has other bytes, cannot be read, or is in
    another class; the exit status is 1 then. `moderate select --recipe kept.json DATA` makes the
    selection again.
    """
    outputs = check_table(output, {})
    found = verify(kept, data, listener=Console(outputs))
    output_table(output, found.table())
    different, shown = len(found.differences), os.fspath(data)
    if different:
        raise DatasetError(
            f"{shown}: {different} of {counted(found.images, 'image')} of {kept} differ"
        )
    by_path = f"; {found.undigested} by their paths alone" if found.undigested else ""
    console.note(f"Verified {counted(found.images, 'image')} of {kept} in {shown}{by_path}")
    if found.own != found.of:
        console.note(
            f"{shown} has {counted(found.own, 'image')}, not {found.of}, so `moderate select"
            " --recipe` may keep others"
        )
