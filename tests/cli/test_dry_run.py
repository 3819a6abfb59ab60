"""`--dry-run` writes nothing, whatever the command."""

import pytest

from moderate_cli.cli import COMMANDS, cli


def contents(root):
    return {path: path.is_file() and path.read_bytes() for path in root.rglob("*")}


DRY = [
    name
    for name in COMMANDS
    if any("--dry-run" in param.opts for param in cli.get_command(None, name).params)
]


@pytest.mark.parametrize("command", DRY)
def test_a_dry_run_writes_nothing(command, pictures, moderate, tmp_path):
    before = contents(tmp_path)
    done = moderate(command, pictures, "--dry-run")
    assert (done.status, "time" in done.stdout) == (0, True)
    assert contents(tmp_path) == before


def test_there_are_such_commands():
    assert DRY == ["embed", "fit"]
