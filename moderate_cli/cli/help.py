"""`moderate help`: pages of the documentation, and the help of commands."""

from __future__ import annotations

from pathlib import Path

import click

from moderate_cli.cli import console
from moderate_cli.cli.helping import Helped
from moderate_cli.cli.values import Choice

DOCS = Path(__file__).parents[1] / "docs"
OTHERS = "`moderate help COMMAND` is the same as `moderate COMMAND --help`."


def pages() -> dict[str, str]:
    """Return the subject of each page by its name, from the title `# Name: subject`."""
    found = {}
    for path in sorted(DOCS.glob("*.md")):
        with path.open(encoding="utf-8") as file:
            found[path.stem] = file.readline().partition(": ")[2].strip()
    return found


class _Topic(Choice):
    """A page or a command."""

    def __init__(self) -> None:
        from moderate_cli.cli import COMMANDS

        super().__init__([*pages(), *COMMANDS], "`moderate help` lists them")


@click.command(
    cls=Helped,
    examples=(
        ("moderate help strategies", "show a page"),
        ("moderate help select", "show the help of a command"),
    ),
)
@click.argument("topic", type=_Topic(), required=False, metavar="[COMMAND|TOPIC]")
def command(topic: str | None) -> None:
    """Show a page of the documentation, or the help of a command.

    Without one, lists the topics.
    """
    if topic is None:
        console.write(f"{console.facts(pages())}\n{OTHERS}\n".encode())
    elif (page := DOCS / f"{topic}.md").exists():
        lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
        # Comments mark the parts that a script writes.
        console.write("".join(line for line in lines if not line.startswith("<!--")).encode())
    else:
        console.show(f"{_help_of(topic)}\n")


def _help_of(name: str) -> str:
    """Return the output of `moderate NAME --help`."""
    from moderate_cli.cli import cli

    root = click.get_current_context().find_root()
    found = cli.get_command(root, name)
    assert found is not None  # `_Topic` refused all others
    with found.context_class(found, info_name=name, parent=root) as context:
        return found.get_help(context)
