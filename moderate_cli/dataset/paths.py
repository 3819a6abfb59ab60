"""Lists of paths, packed: fourteen million of them take the memory of their letters."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Rows
from moderate_cli.errors import OutputError
from moderate_cli.text import printable

AT_ONCE = 1 << 16  # paths that are joined, or split, in one go
SCANNED_AT_ONCE = 1 << 24  # bytes that are searched for ends


def encode_paths(paths: Iterable[str], *, nul: bool | None = None) -> bytes:
    r"""Join paths, as the bytes they have on disk, one per line.

    Parameters
    ----------
    paths
        As `os.fsdecode` gives them.
    nul
        End each with a NUL byte instead of a newline; None does so only if a path holds a newline.

    Raises
    ------
    OutputError
        If `nul` is False and a path holds a newline.

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
                raise OutputError(f"{broken}: holds a newline; -0 ends names with NUL instead")
            end, lines = "\0", "\0".join([*part, ""])
            out = io.BytesIO(out.getvalue().replace(b"\n", b"\0"))
            out.seek(0, io.SEEK_END)
        out.write(os.fsencode(lines))
    return out.getvalue()


class Paths(Sequence[str]):
    r"""A list of paths that cannot be changed.

    Parameters
    ----------
    content
        What `encode_paths` wrote, whichever way entries end.

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
        """Pack paths that are not yet."""
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
            return [self[row] for row in range(*place.indices(len(self)))]
        row = range(self._count)[place]
        start = int(self._ends[row - 1]) + 1 if row else 0
        return self._text(start, int(self._ends[row]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Paths) and self.content == other.content

    def __hash__(self) -> int:
        return hash(self.content)

    @cached_property
    def _ends(self) -> npt.NDArray[np.unsignedinteger[Any]]:
        """Where each path ends, (n,)."""
        codes = np.frombuffer(self.content, dtype=np.uint8)
        ends = np.empty(self._count, dtype=np.min_scalar_type(len(codes)))
        done = 0
        for start in range(0, len(codes), SCANNED_AT_ONCE):
            found = np.flatnonzero(codes[start : start + SCANNED_AT_ONCE] == self._end[0])
            ends[done : done + len(found)] = start + found
            done += len(found)
        return ends

    def _text(self, start: int, stop: int) -> str:
        return os.fsdecode(self.content[start:stop])


def same_paths(one: Paths, other: Paths) -> tuple[Rows, Rows]:
    """Return where each path stands that is in both lists; in neither does one stand twice.

    Returns
    -------
    int64 (m,), int64 (m,)
        Places in `one`, ascending, and in `other`.
    """
    if one == other:
        return np.arange(len(one)), np.arange(len(other))
    if not other:
        return np.arange(0), np.arange(0)
    # A number stands for a path: as a set of strings, millions of them would not fit.
    numbers, known = (np.fromiter(map(hash, some), np.int64, len(some)) for some in (one, other))
    order = np.argsort(known)
    places = order[np.searchsorted(known, numbers, sorter=order).clip(max=len(known) - 1)]
    rows = np.flatnonzero(known[places] == numbers)
    places = places[rows]
    pairs = zip(_each(rows), _each(places), strict=True)
    same = np.fromiter((one[row] == other[place] for row, place in pairs), np.bool_, len(rows))
    return rows[same], places[same]


def _each(rows: Rows) -> Iterator[int]:
    for start in range(0, len(rows), AT_ONCE):
        yield from rows[start : start + AT_ONCE].tolist()
