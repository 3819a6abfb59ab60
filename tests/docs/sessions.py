"""Console sessions of a page: commands, and what the page shows for them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.tables import rows_of, table_of, write_shards

SESSION = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
DEMO = "moderate-demo"
# How long it takes, which commands say where it is long; that is up to the machine.
ESTIMATE = re.compile(r"^moderate: about .+ to compare selections by .+\n", re.MULTILINE)


class Shell:
    """Runs lines of bash, one after another, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        own = {name: value for name, value in os.environ.items() if name[:9] != "MODERATE_"}
        self._environment = own | {
            "COLUMNS": "80",
            "LC_ALL": "C.UTF-8",
            "TQDM_DISABLE": "1",  # a busy machine would show progress
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def run(self, line: str) -> str:
        """Return what a line prints, messages too, but nothing that depends on its time."""
        printed = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        ).stdout
        return ESTIMATE.sub("", printed)

    def take_demo(self, other: Shell) -> None:
        """Take a copy of the demo dataset and its features, made in another folder if need be.

        Suspects, of which `select` would warn, are found anew if the page asks for them.
        """
        if not (other.folder / DEMO).exists():
            other.run("moderate demo")
        anew = shutil.ignore_patterns("suspects*")
        shutil.copytree(other.folder / DEMO, self.folder / DEMO, ignore=anew)

    def write_hub(self) -> None:
        """Write the demo dataset as a repository of the hub, with a part of it as the test set."""
        rows = rows_of(self.folder / DEMO / "train")
        table = table_of(rows, sorted({name for _, name in rows}))
        write_shards(self.folder / "hub" / "data", table, 2, group=100)
        write_shards(self.folder / "hub" / "data", table.slice(0, 60), 1, "test")


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of the sessions, and the output that is shown for it."""
    for session in SESSION.finditer(text):
        for part in re.split(r"^\$ ", session[1], flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def matches(shown: str, printed: str) -> bool:
    """Whether a command prints what is shown, in which `...` stands for any text.

    >>> matches("size ... MB\\n", "size 0.2 MB\\n"), matches("size\\n", "no size\\n")
    (True, False)
    """
    return re.fullmatch(re.escape(shown).replace(re.escape("..."), ".*"), printed) is not None


def recorded(text: str, shell: Shell) -> str:
    """Return a text whose sessions show what their commands print now."""

    def record(session: re.Match[str]) -> str:
        lines = ["```console\n"]
        for command, shown in commands(session[0]):
            printed = shell.run(command)
            lines.append(f"$ {command}\n{shown if matches(shown, printed) else printed}")
        return "".join([*lines, "```"])

    return SESSION.sub(record, text)
