"""`moderate backbones`."""

import pytest
import timm
import torch

from moderate_cli import open_store
from moderate_cli.networks import backbones, listing
from moderate_cli.networks.table import weights_digest


def test_backbones_are_listed_in_columns(moderate):
    done = moderate("backbones", "shufflenet_v2_x0*")
    assert done == (
        0,
        "backbone             dim  params      weights  cached\n"
        "shufflenet_v2_x0_5  1024   1.4 M  pytorch.org      no\n",
        "",
    )


def test_without_a_pattern_other_libraries_are_counted(moderate, monkeypatch):
    done = moderate("backbones")
    assert done.status == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 1 + len(listing.BACKBONES)
    assert max(map(len, lines)) <= 80
    assert done.stderr.splitlines()[0].startswith("moderate: hint: --backbone timm:NAME takes 1")
    monkeypatch.setattr(listing, "_installed", lambda name: name != "open_clip")
    assert moderate("backbones").stderr.splitlines()[1] == (
        "moderate: hint: --backbone open_clip:MODEL/PRETRAINED needs:"
        " pip install 'moderate-cli[open-clip]'"
    )


@pytest.mark.parametrize("pattern", ["", "xyz"])
def test_odd_patterns(moderate, pattern):
    done = moderate("backbones", pattern)
    if pattern:
        assert done == (
            2,
            "",
            "moderate: error: no backbone matches 'xyz'; use a shorter PATTERN\n",
        )
    else:
        assert done.status == 0


@pytest.fixture
def weights(tmp_path):
    """Random weights of a small model of timm."""
    torch.manual_seed(0)
    torch.save(timm.create_model("test_vit", num_classes=3).state_dict(), tmp_path / "w.pt")
    return tmp_path / "w.pt"


def test_a_model_of_timm_embeds_and_its_set_has_its_name_and_weights(data, moderate, weights):
    args = (data, "--backbone", "timm:test_vit", "--weights", weights, "--dtype", "float32")
    digest = weights_digest(weights)
    folder = data.with_name("train.moderate") / f"timm+test_vit-{digest[:8]}-float32-float32"
    done = moderate("embed", *args)
    assert done == (
        0, "", f"moderate: Embedded 8 images, 64 features each -> {folder}\n"
    )  # fmt: skip
    store = open_store(folder)
    assert (store.manifest.weights, store.manifest.weights_sha256) == ("w.pt", digest)
    assert store.manifest.spec.backbone == "timm:test_vit"
    assert len(moderate("select", "-r", "0.5", *args).stdout.splitlines()) == 4
    lines = moderate("info", folder).stdout.splitlines()
    assert "backbone        timm:test_vit" in lines
    assert moderate("embed", *args[:-1], "float16").status == 0  # another set


def test_a_line_says_that_torch_runs_what_openvino_cannot(data, moderate, weights, monkeypatch):
    def fail(*_args):
        raise RuntimeError("no")

    monkeypatch.setattr(backbones, "openvino_start", fail)
    args = (data, "--backbone", "timm:test_vit", "--weights", weights, "--runtime", "auto")
    done = moderate("embed", *args)
    assert done.status == 0
    assert done.stderr.splitlines()[0] == (
        "moderate: OpenVINO cannot run timm:test_vit, so torch does"
    )
    shown = moderate("embed", "--dry-run", *args, "--store", data.with_name("other")).stdout
    assert "runtime      torch: OpenVINO cannot run timm:test_vit\n" in shown
