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


def one_line(error: BaseException) -> str:
    r"""Message of an error on one line; its type if it has none.

    >>> one_line(ValueError("torn\n  at byte 9")), one_line(MemoryError())
    ('torn at byte 9', 'MemoryError')
    """
    return " ".join(str(error).split()) or type(error).__name__


def clipped(text: str, most: int = 100) -> str:
    """Beginning of a text that may be of any length.

    >>> clipped("a name"), clipped("a" * 5000, 5)
    ('a name', 'aaaaa...')
    """
    return text if len(text) <= most else f"{text[:most]}..."
