"""Parts of a Markdown file that a script writes, each between two comments."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

PART = re.compile(r"^<!-- table: (.+?) -->\n(.*?)^<!-- end -->$", re.DOTALL | re.MULTILINE)


def parts(text: str) -> dict[str, str]:
    r"""Return the content of each part.

    >>> parts("# Cats\n<!-- table: cats -->\n| cat |\n<!-- end -->\n")
    {'cats': '| cat |\n'}
    """
    return {found[1]: found[2] for found in PART.finditer(text)}


def filled(text: str, content_of: Callable[[str], str]) -> str:
    r"""Return a text with the content that each part should have.

    >>> filled("<!-- table: cats -->\n<!-- end -->", lambda name: f"| {name} |\n")
    '<!-- table: cats -->\n| cats |\n<!-- end -->'
    """
    return PART.sub(
        lambda found: f"<!-- table: {found[1]} -->\n{content_of(found[1])}<!-- end -->", text
    )


def fill(page: Path, name: str, content: str) -> None:
    """Write one part of a file."""
    text = page.read_text()
    assert name in parts(text), f"{page} has no part {name!r}"
    page.write_text(filled(text, lambda found: content if found == name else parts(text)[found]))


def put_row(page: Path, name: str, row: str, keys: int = 1) -> None:
    """Write one row of a table, in place of the one whose first `keys` cells are the same."""
    rows = parts(page.read_text())[name].splitlines()
    key = row.split(" | ")[:keys]
    known = [other.split(" | ")[:keys] for other in rows]
    place = known.index(key) if key in known else len(rows)
    rows[place : place + 1] = [row]
    fill(page, name, "".join(f"{row}\n" for row in rows))
