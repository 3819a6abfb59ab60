"""Help is as it was last reviewed, and fits two screens."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import click
import pytest
from help import FOLDER, helps, shown
from terminals import on_a_terminal

from moderate_cli.cli import COMMANDS, cli, options

FOUND = helps()
TWO_SCREENS, SHORT = 100, 25  # lines, at 80 columns


def test_each_command_has_a_file_and_each_file_a_command():
    assert set(FOLDER.glob("*.txt")) == FOUND.keys()


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_help_is_as_reviewed(path):
    assert FOUND[path] == path.read_text(), "python -m tests.help writes it"


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_help_fits_two_screens(path):
    assert len(FOUND[path].splitlines()) <= TWO_SCREENS


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_help_fits_the_width_of_a_terminal(path):
    assert max(map(len, FOUND[path].splitlines())) <= 80


@pytest.mark.parametrize("name", [(), *((name,) for name in COMMANDS)], ids=str)
def test_the_short_help_fits_a_screen_and_ends_with_examples(name):
    text = shown(*name, "-h")
    assert len(text.splitlines()) <= SHORT
    assert max(map(len, text.splitlines())) <= 80
    assert "\nExamples:\n  moderate " in text
    assert all(part.split()[0] != "Options:" for part in text.split("\n\n"))


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_commands_that_exist_with_their_options(name):
    command = cli.get_command(None, name)
    assert len(command.examples) == 2
    for example, _ in command.examples:
        program, called, *arguments = shlex.split(example.partition("|")[0])
        assert (program, called) == ("moderate", name)
        with command.context_class(command, info_name=name) as context:
            command.make_parser(context).parse_args(arguments)


def test_help_is_as_wide_as_the_terminal_up_to_100_columns(monkeypatch):
    widest = {}
    for columns in (70, 90, 300):
        monkeypatch.setenv("COLUMNS", str(columns))
        with contextlib.redirect_stdout(io.StringIO()) as output:
            cli.main(["select", "--help"], prog_name="moderate", standalone_mode=False)
        widest[columns] = max(map(len, output.getvalue().splitlines()))
    assert 60 < widest[70] <= 70 < 80 < widest[90] <= 90 < widest[300] <= 100


@pytest.mark.parametrize(
    ("variables", "colored"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_heads_are_bold_on_a_terminal_unless_color_is_refused(tmp_path, variables, colored):
    variables = {"TERM": "xterm", "NO_COLOR": ""} | variables
    for line in ("moderate select -h", "moderate help select", "moderate", "moderate prune"):
        _, text = on_a_terminal(line, tmp_path, **variables)
        assert ("\x1b[" in text) == colored, line
        assert "\nExamples:" in click.unstyle(text) or "error: command" in click.unstyle(text)


def test_no_color_where_there_is_no_terminal(shell):
    for line in ("moderate select -h", "moderate help select", "moderate 2>&1", "moderate x 2>&1"):
        assert "\x1b" not in shell(line).stdout, line


def test_where_to_write_is_declared_once_in_the_words_of_each_command():
    once = re.compile(r"""option\(\s*("-o"|"--output"|"--copy-to"|"--test"|"--seeds")""")
    files = sorted(Path(options.__file__).parent.glob("*.py"))
    assert [file.name for file in files for _ in once.findall(file.read_text())] == [
        "comparing.py", "comparing.py", "options.py", "options.py",
    ]  # fmt: skip
