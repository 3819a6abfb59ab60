"""Groups of rows that are kept in memory for a while, because rows are read one after another."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from moderate_cli.dataset.table_files import TableFile

# Bytes that are kept: the images that all threads read at once are in them.
MOST = (1 << 27) + (1 << 23) * (os.cpu_count() or 1)
FILES = 2  # that are kept open; threads may be at a border of two


class Groups:
    """Groups that were read last, and the files that they are in.

    A file is read by one thread at a time, while others wait for its next group.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: OrderedDict[Hashable, _File] = OrderedDict()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def get(
        self, key: Hashable, number: int, column: str, open_file: Callable[[], TableFile]
    ) -> Any:
        """Return a column of a group; `open_file` opens the file of this key."""
        with self._lock:
            file = self._files.setdefault(key, _File())
            self._files.move_to_end(key)
            while len(self._files) > FILES:
                self._files.popitem(last=False)
        with file.lock:
            group = (key, number, column)
            with self._lock:
                if group in self._kept:
                    self._kept.move_to_end(group)
                    return self._kept[group]
            if file.table is None:
                file.table = open_file()
            cells = file.table.group(number, column)
            with self._lock:
                self._kept[group] = cells
                sizes = [one.nbytes for one in self._kept.values()]
                while len(sizes) > 1 and sum(sizes) > MOST:
                    self._kept.popitem(last=False)
                    del sizes[0]
            return cells


class _File:
    """A file, open once it was read."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.table: TableFile | None = None
