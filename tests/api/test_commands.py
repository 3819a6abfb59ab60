"""The commands of a page can be pasted into a shell."""

import shlex
from fractions import Fraction

import pytest

from moderate_cli.api.commands import made_by
from moderate_cli.api.keywords import inputs_of
from moderate_cli.dataset.named import NamedDataset
from moderate_cli.selection import Choice


def made(choice=None, data="data/train", output="r.html", method="pca", **inputs):
    choice = Choice(ratio=Fraction(3, 10)) if choice is None else choice
    return made_by(inputs_of(data, **inputs), choice, output, method)


def test_defaults_are_left_out():
    found = made()
    assert found[:3] == (
        "moderate report --ratio 0.3 --strategy moderate data/train -o r.html",
        "moderate select --ratio 0.3 --strategy moderate data/train -o kept.txt",
        "moderate evaluate data/train",
    )


def test_every_option_that_changes_the_selection_is_there():
    choice = Choice(
        count=30, scope="global", quantile="0.25", dedup=0.95, drop_suspects="0.10", seed=3
    )
    inputs = {"backbone": "pixels", "dtype": "float32", "on_error": "skip"}
    options = (
        "--count 30 --strategy moderate --scope global --quantile 0.25 --dedup 0.95"
        " --drop-suspects 0.1 --seed 3"
    )
    data = "data/train --backbone pixels --dtype float32 --workers 3 --on-error skip"
    found = made(choice, method="umap", **inputs, workers=3)
    assert found.report == f"moderate report {options} {data} -o r.html --map umap"
    assert found.select == f"moderate select {options} {data} -o kept.txt"
    assert found.evaluate == (
        "moderate evaluate --strategy random,moderate,moderate:0.25 --drop-suspects 0.1"
        f" --scope global --seed 3 {data}"
    )


def test_the_ratio_and_the_strategy_are_among_those_that_are_compared():
    found = made(Choice(ratio="0.25", strategy="k-center"))
    assert found.evaluate == (
        "moderate evaluate --ratio 0.1,0.25,0.3,0.5"
        " --strategy adaptive,random,moderate,matching,k-center data/train"
    )


def test_the_labels_of_the_page_replace_earlier_ones():
    selects = "moderate select --ratio 0.3 --strategy moderate data/train"
    found = made(labels="old.csv")
    assert found.select == f"{selects} --labels old.csv -o kept.txt"
    assert found.corrected == f"{selects} -o kept.txt --labels corrected.csv" == made().corrected
    assert made(labels="kmeans:7").corrected == ""


def test_clusters_and_several_backbones_have_no_evaluation():
    found = made(labels="kmeans:7")
    assert (found.report.split()[7:9], found.evaluate) == (["--labels", "kmeans:7"], "")
    found = made(backbone=["pixels", "resnet50"])
    assert "--backbone pixels --backbone resnet50" in found.select
    assert found.evaluate == ""


@pytest.mark.parametrize("name", ["a b", "it's", "$(rm)", "-x", "a\x1bb"])
def test_names_are_quoted(name):
    words = shlex.split(made(data=name).select)
    assert words[:2] == ["moderate", "select"]
    assert words[-3].removeprefix("./") == name.replace("\x1b", "\\x1b")
    assert not words[-3].startswith("-")


def test_a_list_has_its_columns():
    data = NamedDataset("train.csv", images="photos", label_column="kind")
    assert made(data=data).select == (
        "moderate select --ratio 0.3 --strategy moderate train.csv --images photos"
        " --label-column kind -o kept.txt"
    )


@pytest.mark.parametrize(
    ("epoch", "date"), [("0", "1970-01-01"), ("1743379200", "2025-03-31"), ("x", None)]
)
def test_the_date_can_be_set(monkeypatch, epoch, date):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    found = made().date
    assert found == date if date else len(found) == 10
