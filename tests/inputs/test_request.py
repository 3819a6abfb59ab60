"""The inputs that a user names: which of them go together."""

import numpy as np
import pytest

from moderate_cli.embedding import EmbedOptions
from moderate_cli.errors import ArgumentError, OptionError
from moderate_cli.inputs import Inputs

F, Y = np.zeros((3, 2)), np.array([0, 1, 1])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "missing data, a dataset folder"),
        ({"labels": Y}, "missing data, a dataset folder"),
        ({"data": "d", "features": (F,), "labels": Y}, "use data or features, not both"),
        ({"data": "d", "scores": "s.npy"}, "use data or scores, not both"),
        ({"features": (F,), "labels": Y, "scores": F[:, 0]}, "use features or scores, not both"),
        ({"data": "d", "labels": Y}, "use data or labels, not both"),
        (
            {"data": "d", "labels": "y.npy"},
            "with data, labels='y.npy' is neither kmeans:K nor a table of corrected labels"
            " (.csv, .tsv, .jsonl, .parquet or .txt)",
        ),
        ({"features": (F,)}, "features needs labels"),
        (
            {"scores": F[:, 0], "labels": "kmeans:3"},
            "labels='kmeans:3' needs features, not scores",
        ),
        ({"data": "d", "backbones": ("a", "b", "a")}, "backbone='a' is given twice"),
        (
            {"data": "d", "backbones": ("a", "b"), "embedding": EmbedOptions(weights="w.pt")},
            "weights takes only one backbone",
        ),
    ],
)
def test_inputs_that_do_not_go_together_are_refused(inputs, message):
    with pytest.raises(OptionError) as caught:
        Inputs(**inputs)
    assert str(caught.value) == message


@pytest.mark.parametrize("number", ["", "0", "-1", "1.5", "many", "1" * 41])
def test_clusters_have_a_positive_number(number):
    with pytest.raises(ArgumentError) as caught:
        Inputs(data="d", labels=f"kmeans:{number}")
    assert str(caught.value) == (
        f"labels: 'kmeans:{number}' has no number of clusters; use kmeans:K, e.g. kmeans:100"
    )


@pytest.mark.parametrize(
    ("inputs", "clusters"),
    [
        ({"data": "d"}, None),
        ({"data": "d", "labels": "kmeans:3"}, 3),
        ({"features": (F,), "labels": "kmeans:12"}, 12),
        ({"features": (F,), "labels": Y}, None),
        ({"features": (F,), "labels": "y.npy"}, None),
        ({"features": (F, F), "labels": Y}, None),
        ({"scores": F[:, 0]}, None),
        ({"scores": F[:, 0], "labels": Y}, None),
    ],
)
def test_clusters_take_the_place_of_classes_if_asked_for(inputs, clusters):
    assert Inputs(**inputs).clusters == clusters


def test_each_backbone_has_its_options():
    options = EmbedOptions(backbone="resnet18", dtype="float32")
    assert Inputs(data="d", embedding=options).backbones == ("resnet18",)
    inputs = Inputs(data="d", backbones=("resnet18", "pixels"), embedding=options)
    assert [(one.backbone, one.dtype) for one in inputs.embeddings] == [
        ("resnet18", "float32"), ("pixels", "float32")
    ]  # fmt: skip


def test_files_are_named_and_arrays_are_not(tmp_path):
    weights = EmbedOptions(backbone="resnet18", weights=tmp_path / "w.pt")
    assert Inputs(data="d", embedding=weights).files == (f"{tmp_path}/w.pt",)
    assert Inputs(features=("f.npy", F), labels="y.npy").files == ("f.npy", "y.npy")
    assert Inputs(features=("f.npy",), labels="kmeans:2").files == ("f.npy",)
    assert Inputs(scores="s.npy", labels=Y).files == ("s.npy",)
    assert Inputs(data="d").files == ()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"scores": F[:, 0]}, "dedup=0.9 needs features, not scores"),
        ({"features": (F, F), "labels": Y}, "dedup=0.9 takes only one features"),
        ({"data": "d", "backbones": ("a", "b")}, "dedup=0.9 takes only one backbone"),
    ],
)
def test_an_option_that_compares_features_needs_one_set_of_them(inputs, message):
    with pytest.raises(OptionError) as caught:
        Inputs(**inputs).check_single(("dedup", 0.9))
    assert str(caught.value) == message


def test_one_set_of_features_is_enough():
    for inputs in (Inputs(data="d"), Inputs(features=(F,), labels=Y)):
        inputs.check_single("dedup")


def test_an_option_is_spelled_as_who_reads_it_writes_it():
    with pytest.raises(OptionError) as caught:
        Inputs(scores=F[:, 0], labels="kmeans:3")
    shown = caught.value.spelled(lambda name, value: f"--{name} {value}" if value else name.upper())
    assert shown == "--labels kmeans:3 needs FEATURES, not SCORES"
