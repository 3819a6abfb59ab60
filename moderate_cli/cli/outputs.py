"""Tables to a file, or to stdout."""

from __future__ import annotations

from moderate_cli.cli import console
from moderate_cli.records import TABLE_FORMATS, Table, check_output, table_bytes, write_table


def check_table(output: str | None) -> None:
    """Refuse a file that could not be written before there is anything to write."""
    if output is not None:
        check_output(output, TABLE_FORMATS)


def put_table(output: str | None, table: Table) -> None:
    """Write a table to a file of the format that its suffix names, or to stdout as text."""
    if output is None:
        console.write(table_bytes(table))
    else:
        write_table(output, table)
