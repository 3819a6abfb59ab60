"""Compact lists of paths: one byte per letter, for millions of images."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Rows, blocks
from moderate_cli.errors import OutputError
from moderate_cli.text import printable

AT_ONCE = 1 << 16  # paths that are joined or split together
SCANNED_AT_ONCE = 1 << 24  # bytes that are searched together


def encode_paths(paths: Iterable[str], *, nul: bool | None = None) -> bytes:
    r"""Join paths, as their bytes on disk, one per line.

    Parameters
    ----------
    paths
        As from `os.fsdecode`.
    nul
        End each with a NUL byte instead of a newline; None: only if a path contains a newline.

    Raises
    ------
    OutputError
        If `nul` is False and a path contains a newline.

    Examples
    --------
    >>> encode_paths(["cat/1.jpg", "cat/2.jpg"])
    b'cat/1.jpg\ncat/2.jpg\n'
    """
    out, rest, end = io.BytesIO(), iter(paths), "\0" if nul else "\n"
    while part := list(islice(rest, AT_ONCE)):
        lines = end.join([*part, ""])
        if end == "\n" and lines.count("\n") != len(part):
            if nul is False:
                broken = printable(next(path for path in part if "\n" in path))
                raise OutputError(f"{broken}: contains a newline; use -0 to end names with NUL")
            end, lines = "\0", "\0".join([*part, ""])
            out = io.BytesIO(out.getvalue().replace(b"\n", b"\0"))
            out.seek(0, io.SEEK_END)
        out.write(os.fsencode(lines))
    return out.getvalue()


class Paths(Sequence[str]):
    r"""An immutable list of paths.

    Parameters
    ----------
    content
        From `encode_paths`, with either end.

    Examples
    --------
    >>> paths = Paths(b"cat/1.jpg\ncat/2.jpg\n")
    >>> len(paths), paths[1], list(paths)
    (2, 'cat/2.jpg', ['cat/1.jpg', 'cat/2.jpg'])
    >>> list(Paths(b"odd\nname.jpg\0"))
    ['odd\nname.jpg']
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._end = b"\0" if b"\0" in content else b"\n"
        self._count = content.count(self._end)

    @classmethod
    def of(cls, paths: Iterable[str]) -> Paths:
        """Pack paths, unless they are packed already."""
        return paths if isinstance(paths, Paths) else cls(encode_paths(paths))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        start = 0
        while start < len(self.content):
            middle = min(start + SCANNED_AT_ONCE, len(self.content)) - 1
            stop = self.content.find(self._end, middle) + 1 or len(self.content)
            yield from self._text(start, stop).split(self._end.decode())[:-1]
            start = stop

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> list[str]: ...

    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            rows = range(*place.indices(len(self)))
            if rows.step != 1 or not rows:
                return [self[row] for row in rows]
            start = int(self._ends[rows.start - 1]) + 1 if rows.start else 0
            text = self._text(start, int(self._ends[rows.stop - 1]))
            return text.split(self._end.decode())
        row = range(self._count)[place]
        start = int(self._ends[row - 1]) + 1 if row else 0
        return self._text(start, int(self._ends[row]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Paths) and self.content == other.content

    def __hash__(self) -> int:
        return hash(self.content)

    @cached_property
    def _ends(self) -> npt.NDArray[np.unsignedinteger[Any]]:
        """Position of the end of each path, (n,)."""
        codes = np.frombuffer(self.content, dtype=np.uint8)
        ends = np.empty(self._count, dtype=np.min_scalar_type(len(codes)))
        done = 0
        for part in blocks(len(codes), SCANNED_AT_ONCE):
            found = np.flatnonzero(codes[part] == self._end[0])
            ends[done : done + len(found)] = part.start + found
            done += len(found)
        return ends

    def _text(self, start: int, stop: int) -> str:
        return os.fsdecode(self.content[start:stop])


def same_paths(one: Paths, other: Paths) -> tuple[Rows, Rows]:
    """Return the positions of the paths that are in both lists, each of which has a path once.

    Returns
    -------
    int64 (m,), int64 (m,)
        Positions in `one`, ascending, and in `other`.
    """
    if one == other:
        return np.arange(len(one)), np.arange(len(other))
    if not other:
        return np.arange(0), np.arange(0)
    # Compare hashes first: a set of millions of strings would not fit in memory.
    numbers, known = (np.fromiter(map(hash, some), np.int64, len(some)) for some in (one, other))
    order = np.argsort(known)
    places = order[np.searchsorted(known, numbers, sorter=order).clip(max=len(known) - 1)]
    rows = np.flatnonzero(known[places] == numbers)
    places = places[rows]
    pairs = zip(_each(rows), _each(places), strict=True)
    same = np.fromiter((one[row] == other[place] for row, place in pairs), np.bool_, len(rows))
    return rows[same], places[same]


def _each(rows: Rows) -> Iterator[int]:
    for part in blocks(len(rows), AT_ONCE):
        yield from rows[part].tolist()
