"""The segments of a JPEG's header."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

START = b"\xff\xd8\xff"
SCAN, FILL = 0xDA, 0xFF


class Segment(NamedTuple):
    """A segment: its marker, and where its content begins and ends."""

    marker: int
    body: int
    end: int


def segments(content: bytes | bytearray) -> Iterator[Segment]:
    """Yield the segments up to the first scan; fewer if a segment is damaged or truncated.

    >>> gray = bytes.fromhex("ffd8 ffc0 000b 08 0002 0003 01 011100 ffda 0008 01 0100 003f00")
    >>> [(hex(one.marker), one.body, one.end) for one in segments(gray)]
    [('0xc0', 6, 15), ('0xda', 19, 25)]
    """
    if not content.startswith(START):
        return
    at, end = 2, len(content)
    while at + 4 <= end and content[at] == FILL:
        marker = content[at + 1]
        if marker == FILL:  # any number of them may come before a marker
            at += 1
            continue
        body, at = at + 4, at + 2 + (content[at + 2] << 8 | content[at + 3])
        if at < body or at > end:
            return
        yield Segment(marker, body, at)
        if marker == SCAN:
            return
