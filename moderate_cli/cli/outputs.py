"""Outputs of a command: checked before any work, then written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from moderate_cli.cli import console
from moderate_cli.cli.config import CONFIG
from moderate_cli.dataset import Dataset
from moderate_cli.errors import ArgumentError
from moderate_cli.exporting import (
    TABLE_FORMATS,
    Table,
    check_output,
    table_bytes,
    write_table,
)
from moderate_cli.exporting.marks import check_destination
from moderate_cli.files.destinations import check_file
from moderate_cli.files.places import identity
from moderate_cli.guard import Guard
from moderate_cli.text import aligned, printable


@dataclass(frozen=True)
class Outputs:
    """Files and folders that a command will write.

    Attributes
    ----------
    files
        Files to write; existing ones are replaced.
    folders
        Exports to make.
    into
        Folder to add files to.
    force
        Whether exports may replace earlier ones.
    inputs
        Files that the command reads besides the dataset.
    tree
        Folder that is copied with the dataset, so no export may be in it.
    """

    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    into: str | None = None
    force: bool = False
    inputs: tuple[str, ...] = ()
    tree: str | None = None

    def check(self, dataset: Dataset | None = None, store: Path | None = None) -> None:
        """Refuse outputs that would harm a dataset, its store, an input or another output.

        Called without a dataset as soon as the options are read, and again when the dataset is
        listed; both before the work.

        Raises
        ------
        ArgumentError, OutputError
            Naming the output and the reason.
        """
        if not (self.files or self.folders or self.into):
            return
        guard = Guard()
        if dataset is not None:
            guard.add_dataset(dataset)
        if store is not None:
            guard.add_store(store)
        for path in self.inputs:
            guard.add_file(path, "an input")
        for path in self.files:
            check_file(path)
            guard.check_file(path)
        for number, path in enumerate(self.files):
            if any(_same(path, other) for other in self.files[:number]):
                raise ArgumentError(f"{path}: is named as an output twice; choose another file")
            guard.add_file(path, "another output")
        if self.into is not None:
            guard.check_addition(self.into)
        if self.tree is not None:
            guard.add_folder(self.tree, "the tree of splits")
        for path in self.folders:
            guard.check_folder(path, replace=self.force)
            if dataset is not None:  # before that, the folder might be the dataset itself
                check_destination(path, force=self.force)


NO_OUTPUTS = Outputs()


def files_read(source: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the input files that options name."""
    named = (source.get(name) for name in ("labels_file", "scores_file", "weights"))
    files = [*source.get("features_files", ()), *named]
    context = click.get_current_context()
    published = [context.params.get(name) for name in ("kept", "keep_from")]
    others = [*published, context.meta.get(CONFIG)]
    return tuple(path for path in [*files, *others] if isinstance(path, str))


def _same(one: str, other: str) -> bool:
    if Path(one).resolve() == Path(other).resolve():
        return True
    return identity(one) is not None and identity(one) == identity(other)


def check_table(
    output: str | None,
    source: Mapping[str, Any],
    copy_to: str | None = None,
    *,
    force: bool = False,
) -> Outputs:
    """Return the outputs: a table, and a folder of images; refuse what cannot be written."""
    if output is not None:
        check_output(output, TABLE_FORMATS)
    files, folders = (() if name is None else (name,) for name in (output, copy_to))
    outputs = Outputs(files, folders, force=force, inputs=files_read(source))
    outputs.check()
    return outputs


def output_table(output: str | None, table: Table) -> None:
    """Write a table to a file, in the format of its suffix, or to stdout as text.

    On a terminal, it has a header and aligned columns.
    """
    if output is not None:
        write_table(output, table)
    elif console.on_terminal() and table.rows:
        console.write(_aligned(table).encode(errors="surrogateescape"))
    else:
        console.write(table_bytes(table))


def _aligned(table: Table) -> str:
    """Return a table to read: texts to the left, numbers to the right with three decimals."""
    first = table.rows[0]
    texts = [at for at, value in enumerate(first) if isinstance(value, str)]
    rows = [
        [f"{one:.3f}" if isinstance(one, float) else printable(str(one)) for one in row]
        for row in table.rows
    ]
    header = [name.replace("_", " ") for name in table.header]
    return aligned(header, rows, texts)
