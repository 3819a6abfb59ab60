"""Text that is safe to show."""

from __future__ import annotations

from collections.abc import Sequence

SHORT_LIST = 14  # names that one line may hold
NEAR = 0.75  # of difflib's measure; below it, guesses are of another kind


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


def choice_refusal(value: str, names: Sequence[str], where: str = "") -> str:
    """Say that a value is none of some names; of many, only those that are near, and where all are.

    >>> choice_refusal("meen", ("mean", "median"))
    "'meen' is not one of 'mean', 'median'; did you mean 'mean'?"
    >>> choice_refusal("mode", ("mean", "median"))
    "'mode' is not one of 'mean', 'median'"
    """
    import difflib  # takes a while to load, for a mistake that is rare

    names_of = {_plain(name): name for name in names}
    near = difflib.get_close_matches(_plain(value), names_of, n=3, cutoff=NEAR)
    if _plain(value) in names_of:
        near = [_plain(value)]
    guess = f"; did you mean {' or '.join(repr(names_of[name]) for name in near)}?" if near else ""
    if len(names) <= SHORT_LIST:
        return f"{clipped(value)!r} is not one of {', '.join(map(repr, names))}{guess}"
    listed = f"{' ' if guess else '; '}{where}" if where else ""
    return f"{clipped(value)!r} is not one of {len(names)} names{guess}{listed}"


def _plain(name: str) -> str:
    return clipped(name).lower().replace("-", "").replace("_", "").replace(" ", "")
