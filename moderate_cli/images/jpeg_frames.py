"""Header of a JPEG -> its size, if a GPU decodes it as a processor does.

nvJPEG knows neither colors other than gray and YCbCr, nor the scans of progressive files in its
hardware, and fills up a truncated file without an error. All such files are left to the reader of
the processor, which has the last word on what is readable.
"""

from __future__ import annotations

from typing import NamedTuple

from moderate_cli.images.jpeg_segments import SCAN, segments

END = b"\xff\xd9"
BASELINE, EXTENDED, HUFFMAN, ARITHMETIC = 0xC0, 0xC1, 0xC4, 0xCC
FRAMES = frozenset(range(0xC0, 0xD0)) - {HUFFMAN, ARITHMETIC, 0xC8}
ADOBE = 0xEE
YCBCR = 1  # Adobe's number of that color transform; without one, colors are RGB
NUMBERS = (b"\x01\x02\x03", b"\x00\x01\x02")  # of Y, Cb and Cr; those of RGB are letters
# Samples of Y per sample of Cb and Cr, across and down: 4:4:4, 4:2:2, 4:4:0 and 4:2:0.
SAMPLINGS = (0x11, 0x21, 0x12, 0x22)


class Frame(NamedTuple):
    """Height and width of a picture, and its number of components."""

    height: int
    width: int
    components: int


def ordinary_frame(content: bytes) -> Frame | None:
    """Return the frame of a complete baseline JPEG, gray or YCbCr; None for any other file.

    >>> gray = bytes.fromhex("ffd8 ffc0 000b 08 0002 0003 01 011100 ffda 0008 01 0100 003f00 ffd9")
    >>> ordinary_frame(gray)
    Frame(height=2, width=3, components=1)
    >>> ordinary_frame(gray[:-1]), ordinary_frame(b"GIF89a")
    (None, None)
    """
    frame, transform = None, YCBCR
    for marker, body, end in segments(content):
        if marker == SCAN:
            if frame is None or (frame.components > 1 and transform != YCBCR):
                return None
            return frame if _is_only_scan(content, body, end, frame) else None
        if marker in FRAMES:
            if frame is not None or marker not in (BASELINE, EXTENDED):
                return None
            frame = _frame(content[body:end])
            if frame is None:
                return None
        elif marker == ADOBE and content.startswith(b"Adobe", body):
            transform = content[body + 11] if end - body >= 12 else -1
    return None


def _frame(segment: bytes) -> Frame | None:
    """Read the frame of a picture of 8 bits, gray or YCbCr; None for any other."""
    if len(segment) < 6 or segment[0] != 8:
        return None
    height, width = int.from_bytes(segment[1:3]), int.from_bytes(segment[3:5])
    components, samplings = segment[5], segment[7::3]
    if len(segment) != 6 + 3 * components or min(height, width) < 1:
        return None
    color = (
        components == 3
        and segment[6::3] in NUMBERS
        and samplings[0] in SAMPLINGS
        and samplings[1:] == b"\x11\x11"
    )
    return Frame(height, width, components) if color or components == 1 else None


def _is_only_scan(content: bytes, body: int, end: int, frame: Frame) -> bool:
    """Whether a scan has all components, and a picture that ends."""
    return body < end and content[body] == frame.components and content.rfind(END, end) >= 0
