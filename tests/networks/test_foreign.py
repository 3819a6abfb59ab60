"""Networks of timm and open_clip, with random weights, compared with those libraries."""

import json
import os
import socket
import sys
import time
from pathlib import Path

import numpy as np
import open_clip
import pytest
import skimage
import timm
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from moderate_cli.errors import ArgumentError, WeightsError
from moderate_cli.images.preprocessing import read_image
from moderate_cli.networks import backbones, hub
from moderate_cli.networks.backbones import load_network
from moderate_cli.networks.table import FeatureSpec, weights_digest

PHOTOS = [Path(skimage.__file__).parent / "data" / name for name in ("chelsea.png", "rocket.jpg")]
# Their transforms resize with PIL, ours with torch: pixels differ by half a level of 255.
LEVELS_APART = 0.01


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def saved(tmp_path, model, **wrapping):
    path = tmp_path / "w.pt"
    torch.save({"state_dict": model.state_dict(), **wrapping}, path)
    return path


def network_of(name, path, **options):
    spec = FeatureSpec(name, weights_digest(path))
    return load_network(spec, path, device="cpu", **{"runtime": "torch", **options})


def check(network, transform, expected):
    """Pictures and features are those of the library; its features are of our pictures."""
    pixels = [read_image(os.fspath(photo), network.preprocessing).pixels for photo in PHOTOS]
    mean, std = (
        torch.tensor(value).view(3, 1, 1)
        for value in (network.preprocessing.mean, network.preprocessing.std)
    )
    ours = (torch.stack(pixels) - mean) / std
    theirs = torch.stack([transform(Image.open(photo).convert("RGB")) for photo in PHOTOS])
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().mean()) < LEVELS_APART
    with torch.inference_mode():
        features = expected(ours)
    found = network.forward(torch.stack(pixels))
    assert found.shape == (len(PHOTOS), network.dim)
    torch.testing.assert_close(found, features, rtol=1e-4, atol=1e-5)


# The last one does not keep the shape of a picture.
@pytest.mark.parametrize(
    ("name", "squash"),
    [
        ("resnet10t.c3_in1k", False),
        ("test_vit.r160_in1k", False),
        ("test_resnet.r160_in1k", False),
        ("test_convnext.r160_in1k", False),
        ("convnextv2_nano.fcmae_ft_in22k_in1k_384", True),
    ],
)
def test_a_model_of_timm_gives_its_pooled_features(tmp_path, name, squash):
    model = timm.create_model(name, num_classes=7).eval()
    config = timm.data.resolve_model_data_config(model)
    transform = timm.data.create_transform(**config, is_training=False)
    network = network_of(f"timm:{name}", saved(tmp_path, model))
    assert network.preprocessing.squash == squash
    assert network.weights == ("w.pt", weights_digest(tmp_path / "w.pt"))

    def expected(images):
        return model.forward_head(model.forward_features(images), pre_logits=True)

    check(network, transform, expected)


def test_features_in_openvino_are_those_of_torch(tmp_path):
    model = timm.create_model("test_vit", num_classes=7)
    path = saved(tmp_path, model)
    images = torch.randint(0, 256, (3, 3, 160, 160), dtype=torch.uint8)
    found = network_of("timm:test_vit", path, runtime="auto")
    assert found.runtime.name == "openvino"
    expected = network_of("timm:test_vit", path).forward(images)
    torch.testing.assert_close(found.forward(images), expected, rtol=1e-3, atol=1e-4)


def test_half_precision_and_batch_size_are_as_of_other_backbones(tmp_path, monkeypatch):
    monkeypatch.setattr("moderate_cli.networks.arithmetic.computes", lambda _: True)  # if slowly
    path = saved(tmp_path, timm.create_model("test_vit", num_classes=7))
    full = network_of("timm:test_vit", path, batch_size=2)
    spec = FeatureSpec("timm:test_vit", "digest", precision="bfloat16")
    half = load_network(spec, path, device="cpu", runtime="torch")
    images = torch.randint(0, 256, (2, 3, 160, 160), dtype=torch.uint8)
    assert full.batch_size == 2
    assert (half.forward(images) - full.forward(images)).norm() < 0.05 * full.forward(images).norm()


def fail(*_args, **_options):
    raise RuntimeError("Check 'false' failed at src/frontends")


def other(*args):
    return lambda images: lambda: torch.ones(len(images), 64)


@pytest.mark.parametrize(
    ("start", "fault"),
    [(fail, "Check 'false' failed at src/frontends"), (other, "features differ by ... %")],
)
def test_what_openvino_cannot_run_is_run_by_torch_with_a_reason(
    tmp_path, monkeypatch, start, fault
):
    path = saved(tmp_path, timm.create_model("test_vit", num_classes=7))
    monkeypatch.setattr(backbones, "openvino_start", start)
    network = network_of("timm:test_vit", path, runtime="auto")
    assert network.runtime == ("torch", "OpenVINO cannot run timm:test_vit")
    assert network.fallback
    images = torch.randint(0, 256, (2, 3, 160, 160), dtype=torch.uint8)
    assert torch.equal(network.forward(images), network_of("timm:test_vit", path).forward(images))
    with pytest.raises(ArgumentError) as caught:
        network_of("timm:test_vit", path, runtime="openvino")
    begin, _, end = fault.partition("...")
    told = str(caught.value)
    assert told.startswith(f"--runtime openvino: cannot run timm:test_vit ({begin}")
    assert told.endswith(f"{end}); use --runtime torch")


def random_clip(name, tag=None):
    config = open_clip.get_pretrained_cfg(name, tag) if tag else {}
    keys = ("mean", "std", "interpolation", "resize_mode")
    return open_clip.create_model(
        name,
        force_quick_gelu=config.get("quick_gelu", False),
        force_preprocess_cfg={key: config[key] for key in keys if key in config},
    ).eval()


TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 48, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A small model, with tags for two kinds of transforms."""
    file = tmp_path_factory.mktemp("models") / "tiny.json"
    file.write_text(json.dumps(TINY))
    open_clip.add_model_config(file)
    known = open_clip.pretrained._PRETRAINED
    known["tiny"] = {
        "openai": dict(known["ViT-B-32"]["openai"]),
        "webli": dict(known["ViT-B-16-SigLIP"]["webli"]),
    }
    yield "tiny"
    del known["tiny"]
    open_clip.factory._MODEL_CONFIG_PATHS.remove(file)
    del open_clip.factory._MODEL_CONFIGS["tiny"]


@pytest.mark.parametrize(
    ("tag", "squash", "mean"),
    [(None, False, 0.48145466), ("openai", False, 0.48145466), ("webli", True, 0.5)],
)
def test_a_model_of_open_clip_gives_what_encode_image_gives(tiny, tmp_path, tag, squash, mean):
    model = random_clip(tiny, tag)
    name = f"open_clip:{tiny}/{tag}" if tag else f"open_clip:{tiny}"
    network = network_of(name, saved(tmp_path, model))
    assert network.preprocessing.squash == squash
    assert network.preprocessing.mean[0] == 255 * mean
    cfg = PreprocessCfg(**model.visual.preprocess_cfg)
    check(network, image_transform_v2(cfg, is_train=False), model.encode_image)


def test_a_model_that_open_clip_ships_works_with_its_text_encoder_in_the_file(tmp_path):
    model = random_clip("ViT-S-32-alt")
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "w.pt")
    network = network_of("open_clip:ViT-S-32-alt", tmp_path / "w.pt")
    assert network.weights[0] == "w.pt, its module"
    assert network.dim == 256
    assert sum(one.numel() for one in model.parameters()) > 40e6
    cfg = PreprocessCfg(**model.visual.preprocess_cfg)
    check(network, image_transform_v2(cfg, is_train=False), model.encode_image)


def refusal(name, path=None):
    spec = FeatureSpec(name, weights_digest(path))
    with pytest.raises((ArgumentError, WeightsError)) as caught:
        load_network(spec, path, device="cpu", runtime="torch")
    return str(caught.value)


def test_unknown_models_and_tags_are_named_with_near_ones():
    assert refusal("timm:resnet10x") == (
        "backbone: 'timm:resnet10x' is unknown; did you mean timm:resnet10t or timm:resnet101 or"
        " timm:resnet101s? `moderate backbones timm:PATTERN` lists them"
    )
    assert refusal("timm:yolov8n-cls") == (
        "backbone: 'timm:yolov8n-cls' is unknown; `moderate backbones timm:PATTERN` lists them"
    )
    assert refusal("open_clip:ViT-B-33/openai") == (
        "backbone: 'open_clip:ViT-B-33' is unknown; did you mean open_clip:ViT-B-32 or"
        " open_clip:ViT-S-32 or open_clip:ViT-M-32? `moderate backbones open_clip:PATTERN` lists"
        " them"
    )
    assert refusal("open_clip:ViT-B-16-SigLIP/webly") == (
        "backbone: 'open_clip:ViT-B-16-SigLIP/webly' is unknown; did you mean"
        " open_clip:ViT-B-16-SigLIP/webli? Choose one of open_clip:ViT-B-16-SigLIP/webli"
    )
    assert refusal("open_clip:ViT-B-32") == (
        "backbone: open_clip:ViT-B-32 names no weights; use open_clip:ViT-B-32/openai,"
        " open_clip:ViT-B-32/laion400m_e31, open_clip:ViT-B-32/laion400m_e32 or --weights FILE"
    )


@pytest.mark.parametrize(
    ("name", "extra"), [("timm:resnet18", "timm"), ("open_clip:RN50/openai", "open-clip")]
)
def test_a_missing_library_is_named(monkeypatch, name, extra):
    monkeypatch.setitem(sys.modules, name.partition(":")[0], None)
    assert refusal(name) == (
        f"{name}: needs a missing package; pip install 'moderate-cli[{extra}]'"
    )


def test_weights_of_another_model_are_refused(tmp_path, tiny):
    path = saved(tmp_path, timm.create_model("test_resnet", num_classes=7))
    assert refusal("timm:test_vit", path) == (
        "w.pt: does not fit timm:test_vit (missing blocks.0.attn.proj.bias); pass the matching"
        " --backbone"
    )
    assert refusal(f"open_clip:{tiny}", path) == (
        f"w.pt: does not fit open_clip:{tiny} (missing visual.class_embedding); pass the matching"
        " --backbone"
    )
    (tmp_path / "w.pt").write_bytes(b"nothing")
    assert refusal("timm:test_vit", path).startswith(f"{path}: is not a weights file, or is dam")


def test_positions_of_other_pictures_are_interpolated_by_timm(tmp_path):
    larger = timm.create_model("test_vit", num_classes=7, img_size=224)
    state = {f"backbone.{key}": value for key, value in larger.state_dict().items()}
    torch.save(state, tmp_path / "w.pt")
    network = network_of("timm:test_vit", tmp_path / "w.pt")
    assert network.weights[0] == "w.pt, its backbone"
    model = timm.create_model("test_vit", num_classes=0).eval()
    own = timm.models.vision_transformer.checkpoint_filter_fn(larger.state_dict(), model)
    model.load_state_dict({key: own[key] for key in model.state_dict()})
    images = torch.randint(0, 256, (2, 3, 160, 160), dtype=torch.uint8)
    mean, std = (
        torch.tensor(value).view(3, 1, 1)
        for value in (network.preprocessing.mean, network.preprocessing.std)
    )
    with torch.inference_mode():
        expected = model((images - mean) / std)
    torch.testing.assert_close(network.forward(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["deepseek_vit_412m", "vit_base_patch16_sapiens2", "volo_d4_448"])
def test_a_transform_that_we_do_not_have_is_refused(name, monkeypatch, tmp_path):
    whole = timm.create_model
    # Their networks are too large for a test.
    config = timm.models.get_pretrained_cfg(name)

    def small(_name, **options):
        model = whole("test_vit", num_classes=0)
        model.pretrained_cfg = config.to_dict()
        return model

    monkeypatch.setattr(timm, "create_model", small)
    path = saved(tmp_path, whole("test_vit", num_classes=0))
    told = refusal(f"timm:{name}", path)
    assert told.startswith(f"timm:{name}: its transform is not supported (")
    assert told.endswith("; compute its features with its library, and pass --features")


@pytest.fixture
def no_network(monkeypatch, weights_caches):
    """Empty caches, and a system that knows no server."""

    def fail(*_args, **_options):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "create_connection", fail)
    monkeypatch.setattr(hub, "getproxies", dict)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        (
            "timm:test_vit",
            "https://huggingface.co/timm/test_vit.r160_in1k/resolve/main/model.safetensors",
        ),
        (
            "timm:gcvit_xxtiny",
            "https://github.com/rwightman/pytorch-image-models/releases/download/"
            "v0.1-weights-morevit/gcvit_xxtiny_224_nvidia-d1d86009.pth",
        ),
        (
            "open_clip:ViT-B-32/openai",
            "https://huggingface.co/timm/vit_base_patch32_clip_224.openai/resolve/main/"
            "open_clip_model.safetensors",
        ),
    ],
)
@pytest.mark.usefixtures("no_network")
def test_without_a_network_one_line_comes_at_once(name, url, capfd):
    begun = time.monotonic()
    assert refusal(name) == (
        f"{name}: its weights cannot be downloaded (Temporary failure in name resolution);"
        f" download {url} elsewhere, and pass it as --weights FILE"
    )
    assert time.monotonic() - begun < 5
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("no_network")
def test_weights_in_the_hubs_cache_need_no_network(tmp_path):
    from safetensors.torch import save_file

    model = timm.create_model("test_vit").eval()
    repository = tmp_path / "hf" / "models--timm--test_vit.r160_in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("1a2b")
    folder = repository / "snapshots" / "1a2b"
    folder.mkdir(parents=True)
    save_file(model.state_dict(), folder / "model.safetensors")
    network = load_network(FeatureSpec("timm:test_vit"), device="cpu", runtime="torch")
    digest = weights_digest(folder / "model.safetensors")
    assert network.weights == ("timm/test_vit.r160_in1k, model.safetensors", digest)
    images = torch.randint(0, 256, (2, 3, 160, 160), dtype=torch.uint8)
    mean, std = (
        torch.tensor(value).view(3, 1, 1)
        for value in (network.preprocessing.mean, network.preprocessing.std)
    )
    with torch.inference_mode():
        levels = (images - mean) / std
        expected = model.forward_head(model.forward_features(levels), pre_logits=True)
    torch.testing.assert_close(network.forward(images), expected, rtol=1e-4, atol=1e-5)
    (folder / "model.safetensors").write_bytes(b"cut")
    assert refusal("timm:test_vit") == (
        "timm:test_vit: cannot be built (Error while deserializing header: header too small); if"
        f" {folder / 'model.safetensors'} is damaged, remove it"
    )


def test_names_of_feature_sets_differ_on_any_file_system():
    models = {*timm.list_models(), *timm.list_models(pretrained=True)}
    names = [f"timm:{name}" for name in models]
    names += [f"open_clip:{model}/{tag}" for model, tag in open_clip.list_pretrained()]
    folders = [FeatureSpec(name).name.lower() for name in names]
    assert len(set(folders)) == len(folders) > 3000
    assert not [name for name in folders if set(name) & set('<>:"/\\|?* ')]
    assert np.max([len(name) for name in folders]) < 150
