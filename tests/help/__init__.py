"""The help of every command, in files that a review reads: `python -m tests.help` writes them."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from unittest import mock

from moderate_cli.cli import COMMANDS, PROGRAM, cli

FOLDER = Path(__file__).parent


def helps() -> dict[Path, str]:
    """Return the help of `moderate` and of every command, by the file it is in."""
    calls: dict[str, list[str]] = {PROGRAM: []} | {name: [name] for name in COMMANDS}
    return {FOLDER / f"{name}.txt": shown(*call, "--help") for name, call in calls.items()}


@mock.patch.dict(os.environ, COLUMNS="80")
def shown(*args: str) -> str:
    """Return the output of a command on a terminal of 80 columns."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        cli.main(args, prog_name=PROGRAM, standalone_mode=False)
    return output.getvalue()
