"""One record of options, taken by all that embeds."""

import os
from dataclasses import fields, replace
from typing import get_type_hints

import pytest

from moderate_cli.cli.embed import command
from moderate_cli.embedding import EmbedKeywords, EmbedOptions
from moderate_cli.errors import ArgumentError, WeightsError

# Options of the command that say what is done, where or in which part, not how images are embedded.
OTHERS = {
    "config", "dry_run", "engine", "gpus_per_worker", "images", "label_column",
    "label_pattern", "num_workers",
    "part", "path_column", "ray_address", "verbose",
}  # fmt: skip


def long(param):
    """The long option, as a keyword."""
    return max(param.opts, key=len).removeprefix("--").replace("-", "_")


@pytest.fixture
def params():
    """Options of `moderate embed` that say how images are embedded, by their names."""
    options = {long(param): param for param in command.params if param.param_type_name == "option"}
    return {name: param for name, param in options.items() if name not in OTHERS}


def test_keywords_are_the_fields():
    assert get_type_hints(EmbedKeywords) == get_type_hints(EmbedOptions)
    assert EmbedKeywords.__total__ is False


def test_options_of_the_command_are_the_fields(params):
    assert sorted(params) == sorted(field.name for field in fields(EmbedOptions))


def test_defaults_of_the_command_are_those_of_the_fields(params, monkeypatch):
    for name in [name for name in os.environ if name.startswith("MODERATE_")]:
        monkeypatch.delenv(name)
    found = command.make_context("embed", ["data/train"]).params
    defaults = {name: found[param.name] for name, param in params.items()}
    defaults["backbone"] = defaults["backbone"][0]
    assert EmbedOptions(**defaults) == EmbedOptions()


def test_every_choice_of_the_command_is_taken(params):
    taken = 0
    for name, param in params.items():
        for choice in getattr(param.type, "choices", ()):
            assert getattr(EmbedOptions(**{name: choice}), name) == choice
            taken += 1
    assert taken > 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_pixels": 0}, "max_pixels: 0 is not positive"),
        ({"batch_size": 0}, "batch_size: 0 is not positive"),
        ({"workers": -1}, "workers: -1 is not positive"),
        ({"check": "inode"}, "check: 'inode' is unknown; choose one of stat, mtime, content"),
        ({"device": "tpu"}, "device: 'tpu' is unknown; choose one of auto, cpu, cuda, mps, cuda:N"),
        ({"runtime": "onnx"}, "runtime: 'onnx' is unknown; choose one of auto, torch, openvino"),
        ({"on_error": "warn"}, "on_error: 'warn' is unknown; choose one of fail, skip"),
        (
            {"backbone": "pixels", "weights": "w.pt"},
            "weights: the backbone 'pixels' has no weights; choose another backbone",
        ),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ArgumentError) as caught:
        EmbedOptions(**options)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["backbone", "precision", "dtype", "decode"])
def test_an_option_of_features_that_is_unknown_is_named(name):
    with pytest.raises(ArgumentError, match=f"^{name}: 'best' is "):
        EmbedOptions(**{name: "best"})


def test_one_record_makes_that_of_another_backbone():
    one = EmbedOptions(dtype="float32")
    other = replace(one, backbone="resnet50")
    assert [one.spec.name, other.spec.name] == [
        "efficientnet_lite0-float32-float32",
        "resnet50-float32-float32",
    ]


def test_weights_are_read_when_features_are_named(tmp_path):
    options = EmbedOptions(backbone="resnet50", weights=tmp_path / "none.pt")
    with pytest.raises(WeightsError):
        _ = options.spec
    (tmp_path / "none.pt").write_bytes(b"abc")
    assert options.spec.name == "resnet50-ba7816bf-float32-float16"
