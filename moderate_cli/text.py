"""Text that is safe to show."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Text with control characters and undecodable bytes as escapes, safe on a terminal.

    >>> print(printable("a\x1b[2Jb.jpg"))
    a\x1b[2Jb.jpg
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
