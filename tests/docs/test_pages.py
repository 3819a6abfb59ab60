"""Pages agree with the code: tables, options, commands, links, and the lines at the top."""

import json
import re
import shlex
import tomllib
from collections import defaultdict

import click
import pytest
from PIL import Image

from moderate_cli.cli import COMMANDS, cli
from moderate_cli.cli.evaluate import FORMATS as EVALUATE_FORMATS
from moderate_cli.exporting import (
    INDEX_FORMATS,
    MANIFEST_FORMATS,
    SCORE_FORMATS,
    TABLE_FORMATS,
)
from moderate_cli.scoring import CRITERIA
from moderate_cli.selection import STRATEGIES
from tests.benchmarks.page import PAGE as RESULTS
from tests.benchmarks.tables.pages import TABLES as STRATEGY_TABLES
from tests.benchmarks.tables.pages import shown
from tests.docs.pages import PAGES, README, ROOT, blocks, prose
from tests.docs.picture import PICTURE
from tests.docs.tables import TABLES, table
from tests.marked import filled, parts

MEASURED_PAGES = (RESULTS, ROOT / "tests" / "faults" / "README.md")
ALL = (*PAGES, ROOT / "moderate_cli" / "README.md", *MEASURED_PAGES)
# At the top of the README: what installs it and runs the main job, and what passes the tests.
SET_UP = """\
python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/moderate demo
python3 -m venv .venv && .venv/bin/pip install '.[test]' && .venv/bin/python -m pytest
"""
# Options of pip, uv, and the scripts of the benchmarks.
FOREIGN = {"--from", "--extra", "--spec", "--gpu-rate", "--cores", "--price", "--help", "--init"}


def name_of(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_tables_are_those_of_the_code(page):
    assert filled(page.read_text(), table) == page.read_text(), "run python -m tests.docs"


def test_every_table_stands_on_a_page():
    assert {name for page in PAGES for name in parts(page.read_text())} == TABLES.keys()


@pytest.mark.parametrize("name", STRATEGY_TABLES)
def test_tables_of_strategies_are_those_of_the_results(name):
    assert parts(RESULTS.read_text())[name] == f"{shown(*STRATEGY_TABLES[name])}\n"


def test_a_linear_probe_has_one_name():
    code = (ROOT / "moderate_cli").rglob("*.py")
    assert [path for path in (*ALL, *code) if "linear head" in path.read_text().lower()] == []


def test_strategies_and_criteria_are_all_described():
    text = table("strategies")
    assert re.findall(r"^- \*\*`(.+?)`\*\*", text, re.MULTILINE) == [*STRATEGIES]
    assert text.count("\n  - For: ") == len(STRATEGIES)
    assert re.findall(r"^- \*\*`(.+?)`\*\*", table("criteria"), re.MULTILINE) == [*CRITERIA]


def test_the_table_of_outputs_has_every_format():
    found, command = defaultdict(set), ""
    for cells in rows("files", "| command | suffix | content |"):
        command = cells[0].strip("`") or command
        found[command] |= {f".{suffix}" for suffix in re.findall(r"`\.(\w+)`", cells[1])}
    assert found == {
        "select": set(INDEX_FORMATS),
        "select --manifest": set(MANIFEST_FORMATS),
        "score": set(SCORE_FORMATS),
        "suspects": set(TABLE_FORMATS),
        "verify": set(TABLE_FORMATS),
        "duplicates": set(TABLE_FORMATS),
        "evaluate": set(EVALUATE_FORMATS),
        "report": {".html"},
    }


def rows(page, header):
    """Cells of the table that has this header."""
    (found,) = (other for other in PAGES if other.stem == page)
    lines = found.read_text().partition(header)[2].splitlines()[2:]
    for line in lines[: lines.index("")]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def test_every_extra_is_in_the_readme():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    described = re.findall(
        r"`([\w-]+)`", "".join(cell[0] for cell in rows("README", "| extra | adds |"))
    )
    assert sorted(described) == sorted(extras.keys() - {"test", "benchmarks"})


def test_the_readme_begins_with_two_lines_that_ci_runs_too():
    assert blocks(README, "sh")[0] == SET_UP
    assert README.read_text().index(SET_UP) < 800
    assert f"\n{SET_UP.splitlines()[1]}\n" in (ROOT / ".ci" / "run").read_text()


def test_the_readme_is_short_and_has_a_picture():
    assert len(README.read_text().splitlines()) <= 350
    assert f"]({name_of(PICTURE)})" in README.read_text()
    assert PICTURE.stat().st_size < 100_000
    with Image.open(PICTURE) as picture:
        assert picture.size == (1640, 750)


def test_pages_fit_a_terminal():
    for page in PAGES[1:]:
        lines = prose(page).splitlines()
        assert [line for line in lines if len(line) > (100 if line.startswith("|") else 80)] == []


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)]+)\)", prose(page)):
        if not link.startswith("https://"):
            file, _, anchor = link.partition("#")
            target = (page.parent / file).resolve() if file else page
            assert target.exists(), link
            if anchor:
                assert anchor in map(anchor_of, re.findall("^#+ (.+)$", target.read_text(), re.M))


def anchor_of(heading):
    """As GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def commands_of(page):
    """Lines of shell that call moderate, without the programs that they are piped to."""
    for line in page.read_text().splitlines():
        found = re.match(r"(?:\$ |    |)moderate (\w.*)", line)
        if found:
            words = shlex.split(found[1], comments=True)
            end = min((words.index(sign) for sign in ("|", ">", "2>/dev/null") if sign in words),
                      default=None)  # fmt: skip
            yield words[:end]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_can_be_pasted(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    facts = {"options": {"seed": "0"}, "dataset": {"images": 1}}
    recipe = {"kept": 0, "of": 1, "recipe": facts, "images": []}
    (tmp_path / "kept.json").write_text(json.dumps(recipe))
    for name, *args in commands_of(page):
        if {name, *args} & {"TOPIC", "COMMAND"}:
            continue
        assert name in COMMANDS, name
        with cli.make_context("moderate", [name, *args]) as root:
            command = cli.get_command(root, name)
            try:
                command.make_context(name, list(args), parent=root).close()
            except click.UsageError as error:
                pytest.fail(f"moderate {shlex.join([name, *args])}: {error.format_message()}")


def options():
    """Long names of the options of all commands."""
    with cli.make_context("moderate", ["info", "."]) as root:
        for name in COMMANDS:
            for param in cli.get_command(root, name).params:
                yield from (opt for opt in param.opts if opt.startswith("--"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_exist(page):
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", prose(page)))
    assert named - set(options()) - FOREIGN == set()


def test_all_topics_that_are_named_exist():
    topics = {page.stem for page in PAGES[1:]}
    for page in PAGES:
        named = re.findall(r"`moderate help (\w+)`", page.read_text())
        assert set(named) - {"TOPIC", "COMMAND"} <= topics
