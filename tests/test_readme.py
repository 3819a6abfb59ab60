"""The README's console sessions, Python and Makefile are run, and its help blocks compared."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from benchmarks.tables import shown

from moderate_cli.cli.choosing import KEPT
from moderate_cli.cli.options import MEASURED
from moderate_cli.scoring import CRITERIA
from moderate_cli.selection import STRATEGIES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def commands(block):
    """Pairs of a command and the output that the README shows for it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """Run lines of bash, one after another, in one folder."""
    folder = tmp_path_factory.mktemp("readme")
    environment = os.environ | {
        "COLUMNS": "80",
        "LC_ALL": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }

    def run(line):
        return subprocess.run(
            ["bash", "-c", line],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        ).stdout

    run.folder = folder
    return run


def test_console_sessions_are_as_shown(session):
    assert blocks("console")
    for block in blocks("console"):
        for command, expected in commands(block):
            pattern = re.escape(expected)
            pattern = pattern.replace(re.escape("\n  ...\n"), r"\n(?:  .*\n)+")  # some lines
            pattern = pattern.replace(re.escape("..."), ".*")
            found = session(command)
            assert re.fullmatch(pattern, found), f"$ {command}\n{found}"


def test_the_python_example_runs_on_the_same_data(session):
    (example,) = blocks("python")
    (session.folder / "example.py").write_text(example)
    assert session("python example.py") == ""
    assert session("diff -r -x .moderate-export pruned pruned-too") == ""


def test_the_second_make_does_nothing(session):
    (makefile,) = blocks("make")
    (session.folder / "Makefile").write_text(makefile)
    session("rm -f kept.txt")
    assert session("make") == ("moderate select --ratio 0.3 moderate-demo/train -o kept.txt\n")
    assert session("wc -l < kept.txt").strip() == "108"
    assert session("make") == "make: 'kept.txt' is up to date.\n"


def test_set_up_and_test_commands_are_those_of_ci():
    assert "pip install .\n" in README
    assert "pip install '.[test]' && pytest\n" in README
    ci = (ROOT / ".ci" / "run").read_text()
    assert "pip install -q '.[test]'\n" in ci
    assert ci.endswith("\npytest\n")


def test_every_preset_is_in_the_table():
    presets = sorted((ROOT / "configs").glob("*.toml"))
    assert len(presets) >= 6
    for path in presets:
        assert f"`{path.stem}`" in README
        assert tomllib.loads(path.read_text())


def test_strategies_and_criteria_are_described_as_in_the_help():
    assert set(KEPT) == set(STRATEGIES)
    assert set(MEASURED) == set(CRITERIA)
    for name, meaning in (KEPT | MEASURED).items():
        row = next(line for line in README.splitlines() if line.startswith(f"| `{name}` | "))
        assert row.split(" | ")[1].replace("`", "") == meaning


def test_tables_of_strategies_are_those_of_the_results():
    for table in ("fashion-mnist-60000", "fashion-mnist", "clothing"):
        assert shown(table) in README
