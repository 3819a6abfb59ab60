"""Each image has its record: kept, or the reason why not."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import paint

import moderate_cli
from moderate_cli.choosing import fates
from moderate_cli.exporting.manifests import Record

FEATURES = {"backbone": "pixels", "dtype": "float32", "runtime": "torch"}
# Of class 0: a center, its copy, two far images; and one image that cannot be read.
F = np.array([[1.0, 0], [1, 0], [1, 1], [0, 1], [np.nan, np.nan], [0, -1.0]])
Y = np.array([0, 0, 0, 0, 0, 1])


def read(manifest):
    return [Record(**json.loads(line)) for line in Path(manifest).read_text().splitlines()]


def selected(**options):
    options = {"ratio": 0.5, "strategy": "easy", **options}
    return moderate_cli.select(features=F, labels=Y, **options)


def test_an_image_is_kept_or_has_a_reason():
    found = list(selected(dedup=0.99).records())
    assert [(one.path, one.label, one.kept, one.reason) for one in found] == [
        ("0", "0", True, None),
        ("1", "0", False, "near duplicate of 0"),
        ("2", "0", False, "outside the window"),
        ("3", "0", False, "outside the window"),
        ("4", "0", False, "unreadable"),
        ("5", "1", True, None),
    ]
    assert [one.score is None for one in found] == [False] * 4 + [True, False]
    assert {one.split for one in found} == {None}


def test_a_strategy_without_a_window_does_not_name_one():
    reasons = {one.reason for one in selected(strategy="random").records()}
    assert reasons == {None, "not chosen", "unreadable"}


def test_suspects_are_named_as_such(rng):
    features = np.concatenate([rng.normal(size=(40, 4)), rng.normal(size=(40, 4)) + 8])
    labels = np.repeat([0, 1], 40)
    labels[3] = 1
    found = moderate_cli.select(features=features, labels=labels, ratio=1, drop_suspects="auto")
    records = list(found.records())
    assert records[3] == Record("3", "1", None, found.scores.values[3], False, "suspect")
    assert sum(one.kept for one in records) == 79


def test_the_inverse_has_the_same_records():
    found = selected()
    assert list(found.inverted().records()) == list(found.records())


def test_records_are_the_same_whatever_is_made_at_a_time(monkeypatch):
    at_once = list(selected(dedup=0.99).records())
    monkeypatch.setattr(fates, "ROWS_AT_ONCE", 4)
    assert list(selected(dedup=0.99).records()) == at_once


@pytest.mark.parametrize("name", ["train", "photos", "train.csv"])
def test_the_split_is_that_of_the_name(embedded, name):
    data = embedded.rename(embedded.parent / name.partition(".")[0])
    if name == "train.csv":
        images = sorted(data.rglob("*.png"))
        lines = [f"{path.relative_to(data.parent)},{path.parent.name}\n" for path in images]
        data = data.parent / name
        data.write_text("path,label\n" + "".join(lines))
    found = moderate_cli.select(data, ratio=0.5, **FEATURES)
    assert {one.split for one in found.records()} == {None if name == "photos" else "train"}


def test_the_command_writes_all_images(embedded, moderate, monkeypatch):
    monkeypatch.chdir(embedded.parents[1])
    (embedded / "cat" / "1.png").write_bytes(b"torn")
    done = moderate(
        "select", "-r", "0.5", "--on-error", "skip", embedded, "--manifest", "all.jsonl"
    )
    assert (done.status, done.stdout) == (0, "")
    records = read("all.jsonl")
    kept = moderate("select", "-r", "0.5", "--on-error", "skip", embedded).stdout.splitlines()
    assert [one.path for one in records if one.kept] == kept
    assert len(records) == 8
    assert records[1].reason.startswith("unreadable: ")
    args = ("select", "-r", "0.5", "--on-error", "skip", embedded, "--invert", "-o", "rest.txt")
    moderate(*args, "--manifest", "all.jsonl")
    assert read("all.jsonl") == records


def test_each_ratio_has_its_manifest(embedded, moderate, monkeypatch):
    monkeypatch.chdir(embedded.parents[1])
    assert moderate("select", "-r", "0.25,0.5", embedded, "--manifest", "{ratio}.jsonl").status == 0
    counts = [sum(one.kept for one in read(f"{ratio}.jsonl")) for ratio in ("0.25", "0.5")]
    assert counts == [2, 4]
    done = moderate("select", "-r", "0.25,0.5", embedded, "--manifest", "all.jsonl")
    assert (done.status, done.stdout) == (2, "")
    assert "with several ratios, --manifest needs {ratio} in the name" in done.stderr
    assert moderate("select", "-r", "0.5", embedded, "--manifest", "all.csv").status == 2


def test_a_list_as_data_has_both(embedded, moderate, monkeypatch):
    monkeypatch.chdir(embedded)
    images = sorted(embedded.rglob("*.png"))
    named = {str(path.relative_to(embedded)): path.parent.name for path in images}
    lines = [json.dumps({"path": path, "label": name, "by": "me"}) for path, name in named.items()]
    (embedded / "list.jsonl").write_text("\n".join([*lines, ""]))
    args = ("select", "-r", "0.5", "list.jsonl", "-o", "../kept.jsonl", "--manifest", "../a.jsonl")
    assert moderate(*args).status == 0
    kept = list(map(json.loads, (embedded.parent / "kept.jsonl").read_text().splitlines()))
    every = read(embedded.parent / "a.jsonl")
    assert {tuple(one) for one in kept} == {("path", "label", "by")}
    assert {one["path"] for one in kept} == {one.path for one in every if one.kept}
    assert len(every) == 8


def test_a_split_of_a_tree_is_named(embedded, moderate, monkeypatch):
    monkeypatch.chdir(embedded.parent)
    embedded.rename("fold-a")
    paint(embedded.parent / "test" / "cat" / "0.png", 5)
    args = ("select", "-r", "0.5", ".", "--split", "fold-a", "--manifest", "../all.jsonl")
    assert moderate(*args).status == 0
    assert '"split": "fold-a"' in (embedded.parents[1] / "all.jsonl").read_text()


def test_an_image_that_corrections_leave_out_is_told(embedded, tmp_path):
    (tmp_path / "c.csv").write_text("path,label\ncat/0.png,\ncat/1.png,dog\n")
    found = moderate_cli.select(embedded, ratio=1, labels=tmp_path / "c.csv", **FEATURES)
    first, second, *rest = found.records()
    assert (first.label, first.kept, first.reason) == ("cat", False, "no label in c.csv")
    assert (second.label, second.kept) == ("dog", True)
    assert all(one.kept for one in rest)
