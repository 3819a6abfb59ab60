"""Images inside the rows of tables, as Hugging Face stores them."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from moderate_cli.arrays import Rows
from moderate_cli.dataset.filesystems import file_system
from moderate_cli.dataset.groups import Groups
from moderate_cli.dataset.image_columns import BYTES
from moderate_cli.dataset.relabeled_tables import relabeling
from moderate_cli.dataset.relabeling import Relabeled
from moderate_cli.dataset.sources import LARGEST, NO_STAT, Stat, file_stat
from moderate_cli.dataset.table_files import Change, TableFile, opened, unchanged
from moderate_cli.errors import DatasetError
from moderate_cli.text import one_line

ROW = "#"  # between the file and the row, from 0, in the name of an image
PRIME = 1_000_003
_GROUPS = Groups()  # of this process


class Shard(NamedTuple):
    """A file of tables: its stat when it was listed, and where its groups begin and end."""

    stat: Stat
    starts: tuple[int, ...]


@dataclass(frozen=True)
class Tables:
    """Images in tables; a group of rows is read at a time, and some groups are kept.

    Attributes
    ----------
    shards
        The files, by their absolute name, in their order. If their stat changed, so may the rows.
    column
        The column of images.
    protocol
        File system of fsspec, such as "hf"; "" for files on this machine.
    saved
        Folder of a saved dataset of Hugging Face; "" for others.
    """

    shards: Mapping[str, Shard]
    column: str
    protocol: str = ""
    saved: str = ""
    suffix = ""

    @property
    def has_neighbors(self) -> bool:
        """Whether the files are on this machine."""
        return not self.protocol

    @property
    def containers(self) -> tuple[str, ...]:
        """The files, if they are on this machine."""
        return () if self.protocol else tuple(self.shards)

    def stat(self, name: str) -> Stat:
        """Return numbers of the file that an image is in; -1 if it has changed.

        The first, in place of the image's size, is 0: most sizes are known only after reading.
        """
        file = name.rpartition(ROW)[0]
        shard = self.shards.get(file)
        if shard is None or not self._is_as_listed(file):
            return NO_STAT
        size, *marks = shard.stat
        return (0, size * PRIME + marks[0] & LARGEST, marks[1], marks[2])

    def read(self, name: str) -> tuple[bytes, Stat]:
        """Return the bytes of an image, and its stat; -1 if its file has changed."""
        file, _, row = name.rpartition(ROW)
        starts = self.shards[file].starts
        group = bisect.bisect_right(starts, int(row)) - 1
        key = (self.protocol, file, self.shards[file].stat)
        try:
            cells = _GROUPS.get(key, group, self.column, lambda: self._open(file))
        except DatasetError as error:
            raise OSError(one_line(error).removeprefix(f"{file}: ")) from None
        content = _bytes_of(cells[int(row) - starts[group]].as_py())
        if content is None:
            raise OSError("its row has no image")
        stat = self.stat(name)
        return content, stat if stat != NO_STAT else (0, *NO_STAT[1:])

    def part(self, names: Iterable[str]) -> Tables:
        """Return a source of the files that have these images."""
        files = {name.rpartition(ROW)[0] for name in names}
        shards = {file: shard for file, shard in self.shards.items() if file in files}
        return Tables(shards, self.column, self.protocol, self.saved)

    def copy(
        self, file: str, rows: Rows, target: Path, label: str | None, classes: Mapping[int, str]
    ) -> Iterator[int]:
        """Write some rows of a file, int64 (m,) ascending; yield the number done.

        They are as in the file, except for the new class of some rows in the column `label`.

        Raises
        ------
        DatasetError
            If the file has changed since it was listed, or cannot have a new class.
        """
        table = self._open(file)
        change: Change = unchanged
        if label is not None and classes:
            at = table.schema.get_field_index(label)
            change = relabeling(table.schema, Relabeled(at, classes), file)
        with target.open("wb") as out:
            yield from table.copy(rows, out, change)
        if not self._is_as_listed(file):
            raise DatasetError(f"{file}: has changed since it was listed; run again")

    def _is_as_listed(self, file: str) -> bool:
        return bool(self.protocol) or file_stat(file) == self.shards[file].stat

    def _open(self, file: str) -> TableFile:
        return opened(file, handle(file, self.protocol), file)


def handle(file: str, protocol: str) -> Any:
    """Return a file as pyarrow opens it."""
    return file_system(protocol).open(file) if protocol else file


def _bytes_of(cell: Any) -> bytes | None:
    """Return the bytes of an image, which may be beside its path."""
    found = cell.get(BYTES) if isinstance(cell, dict) else cell
    return found if isinstance(found, bytes) else None
