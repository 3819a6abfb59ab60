"""The console sessions, the Python and the Makefile of the documentation are run."""

import re
from fnmatch import fnmatch

import pytest

from tests.docs.pages import PAGES, README, blocks
from tests.docs.sessions import Shell, commands, matches

WITH_SESSIONS = [
    pytest.param(
        page, marks=[pytest.mark.program("rsync", "tar")] if "rsync" in page.read_text() else []
    )
    for page in PAGES[1:]
    if blocks(page, "console")
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder in which the README's session makes the demo dataset."""
    return Shell(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def shell(demo, tmp_path):
    """A folder of its own, with the demo dataset in it."""
    shell = Shell(tmp_path)
    shell.take_demo(demo)
    return shell


def check(page, shell):
    for command, shown in commands(page.read_text()):
        printed = shell.run(command)
        assert matches(shown, printed), f"$ {command}\n{printed}"


def test_the_session_of_the_readme_is_as_shown(demo):
    assert any(command == "moderate demo" for command, _ in commands(README.read_text()))
    check(README, demo)


@pytest.mark.parametrize("page", WITH_SESSIONS, ids=lambda page: page.stem)
def test_the_sessions_of_a_page_are_as_shown(page, shell):
    check(page, shell)


@pytest.mark.program("make")
def test_the_second_make_does_nothing(shell):
    (page,) = (page for page in PAGES if blocks(page, "make"))
    (makefile,) = blocks(page, "make")
    (shell.folder / "Makefile").write_text(makefile)
    assert shell.run("make") == "moderate select --ratio 0.3 moderate-demo/train -o kept.txt\n"
    assert shell.run("wc -l < kept.txt").strip() == "108"
    assert shell.run("make") == "make: 'kept.txt' is up to date.\n"


def test_the_python_of_the_pages_runs(shell):
    """Blocks of `python later` are for functions that are not there yet."""
    for page in PAGES:
        for example in blocks(page, "python(?: later)?"):
            compile(example, page, "exec")
        for example in blocks(page, "python"):
            (shell.folder / "example.py").write_text(example)
            assert shell.run("python example.py && echo done").endswith("done\n"), example


def test_the_files_of_a_store_are_those_in_the_table(shell):
    for command in (
        "suspects",
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
