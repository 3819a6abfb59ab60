"""Make the tables of the documentation anew, and with --sessions the output of its commands."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from tests.docs.pages import PAGES, README
from tests.docs.sessions import SESSION, Shell, recorded
from tests.docs.tables import table
from tests.marked import filled


@click.command()
@click.option("--sessions", is_flag=True, help="Run the console sessions, and show their output.")
def main(sessions: bool) -> None:
    """Write the README and the pages of `moderate help`, and name those that changed."""
    with tempfile.TemporaryDirectory() as folder:
        for page in PAGES:
            before = page.read_text()
            after = filled(before, table)
            if sessions and SESSION.search(after):
                after = recorded(after, _shell(page, Path(folder)))
            if after != before:
                page.write_text(after)
                print(page)


def _shell(page: Path, folder: Path) -> Shell:
    """Return a folder for the sessions of a page; the README makes the demo dataset itself."""
    shells = [Shell(folder / name) for name in dict.fromkeys((README.stem, page.stem))]
    for shell in shells:
        shell.folder.mkdir(exist_ok=True)
    if page != README:
        shells[1].take_demo(shells[0])
        shells[1].write_hub()
    return shells[-1]


if __name__ == "__main__":
    main()
