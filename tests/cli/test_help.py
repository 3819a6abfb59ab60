import os
import sys

import pytest

from moderate_cli.cli import COMMANDS, help


def test_without_a_topic_each_page_has_a_line(moderate):
    done = moderate("help")
    assert (done.status, done.stderr) == (0, "")
    *lines, empty, last = done.stdout.splitlines()
    assert lines[:2] == [
        "backbones        the networks that compute features",
        "changelog        what changed between versions",
    ]
    assert [line.split()[0] for line in lines] == list(help.pages())
    assert empty == ""
    assert last == "`moderate help COMMAND` is the same as `moderate COMMAND --help`."


@pytest.mark.parametrize("topic", help.pages())
def test_a_page_is_printed_as_it_is_without_its_comments(moderate, topic):
    done = moderate("help", topic)
    page = (help.DOCS / f"{topic}.md").read_text()
    assert page.startswith(f"# {topic.capitalize()}: {help.pages()[topic]}\n")
    kept = [line for line in page.splitlines(keepends=True) if not line.startswith("<!--")]
    assert done == (0, "".join(kept), "")


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - help.pages().keys()))
def test_help_of_a_command_is_its_own(moderate, command):
    done = moderate("help", command)
    assert done == moderate(command, "--help")
    assert done.stdout.startswith(f"Usage: moderate {command} ")


def test_a_page_comes_before_a_command_of_its_name(moderate):
    """And the page names the command's own help."""
    assert set(COMMANDS) & set(help.pages()) == {"backbones", "suspects"}
    assert "`moderate suspects --help`" in moderate("help", "suspects").stdout


def test_an_unknown_topic_is_wrong_usage_with_the_nearest_ones(moderate):
    done = moderate("help", "strategy")
    assert (done.status, done.stdout) == (2, "")
    assert "did you mean strategies? `moderate help` lists them" in done.stderr
    assert done.stderr.count("\n") == 1


def test_topics_complete(shell):
    done = shell(
        "COMP_WORDS='moderate help pre' COMP_CWORD=2 _MODERATE_COMPLETE=bash_complete moderate"
    )
    assert done == (0, "plain,presets\n", "")


def test_pages_are_read_as_utf_8_whatever_the_locale(shell):
    python = f"{sys.executable} -X utf8=0 -m moderate_cli"
    done = shell(f"LC_ALL=C {python} help criteria")
    assert done.status == 0
    assert done.stdout == moderate_page("criteria")


def moderate_page(name):
    text = (help.DOCS / f"{name}.md").read_bytes()
    lines = text.splitlines(keepends=True)
    return os.fsdecode(b"".join(line for line in lines if not line.startswith(b"<!--")))
