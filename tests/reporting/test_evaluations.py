from types import SimpleNamespace

from moderate_cli.evaluation import FULL, Cell, Result
from moderate_cli.evaluation.ledger import Ledger
from moderate_cli.reporting.evaluations import evaluations_in


def test_titles_of_evaluations_name_the_network(tmp_path):
    rest = {"data": "0a", "scope": "class", "center": "mean", "seed": 3}
    for trained, test in (
        ("probe", None),
        (("cnn", 1000, 32, False, 64), None),
        (("resnet18", 200, 0, True, 64), "1b"),
        (("resnet18", 200, 0, True, 64), "2c"),
    ):
        ledger = Ledger(tmp_path / "evaluations.jsonl", {"with": trained, "test": test, **rest})
        ledger.add(Cell(FULL, "1", "", 0), Result(9, 0.9, 0.5))
        ledger.add(Cell("random", "1/3", "", 0), Result(3, 0.5, 0.5))
    # One that was stopped before it had judged any strategy.
    Ledger(tmp_path / "evaluations.jsonl", {"with": "train"}).add(
        Cell(FULL, "1", "", 0), Result(9, 0.9, 0.5)
    )
    tuned = "resnet18, fine-tuned, 200 steps of 64 images, its own size, on a test set"
    found = evaluations_in(tmp_path)
    assert [one.title for one in found] == [
        f"{tuned}; seed 3 (2)",
        f"{tuned}; seed 3",
        "cnn, 1000 steps of 64 images, 32 px, on held-out images; seed 3",
        "linear probe, on held-out images; seed 3",
    ]
    assert [one.comparison.held_out for one in found] == [False, False, True, True]
    assert [one.judge for one in found[2:]] == [
        "cnn, 1000 steps of 64 images, 32 px", "linear probe",
    ]  # fmt: skip
    assert evaluations_in(None) == []


def test_titles_name_the_test_set_if_it_is_known(tmp_path):
    context = {"with": "probe", "test": "1b"}
    file = tmp_path / "evaluations.jsonl"
    Ledger(file, context).add(Cell("random", "0.3", "", 0), Result(3, 0.5, 0.5))
    (found,) = evaluations_in(tmp_path)
    assert found.title == "linear probe, on a test set"
    ledger = Ledger(file, context, "photos/test")
    assert len(ledger.results) == 1  # a name is no part of the context
    ledger.add(Cell("random", "0.5", "", 0), Result(5, 0.5, 0.5))
    (found,) = evaluations_in(tmp_path)
    assert found.title == "linear probe, on the test set photos/test"
    assert len(found.comparison.results) == 2


def test_an_evaluation_of_other_labels_is_left_out(tmp_path):
    for labels in ({}, {"corrected": "0a"}):
        ledger = Ledger(tmp_path / "evaluations.jsonl", {"with": "probe", "test": None, **labels})
        ledger.add(Cell("random", "0.3", "", 0), Result(3, 0.5, 0.5))
    (found,) = evaluations_in(tmp_path)
    assert "corrected" not in found.settings
    (found,) = evaluations_in(tmp_path, SimpleNamespace(corrections_key="0a"))
    assert found.settings["corrected"] == "0a"
    assert evaluations_in(tmp_path, SimpleNamespace(corrections_key="1b")) == []
