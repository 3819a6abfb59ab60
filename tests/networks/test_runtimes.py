import hashlib
import importlib.util
import os
import subprocess
import sys

import pytest
import torch
from checkpoints import checkpoint

from moderate_cli.errors import ArgumentError
from moderate_cli.networks import arithmetic, backbones, openvino_runtime, runtimes
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
from moderate_cli.networks.openvino_runtime import _load_openvino
_load_openvino()
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
    monkeypatch.setattr(openvino_runtime, "processors", lambda: processors)
    network = load_network(FeatureSpec(), device="cpu", runtime="openvino", batch_size=7)
    pixels = images(network, 7)
    whole = network.forward(pixels)
    for count in range(1, 7):
        assert torch.equal(network.forward(pixels[:count]), whole[:count])


def chosen(name, device=CPU, **spec):
    return runtimes.choose_runtime(name, device, FeatureSpec(**spec))


@pytest.fixture
def able(monkeypatch):
    """A processor with arithmetic for every precision."""
    monkeypatch.setattr(arithmetic, "computes", lambda _: True)


def test_auto_is_openvino_only_where_it_serves_and_says_why(able, monkeypatch):
    faster = ("openvino", "faster than torch on a processor")
    assert chosen("auto") == faster
    assert chosen("auto", precision="bfloat16") == faster
    half = ("torch", "OpenVINO does not compute in float16")
    assert chosen("auto", precision="float16") == half
    assert chosen("auto", GPU) == ("torch", "on a GPU")
    assert chosen("auto", backbone="pixels") == ("torch", "pixels is not a network")
    assert chosen("torch") == ("torch", "as --runtime says")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert chosen("auto") == ("torch", "OpenVINO, which is faster, is not installed")


def test_openvino_is_refused_where_it_cannot_serve(able, monkeypatch):
    with pytest.raises(ArgumentError) as caught:
        chosen("openvino", GPU)
    assert str(caught.value) == (
        "--runtime openvino: needs --device cpu and --precision float32 or bfloat16"
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ArgumentError) as caught:
        chosen("openvino")
    told = "--runtime openvino: is not installed; pip install 'moderate-cli[fast]'"
    assert str(caught.value) == told


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("runtime", ["auto", "torch", "openvino"])
def test_a_precision_without_arithmetic_is_refused_whatever_runs_it(
    precision, runtime, monkeypatch
):
    monkeypatch.setattr(arithmetic, "computes", lambda name: name == "float32")
    with pytest.raises(ArgumentError) as caught:
        chosen(runtime, precision=precision)
    assert str(caught.value) == (
        f"--precision {precision}: this processor has no arithmetic for it, and would take 17 to 20"
        " times as long as in float32; use --precision float32"
    )
    assert chosen("torch").name == "torch"
    assert chosen("auto", GPU, precision=precision).name == "torch"
    # Nothing is computed there.
    assert chosen("torch", backbone="pixels", precision=precision).name == "torch"
    monkeypatch.setattr(arithmetic, "computes", lambda _: True)
    assert chosen("torch", precision=precision).name == "torch"


def test_what_openvino_computes_in_must_be_what_is_asked_for():
    class Compiled:
        def get_property(self, _name):
            return importlib.import_module("openvino").Type.f32

    openvino_runtime._check_precision(Compiled(), "float32")
    with pytest.raises(ArgumentError) as caught:
        openvino_runtime._check_precision(Compiled(), "bfloat16")
    assert str(caught.value) == (
        "--runtime openvino: computes bfloat16 as f32 on this processor; use --precision float32,"
        " or --runtime torch"
    )


@pytest.fixture
def caches(tmp_path, monkeypatch):
    """The folder of converted networks, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "moderate" / "openvino"


def embedded(**options):
    network = load_network(FeatureSpec(), device="cpu", runtime="openvino", **options)
    return network.forward(images(network, 3))


def test_a_network_is_converted_once_and_has_the_same_bits_afterwards(caches, counted):
    calls = counted(openvino_runtime, "_convert")
    first = embedded(batch_size=3)
    assert len(calls) == 1
    assert torch.equal(embedded(batch_size=3), first)
    assert len(calls) == 1
    (kept,) = caches.iterdir()
    assert 13e6 < kept.stat().st_size < 14e6


def test_another_shape_or_version_or_weight_is_converted_anew(caches, counted, monkeypatch):
    calls = counted(openvino_runtime, "_convert")
    embedded(batch_size=3)
    embedded(batch_size=10)
    assert len(calls) == 2
    monkeypatch.setattr(torch, "__version__", "2.99")
    embedded(batch_size=3)
    assert len(calls) == 3

    def changed(name, *args, original=backbones.load_classifier):
        classifier = original(name, *args)
        with torch.no_grad():
            classifier.module.features[0][0].weight[0, 0, 0, 0] += 1e-6
        return classifier

    monkeypatch.setattr(backbones, "load_classifier", changed)
    embedded(batch_size=3)
    assert len(calls) == 4
    assert len(list(caches.iterdir())) == 4


def spoiled(content):
    yield "empty", b""
    yield "half of it", content[: len(content) // 2]
    yield "one bit of a weight", content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
    for name, inside in (("nothing", b""), ("another program", bytes(8) + b"<net/>")):
        yield name, hashlib.blake2b(inside, digest_size=32).digest() + inside


def test_a_damaged_or_foreign_conversion_is_made_anew(caches, counted):
    first = embedded(batch_size=3)
    (kept,) = caches.iterdir()
    whole = kept.read_bytes()
    calls = counted(openvino_runtime, "_convert")
    for number, (name, content) in enumerate(spoiled(whole), 1):
        kept.write_bytes(content)
        assert torch.equal(embedded(batch_size=3), first), name
        assert len(calls) == number, name
        assert kept.read_bytes()[32:64] == whole[32:64], name
    kept.unlink()
    os.mkfifo(kept)
    assert torch.equal(embedded(batch_size=3), first)


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert embedded(batch_size=3).shape == (3, 1280)
    assert os.listdir(tmp_path) == ["file"]
