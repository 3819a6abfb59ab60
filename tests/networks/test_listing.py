import os
import sys

import pytest
from torchvision import models

from moderate_cli.errors import ArgumentError
from moderate_cli.networks import listing
from moderate_cli.networks.listing import Listed, list_backbones
from moderate_cli.networks.table import BACKBONES

pytestmark = pytest.mark.usefixtures("weights_caches")


def test_without_a_pattern_all_of_ours_are_listed_and_no_library_is_loaded(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))  # other tests fill the one that they share
    monkeypatch.setattr(listing, "_LIBRARIES", {})
    found, more, missing = list_backbones()
    assert [one.name for one in found] == list(BACKBONES)
    assert (more, missing) == (0, ())
    known = {one.name: one for one in found}
    assert known["efficientnet_lite0"] == ("efficientnet_lite0", 1280, 4.7, "installed", True)
    assert known["resnet50"] == ("resnet50", 2048, 25.6, "pytorch.org", False)
    assert known["pixels"] == ("pixels", 192, None, "needs none", True)
    assert known["fitted"] == ("fitted", None, None, "moderate fit", False)


def test_weights_that_are_not_installed_name_their_extra(monkeypatch):
    monkeypatch.setattr(listing, "_installed", lambda name: "lite2" not in name)
    (found,), _, _ = list_backbones("*_lite2")
    assert found == Listed("efficientnet_lite2", 1280, 6.1, "extra lite2", False)


def test_weights_that_torch_keeps_are_told_from_those_of_another_version(weights_caches):
    folder = weights_caches / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "resnet50-0676ba61.pth").touch()  # the first version of its weights
    (folder / os.path.basename(models.ResNet18_Weights.DEFAULT.url)).touch()
    kept = {one.name: one.kept for one in list_backbones("resnet*")[0]}
    assert (kept["resnet18"], kept["resnet34"], kept["resnet50"]) == (True, False, False)


def test_a_pattern_finds_models_of_libraries_with_their_sizes(weights_caches):
    folder = weights_caches / "hf" / "models--timm--test_vit.r160_in1k"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("1a2b")
    (folder / "snapshots" / "1a2b").mkdir(parents=True)
    (folder / "snapshots" / "1a2b" / "model.safetensors").touch()
    found, more, _ = list_backbones("timm:test_v*")
    assert more == 0
    assert sorted(one.name for one in found) == [
        "timm:test_vit.r160_in1k", "timm:test_vit2.r160_in1k", "timm:test_vit3.r160_in1k",
    ]  # fmt: skip
    ((name, dim, millions, *rest),) = (one for one in found if one.kept)
    assert (name, dim, rest) == ("timm:test_vit.r160_in1k", 64, ["huggingface.co", True])
    assert millions == pytest.approx(0.4, abs=0.1)
    (clip,), _, _ = list_backbones("open_clip:vit-b-32/openai")
    assert clip == ("open_clip:ViT-B-32/openai", 512, pytest.approx(87.8, abs=0.1),
                    "huggingface.co", False)  # fmt: skip
    (other,), _, _ = list_backbones("gcvit_tiny")
    assert (other.source, other.kept) == ("github.com", False)


def test_many_models_are_counted():
    found, more, _ = list_backbones("timm:vit_t")
    assert (len(found), more > 0) == (min(30, len(found)), len(found) == 30 and more > 0)
    found, more, _ = list_backbones("timm:resnet")
    assert len(found) == listing.MOST
    assert more > 50


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(listing, "_installed", lambda name: name not in ("timm", "open_clip"))
    assert list_backbones("resnet50").missing == ("timm", "open_clip")
    with pytest.raises(ArgumentError) as caught:
        list_backbones("timm:vit")
    assert str(caught.value) == "timm is not installed; pip install 'moderate-cli[timm]'"
    with pytest.raises(ArgumentError) as caught:
        list_backbones("dinov2")
    assert str(caught.value) == (
        "no backbone matches 'dinov2'; models of timm and open_clip need: pip install"
        " 'moderate-cli[timm,open-clip]'"
    )


def test_a_pattern_that_nothing_matches_is_refused():
    with pytest.raises(ArgumentError) as caught:
        list_backbones("timm:yolov8n")
    assert str(caught.value) == ("no backbone matches 'timm:yolov8n'; use a shorter PATTERN")


def test_a_model_that_cannot_be_built_is_listed_without_its_size():
    (found,), _, _ = list_backbones("open_clip:xlm-roberta-base*")
    assert found.name.startswith("open_clip:xlm-roberta-base-ViT-B-32/")
    assert (found.dim, found.millions) == (512, None)
    assert "transformers" not in sys.modules
