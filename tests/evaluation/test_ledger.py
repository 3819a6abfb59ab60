import json
import math

import pytest

from moderate_cli.evaluation.cells import Cell, Result
from moderate_cli.evaluation.ledger import Ledger


def test_what_is_finished_is_found_again(tmp_path):
    path = tmp_path / "e.jsonl"
    one, two = Cell("easy", "0.1", "", 0), Cell("moderate", "0.1", "auto", 1, "0.25")
    ledger = Ledger(path, {"with": "probe"})
    ledger.add(one, Result(3, 0.5, 0.25))
    ledger.add(two, Result(4, 0.75, 0.5))
    assert Ledger(path, {"with": "probe"}).results == {one: (3, 0.5, 0.25), two: (4, 0.75, 0.5)}
    assert Ledger(path, {"with": "other"}).results == {}
    content = path.read_bytes()
    path.write_bytes(content[:-30])  # as a run leaves it that is killed while it writes
    ledger = Ledger(path, {"with": "probe"})
    assert ledger.results == {one: (3, 0.5, 0.25)}
    ledger.add(two, Result(4, 0.75, 0.5))
    assert len(Ledger(path, {"with": "probe"}).results) == 2


def test_a_number_is_found_again_whichever_way_it_was_written(tmp_path):
    path = tmp_path / "e.jsonl"
    old = Ledger(path, {})
    old.add(Cell("moderate", "2/6", "0.10", 0, "0.0"), Result(3, 0.5, 0.25))
    old.add(Cell("easy", "0.30", "auto", 0, "0.50"), Result(4, 0.75, 0.5))
    assert Ledger(path, {}).results == {
        Cell("moderate", "1/3", "0.1", 0, "0"): (3, 0.5, 0.25),
        Cell("easy", "0.3", "auto", 0, "0.5"): (4, 0.75, 0.5),
    }


@pytest.mark.parametrize(
    ("cell", "result"),
    [
        (["easy", "a third", "", 0, "0.5"], [1, 0.5, 0.5]),
        (["easy", "7", "", 0, "0.5"], [1, 0.5, 0.5]),
        (["easy", "0.5", "most", 0, "0.5"], [1, 0.5, 0.5]),
        (["easy", "0.5", "", 0, "2"], [1, 0.5, 0.5]),
        (["easy", "0.5", "", 0, "0.5"], [1, math.nan, 0.5]),
        (["easy", "0.5", "", 0, "0.5"], [1, 0.5, 50]),
    ],
)
def test_a_result_that_cannot_be_is_none(cell, result, tmp_path):
    entry = {"context": "{}", "cell": cell, "result": result}
    (tmp_path / "e.jsonl").write_text(json.dumps(entry))
    assert Ledger(tmp_path / "e.jsonl", {}).results == {}


def test_a_ledger_of_rubbish_is_none(tmp_path, rng):
    path = tmp_path / "e.jsonl"
    for _ in range(50):
        path.write_bytes(rng.bytes(200) + b'\n{"context": "{}", "cell": [1], "result": 3}\n[]\n7\n')
        assert Ledger(path, {}).results == {}
