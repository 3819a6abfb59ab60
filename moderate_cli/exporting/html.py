"""Tables as HTML, for notebooks."""

from __future__ import annotations

from moderate_cli.exporting.tables import Table
from moderate_cli.text import printable

MOST = 20  # rows that a notebook shows


def html_table(caption: str, table: Table) -> str:
    """Return a table as HTML, with its first rows and the number of others.

    >>> html_table("1 cat", Table(("path",), [("<a>.png",)])).splitlines()[-2:]
    ['<tr><td>&lt;a&gt;.png</td></tr>', '</tbody></table>']
    """
    part = Table(table.header, table.rows[:MOST])
    more = len(table.rows) - len(part.rows)
    caption += f"; the first {MOST} of {len(table.rows)}" if more else ""
    rows = ["".join(f"<td>{_escaped(cell)}</td>" for cell in row) for row in part.texts()]
    heads = "".join(f"<th>{_escaped(name)}</th>" for name in table.header)
    return "\n".join(
        [
            f'<table><caption style="text-align: left">{_escaped(caption)}</caption>',
            f"<thead><tr>{heads}</tr></thead><tbody>",
            *(f"<tr>{row}</tr>" for row in rows),
            "</tbody></table>",
        ]
    )


def _escaped(text: str) -> str:
    import html  # with a table of all entities

    return html.escape(printable(text))
