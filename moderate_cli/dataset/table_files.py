"""Files of tables with images in their rows: Parquet, and the Arrow streams of `datasets`."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy as np

from moderate_cli.arrays import Rows, blocks
from moderate_cli.errors import DatasetError
from moderate_cli.text import one_line

# Of pyarrow, which has no annotations.
Schema = Any
Array = Any

Piece = Any  # some rows: a table or a record batch
Change = Callable[[Piece, Rows], Piece]

ROWS = 1 << 16  # of a part of a column
BUFFER = 1 << 22  # bytes that are read at once
LARGEST = 1 << 25  # bytes of a group, unless a row is larger
ARROW = "an Arrow stream"
END = b"\xff" * 4 + bytes(4)  # of an Arrow stream


def unchanged(part: Piece, _rows: Rows) -> Piece:
    """Return the part."""
    return part


class TableFile(Protocol):
    """A file of rows, in groups that are read one at a time.

    Attributes
    ----------
    schema
        Its columns, as pyarrow has them.
    groups
        Number of rows of each group.
    """

    schema: Schema
    groups: tuple[int, ...]

    def cells(self, column: str, size: int = ROWS) -> Iterator[Array]:
        """Yield a column, part by part of at most `size` rows."""

    def group(self, number: int, column: str) -> Array:
        """Return a column of a group."""

    def copy(self, rows: Rows, file: BinaryIO, change: Change = unchanged) -> Iterator[int]:
        """Write some rows, int64 (m,) ascending, with the same schema; yield the number done.

        `change` is called with each part of them and its rows, and returns what is written.
        """


def opened(path: str, file: Any, shown: str) -> TableFile:
    """Open a file of tables; its suffix is its format.

    Parameters
    ----------
    path
        Its name.
    file
        A path on this machine, or an open file.
    shown
        Name of the file in errors.

    Raises
    ------
    DatasetError
        If it cannot be read, or pyarrow is not installed. Reading rows raises it, too.
    """
    require_pyarrow(shown)
    return FORMATS[os.path.splitext(path)[1].lower()](file, shown)


def require_pyarrow(shown: str) -> None:
    """Refuse what only pyarrow reads, if it is not installed.

    Raises
    ------
    DatasetError
        Naming the extra that has it.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise DatasetError(
            f"{shown}: needs a missing package; pip install 'moderate-cli[parquet]'"
        ) from None


@contextmanager
def told(shown: str, kind: str = "Parquet") -> Iterator[None]:
    """Turn errors of reading into a DatasetError."""
    from pyarrow import ArrowException

    try:
        yield
    except OSError as error:
        if error.errno:
            reason = os.strerror(error.errno)
            raise DatasetError(f"{shown}: {reason}; name a dataset folder or a list") from None
        raise _damaged(shown, kind, error) from None
    except ArrowException as error:
        raise _damaged(shown, kind, error) from None


def _damaged(shown: str, kind: str, error: BaseException) -> DatasetError:
    # The first sentence of a message, which may have lines of advice to programmers.
    reason = one_line(error).split(". ")[0].rstrip(".")
    return DatasetError(f"{shown}: is not {kind}, or not all of it ({reason})")


class _Parquet:
    """Parquet, whose groups are its row groups, or parts of those that are large."""

    def __init__(self, file: Any, shown: str) -> None:
        from pyarrow import parquet

        self._shown = shown
        with told(shown):
            self._file = parquet.ParquetFile(file, buffer_size=BUFFER)
        self.schema = self._file.schema_arrow
        self._cursor: _Cursor | None = None
        groups = range(self._file.num_row_groups)
        self._parts = [part for number in groups for part in self._divided(number)]
        self.groups = tuple(part.rows for part in self._parts)

    def cells(self, column: str, size: int = ROWS) -> Iterator[Array]:
        with told(self._shown):
            for batch in self._file.iter_batches(size, columns=[column]):
                yield batch.column(0)

    def group(self, number: int, column: str) -> Array:
        return self._read(number, [column]).column(0)

    def copy(self, rows: Rows, file: BinaryIO, change: Change = unchanged) -> Iterator[int]:
        from pyarrow import parquet

        with (
            told(self._shown),
            parquet.ParquetWriter(file, self.schema, compression=self._compression()) as writer,
        ):
            for number, own, part, done in _parts(self.groups, rows):
                writer.write_batch(change(self._read(number, None).take(part), own))
                yield done

    def _divided(self, number: int) -> Iterator[_Part]:
        """Yield the parts of a row group."""
        facts = self._file.metadata.row_group(number)
        count = -(-facts.total_byte_size // LARGEST) or 1
        size = -(-facts.num_rows // count) or 1
        for at, rows in enumerate(blocks(facts.num_rows, size)):
            yield _Part(number, at, rows.stop - rows.start, size)

    def _read(self, number: int, columns: list[str] | None) -> Any:
        """Read a part; after the one before it, this reads no byte twice."""
        part, cursor = self._parts[number], self._cursor
        if cursor is None or not cursor.leads_to(part, columns):
            rows = self._file.iter_batches(
                part.size, row_groups=[part.row_group], columns=columns, use_threads=False
            )
            self._cursor = cursor = _Cursor(part.row_group, columns, rows)
        with told(self._shown):
            return cursor.read(part.at)

    def _compression(self) -> dict[str, str]:
        """Return how each column is compressed; images mostly are not."""
        if not self.groups:
            return {}
        first = self._file.metadata.row_group(0)
        columns = [first.column(at) for at in range(first.num_columns)]
        codec = {"UNCOMPRESSED": "NONE"}
        return {one.path_in_schema: codec.get(one.compression, one.compression) for one in columns}


class _Part(NamedTuple):
    """A part of a row group: its number, rows, and the rows of all parts but the last."""

    row_group: int
    at: int
    rows: int
    size: int


class _Cursor:
    """Reads the parts of a row group one after another."""

    def __init__(self, row_group: int, columns: list[str] | None, batches: Iterator[Any]) -> None:
        self._of, self._batches, self._next = (row_group, columns), batches, 0

    def leads_to(self, part: _Part, columns: list[str] | None) -> bool:
        return self._of == (part.row_group, columns) and self._next <= part.at

    def read(self, at: int) -> Any:
        """Return a part, after skipping those before it."""
        skipped, self._next = at - self._next, at + 1
        return next(itertools.islice(self._batches, skipped, None))


class _Arrow:
    """An Arrow stream, mapped into memory; its groups are its record batches."""

    def __init__(self, file: Any, shown: str) -> None:
        import pyarrow
        from pyarrow import ipc

        self._shown = shown
        with told(shown, ARROW):
            stream = pyarrow.memory_map(file)
            reader = ipc.open_stream(stream)
            self.schema = reader.schema
            self._batches = list(reader)
            # A stream that was cut off between two batches would be a shorter one.
            if stream.read_at(len(END), stream.size() - len(END)) != END:
                raise pyarrow.ArrowInvalid("its end is missing")
        self.groups = tuple(len(batch) for batch in self._batches)

    def cells(self, column: str, size: int = ROWS) -> Iterator[Array]:
        at = self.schema.get_field_index(column)
        for batch in self._batches:
            for part in blocks(len(batch), size):
                yield batch.column(at)[part]

    def group(self, number: int, column: str) -> Array:
        return self._batches[number].column(self.schema.get_field_index(column))

    def copy(self, rows: Rows, file: BinaryIO, change: Change = unchanged) -> Iterator[int]:
        from pyarrow import ipc

        with told(self._shown, ARROW), ipc.new_stream(file, self.schema) as writer:
            for number, own, part, done in _parts(self.groups, rows):
                writer.write_batch(change(self._batches[number].take(part), own))
                yield done


def _parts(groups: Sequence[int], rows: Rows) -> Iterator[tuple[int, Rows, Array, int]]:
    """Yield each group that has some of the rows.

    Its number, these rows, their positions in it, and the number of all rows so far.
    """
    import pyarrow

    start = done = 0
    for number, count in enumerate(groups):
        first, end = np.searchsorted(rows, (start, start + count))
        own = rows[first:end]
        done += len(own)
        if len(own):
            yield number, own, pyarrow.array(own - start), done
        start += count


FORMATS: dict[str, Callable[[Any, str], TableFile]] = {".parquet": _Parquet, ".arrow": _Arrow}
