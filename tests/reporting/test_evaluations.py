from moderate_cli.evaluation import FULL, Cell, Result
from moderate_cli.evaluation.ledger import Ledger
from moderate_cli.reporting.evaluations import evaluations_in


def test_titles_of_evaluations_name_the_network(tmp_path):
    rest = {"data": "0a", "scope": None, "center": "mean", "seed": 3}
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
    assert list(evaluations_in(tmp_path)) == [
        "linear probe, on held-out images; center mean, seed 3",
        "cnn, 1000 steps of 64 images, 32 px, on held-out images; center mean, seed 3",
        f"{tuned}; center mean, seed 3",
        f"{tuned}; center mean, seed 3 (2)",
    ]
    assert [one.held_out for one in evaluations_in(tmp_path).values()] == [True, True, False, False]
    assert evaluations_in(None) == {}
