"""A list of images as Parquet, with the class names that Hugging Face keeps in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from moderate_cli.arrays import Rows
from moderate_cli.dataset.records import as_text
from moderate_cli.errors import DatasetError
from moderate_cli.text import one_line, printable


class Parquet:
    """The rows of a Parquet file, as in `Records`."""

    has_header = True

    def __init__(self, path: Path, shown: str) -> None:
        try:
            from pyarrow import ArrowException, parquet
        except ImportError:
            raise DatasetError(
                f"{shown}: needs a missing package; pip install 'moderate-cli[parquet]'"
            ) from None
        self._error, self._shown = ArrowException, shown
        with self._told():
            self._file = parquet.ParquetFile(path)
        self.columns = tuple(self._file.schema_arrow.names)

    def pairs(self, path: int, label: int | None) -> Iterator[tuple[str, str]]:
        """Yield image and class of each row, by the positions of their columns; "" if missing."""
        chosen = [self.columns[at] for at in (path, label) if at is not None]
        self._refuse_nested(chosen)
        names = _class_names(self._file.schema_arrow.metadata).get(chosen[-1], [])
        with self._told():
            for batch in self._file.iter_batches(columns=chosen):
                found = dict(zip(batch.schema.names, batch.columns, strict=True))
                paths = found[chosen[0]].to_pylist()
                labels = paths if label is None else found[chosen[-1]].to_pylist()
                for one, value in zip(paths, labels, strict=True):
                    named = isinstance(value, int) and 0 <= value < len(names)
                    text = as_text(names[value] if named else value)
                    yield as_text(one), "" if label is None else text

    def copy(self, rows: Rows, file: BinaryIO) -> None:
        """Write some rows, int64 (m,) ascending, with the same schema."""
        from pyarrow import parquet

        done = 0
        with self._told(), parquet.ParquetWriter(file, self._file.schema_arrow) as writer:
            for batch in self._file.iter_batches():
                part = rows[(rows >= done) & (rows < done + len(batch))]
                writer.write_batch(batch.take((part - done).tolist()))
                done += len(batch)

    def _refuse_nested(self, chosen: Sequence[str]) -> None:
        from pyarrow import types

        for name in chosen:
            kind = self._file.schema_arrow.field(name).type
            if types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind):
                raise DatasetError(
                    f"{self._shown}: column {printable(name)} has {kind} in place of text; name"
                    " another column, or write the images to files"
                )

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DatasetError(
                f"{self._shown}: {os.strerror(error.errno) if error.errno else one_line(error)};"
                " name a dataset folder or a list"
            ) from None
        except self._error as error:
            raise DatasetError(f"{self._shown}: is not Parquet ({one_line(error)})") from None


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """Return the class names that Hugging Face keeps for the numbers in a column."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {name: kind["names"] for name, kind in features.items() if "names" in kind}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}
