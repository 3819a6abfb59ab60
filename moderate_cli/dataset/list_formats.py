"""The formats of a list of images, by its suffix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from moderate_cli.dataset.parquet_records import Parquet
from moderate_cli.dataset.records import Records
from moderate_cli.dataset.text_records import Delimited, JsonLines, Plain

FORMATS: dict[str, Callable[[Path, str], Records]] = {
    ".csv": Delimited,
    ".tsv": Delimited,
    ".jsonl": JsonLines,
    ".parquet": Parquet,
    ".txt": Plain,
}


def open_records(path: Path, shown: str) -> Records:
    """Open a list; its suffix is its format.

    Raises
    ------
    DatasetError
        If it cannot be read, or is empty. Iterating and copying raise it, too.
    """
    return FORMATS[path.suffix.lower()](path, shown)
