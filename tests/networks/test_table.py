import hashlib

import pytest
from torchvision import models

from moderate_cli.errors import ArgumentError, WeightsError
from moderate_cli.images import pixels
from moderate_cli.networks import table
from moderate_cli.networks.table import BACKBONES, FeatureSpec, weights_digest


def test_the_table_lists_the_classifiers_of_torchvision():
    own = [one.name for one in BACKBONES.values() if one.family == "torchvision"]
    assert own == models.list_models(module=models)


def test_the_rule_in_a_manifest_is_the_rule_that_makes_pixels():
    assert (table.RULE, table.DEFAULT_MAX_PIXELS) == (2, 178_956_970)
    assert pixels.RULE == 2


def test_what_changes_the_numbers_changes_the_name():
    assert FeatureSpec("resnet50", "0123456789", "bfloat16", "float32").name == (
        "resnet50-01234567-bfloat16-float32"
    )


def test_unknown_choices_are_refused():
    with pytest.raises(ArgumentError) as caught:
        FeatureSpec(precision="int8")
    assert str(caught.value) == (
        "precision: 'int8' is unknown; choose one of float32, bfloat16, float16"
    )
    with pytest.raises(ArgumentError) as caught:
        FeatureSpec("pixels", "0123")
    assert (
        str(caught.value)
        == "weights: the backbone 'pixels' has no weights; choose another backbone"
    )


def test_the_digest_is_that_of_the_file(tmp_path, monkeypatch):
    (tmp_path / "w.pt").write_bytes(b"weights")
    assert weights_digest(tmp_path / "w.pt") == hashlib.sha256(b"weights").hexdigest()
    assert weights_digest(None) == ""
    (tmp_path / "w.pt").write_bytes(b"others!")
    assert weights_digest(tmp_path / "w.pt") == hashlib.sha256(b"others!").hexdigest()
    monkeypatch.setattr(hashlib, "file_digest", None)  # it is not read again
    assert weights_digest(tmp_path / "w.pt") == hashlib.sha256(b"others!").hexdigest()
    with pytest.raises(WeightsError) as caught:
        weights_digest("nowhere.pt")
    assert str(caught.value) == "nowhere.pt: No such file or directory; name a weights file"
