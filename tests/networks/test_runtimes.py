import importlib.util
import os
import subprocess
import sys

import pytest
import torch
from checkpoints import checkpoint

from moderate_cli.errors import ArgumentError
from moderate_cli.networks import runtimes
from moderate_cli.networks.backbones import load_network
from moderate_cli.networks.table import FeatureSpec

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def images(network, count):
    crop = network.preprocessing.crop
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, crop, crop), generator=generator, dtype=torch.uint8)


def networks(spec, weights=None, **options):
    return [
        load_network(spec, weights, device="cpu", runtime=runtime, **options)
        for runtime in ("torch", "openvino")
    ]


def test_openvino_takes_its_stub_for_telemetry_without_a_word():
    code = """
from moderate_cli.networks import runtimes
runtimes._load_openvino()
from openvino.tools.ovc import convert_impl, telemetry_utils
print(convert_impl.tm.__name__, telemetry_utils.tm.__name__)
"""
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    stub = "openvino.tools.ovc.telemetry_stub"
    assert (done.stdout, done.stderr) == (f"{stub} {stub}\n", "")


def test_openvino_gives_the_features_of_torch():
    reference, network = networks(FeatureSpec(), batch_size=5)
    pixels = images(network, 5)
    torch.testing.assert_close(
        network.forward(pixels), reference.forward(pixels), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "vit_b_32", "swin_t", "googlenet"])
def test_openvino_runs_every_kind_of_classifier(tmp_path, name):
    options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    path, _ = checkpoint(tmp_path, name, **options)
    reference, network = networks(FeatureSpec(name, "digest"), path, batch_size=2)
    pixels = images(network, 2)
    torch.testing.assert_close(
        network.forward(pixels), reference.forward(pixels), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("processors", [1, 2, 3])
def test_an_image_becomes_the_same_whatever_comes_with_it(monkeypatch, processors):
    monkeypatch.setattr(runtimes, "processors", lambda: processors)
    network = load_network(FeatureSpec(), device="cpu", runtime="openvino", batch_size=7)
    pixels = images(network, 7)
    whole = network.forward(pixels)
    for count in range(1, 7):
        assert torch.equal(network.forward(pixels[:count]), whole[:count])


def test_auto_is_openvino_only_where_it_serves(monkeypatch):
    assert runtimes.choose_runtime("auto", CPU, "float32") == "openvino"
    assert runtimes.choose_runtime("auto", CPU, "float16") == "torch"
    assert runtimes.choose_runtime("auto", GPU, "float32") == "torch"
    assert runtimes.choose_runtime("torch", CPU, "float32") == "torch"
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert runtimes.choose_runtime("auto", CPU, "float32") == "torch"


def test_openvino_is_refused_where_it_cannot_serve(monkeypatch):
    with pytest.raises(ArgumentError) as caught:
        runtimes.choose_runtime("openvino", GPU, "float32")
    assert str(caught.value) == (
        "--runtime openvino: needs --device cpu and --precision float32 or bfloat16"
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ArgumentError) as caught:
        runtimes.choose_runtime("openvino", CPU, "float32")
    assert str(caught.value) == "--runtime openvino: is not installed; pip install openvino"
