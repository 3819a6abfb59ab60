"""Completion of values, as a shell asks for it."""

import pytest


@pytest.fixture
def complete(shell):
    def ask(line):
        words = line.split(" ")
        variables = f"COMP_WORDS='{line}' COMP_CWORD={len(words) - 1}"
        done = shell(f"{variables} _MODERATE_COMPLETE=bash_complete moderate")
        assert (done.status, done.stderr) == (0, "")
        return [one.partition(",")[2] for one in done.stdout.splitlines() if one]

    return ask


def test_presets_complete_beside_files(complete):
    assert complete("moderate select --config noi") == ["noisy-labels", "noi"]


def test_strategies_complete_one_after_another(complete):
    assert complete("moderate select --strategy herd") == ["herding"]
    assert complete("moderate evaluate --strategy easy,ha") == ["easy,hard"]
    assert complete("moderate evaluate --strategy easy,e") == []


def test_columns_and_splits_of_data_complete(complete, tmp_path):
    (tmp_path / "train.csv").write_text("image_id,breed,band\n1,x,y\n")
    assert complete("moderate select train.csv --label-column b") == ["breed", "band"]
    for name in ("train", "trial", "val"):
        (tmp_path / "data" / name).mkdir(parents=True)
    assert complete("moderate select data --split tr") == ["train", "trial"]
    assert complete("moderate select missing --split tr") == []
