"""Names and numbers as a page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moderate_cli.arrays import Rows
from moderate_cli.text import printable

MOST_NAMED, LONGEST_NAME = 8, 120


def shown(name: str, longest: int = LONGEST_NAME) -> str:
    r"""Return a name that is safe to show and not too long.

    >>> shown("a\u202eb.jpg"), len(shown(300 * "x"))
    ('a\\u202eb.jpg', 120)
    """
    text = printable(name)
    half = longest // 2
    return text if len(text) <= longest else f"{text[: half - 1]}…{text[-half:]}"


def some(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """List names; of many only the first ones.

    >>> some(["cat"]), some(list("abcdefghij"))
    ('cat', 'a, b, c, d, e, f, g, h and 2 more')
    """
    found = ", ".join(shown(name) for name in names[:most])
    more = len(names) - most
    return f"{found} and {more:,} more" if more > 0 else found


def counted(things: Sequence[Any] | Rows, one: str, more: str = "") -> str:
    """Return a number with its noun.

    >>> counted(["cat"], "class", "classes"), counted(range(1200), "image")
    ('1 class', '1,200 images')
    """
    return f"{len(things):,} {one if len(things) == 1 else more or one + 's'}"
