"""The console sessions and the Python of the documentation are run."""

import re
from fnmatch import fnmatch

import pytest

from tests.docs.pages import PAGES, README, blocks
from tests.docs.sessions import commands, matches

WITH_SESSIONS = [
    pytest.param(
        page, marks=[pytest.mark.program("rsync", "tar")] if "rsync" in page.read_text() else []
    )
    for page in PAGES[1:]
    if blocks(page, "console")
]


def check(page, shell):
    for command, shown in commands(page.read_text()):
        printed = shell.run(command)
        assert matches(shown, printed), f"$ {command}\n{printed}"


def test_the_session_of_the_readme_is_as_shown(demo):
    assert any(command == "moderate demo" for command, _ in commands(README.read_text()))
    check(README, demo)


@pytest.mark.parametrize("page", WITH_SESSIONS, ids=lambda page: page.stem)
def test_the_sessions_of_a_page_are_as_shown(page, shell):
    shell.write_hub()
    check(page, shell)


def test_a_session_shows_nothing_that_depends_on_the_time_it_takes(shell):
    (shell.folder / "slowly.py").write_text(
        "import sys\n"
        "from moderate_cli import cli\n"
        "from moderate_cli.api import expecting\n"
        "from moderate_cli.cli import progress\n"
        "progress.FIRST_LINE = progress.LINE_EVERY = expecting.WORTH_SAYING = 0.0\n"
        "progress.TICK = 0.01\n"
        "cli.main(sys.argv[1:])\n"
    )
    command = "suggest moderate-demo/train --seeds 3"
    shell.run(f"TQDM_DISABLE= python slowly.py {command} > told 2>&1")
    told = (shell.folder / "told").read_text()
    assert "moderate: comparing selections" in told
    assert " s to compare selections by " in told
    shell.run("rm moderate-demo/train.moderate/*/evaluations.jsonl")
    assert shell.run(f"python slowly.py {command}") == shell.run(f"moderate {command}")


def test_the_python_of_the_pages_runs(shell):
    """Blocks of `python later` are for functions that are not there yet; recipes run elsewhere."""
    for page in (page for page in PAGES if page.stem != "recipes"):
        for example in blocks(page, "python(?: later)?"):
            compile(example, page, "exec")
        for example in blocks(page, "python"):
            (shell.folder / "example.py").write_text(example)
            assert shell.run("python example.py && echo done").endswith("done\n"), example


def test_the_files_of_a_store_are_those_in_the_table(shell):
    shell.run("printf 'path,label\\ndisc/09.jpg,checkers\\n' > corrected.csv")
    for command in (
        "suspects",
        "score --labels corrected.csv",
        "select -r 0.3",
        "select -r 0.3 --labels kmeans:2",
        "evaluate --seeds 1 --ratio 0.3 --strategy random",
    ):
        shell.run(f"moderate {command} moderate-demo/train")
    (page,) = (page.read_text() for page in PAGES if page.stem == "files")
    table = page.partition("## The feature store")[2].partition("\nResults and")[0]
    patterns = re.findall(r"^\| `([\w*.-]+)` \|", table, re.MULTILINE)
    folder = (
        shell.folder / "moderate-demo" / "train.moderate" / "efficientnet_lite0-float32-float16"
    )
    files = {path.name for path in folder.iterdir()}
    assert {name for name in files if not any(fnmatch(name, one) for one in patterns)} == set()
    assert [one for one in patterns if not any(fnmatch(name, one) for name in files)] == []
