"""A journal names blocks of rows that are finished, whatever befalls its lines."""

from contextlib import closing

import pytest

from moderate_cli.store.blocks import REUSED
from moderate_cli.store.journal import Journal, line_of, read_journals


def add(path, *lines):
    with closing(Journal(path)) as journal:
        for block, unreadable in lines:
            journal.add(block, unreadable)


def test_blocks_of_all_journals_are_finished(tmp_path):
    add(tmp_path / "journal.jsonl", (REUSED, {7: "is empty"}), (2, {}))
    add(tmp_path / "journal-0a.jsonl", (0, {1: "torn"}), (5, {}))
    found = read_journals(tmp_path)
    assert sorted(found.blocks) == [0, 2, 5]
    assert found.unreadable == {7: "is empty", 1: "torn"}


def test_lines_are_added_to_those_of_an_earlier_run(tmp_path):
    add(tmp_path / "journal.jsonl", (REUSED, {}), (0, {}))
    add(tmp_path / "journal.jsonl", (1, {}))
    assert read_journals(tmp_path).blocks == [0, 1]


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: line[:-3],
        lambda line: line.replace("is empty", "is torn!"),
        lambda line: line.replace('"block": 1', '"block": 3'),
        lambda line: "[]\n",
        lambda line: "\n",
    ],
)
def test_a_damaged_line_costs_its_block(tmp_path, damage):
    lines = [line_of(REUSED, {}), line_of(0, {}), damage(line_of(1, {5: "is empty"}))]
    (tmp_path / "journal.jsonl").write_text("".join(lines))
    assert read_journals(tmp_path) == ([0], [], {})


def test_a_journal_without_its_first_line_is_damaged(tmp_path):
    (tmp_path / "journal.jsonl").write_text(line_of(0, {}))
    with pytest.raises(ValueError, match=r"^its journal is damaged$"):
        read_journals(tmp_path)
