"""Networks of other libraries: their packages, weights and transforms, for ours."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from moderate_cli.errors import ArgumentError, ModerateError, WeightsError
from moderate_cli.networks.checkpoints import StateDict, read_state_dict, why
from moderate_cli.networks.hub import quietly
from moderate_cli.networks.matching import Layout, network_in, weights_of
from moderate_cli.networks.table import EXTRAS, Preprocessing
from moderate_cli.text import clipped, unknown

INTERPOLATIONS = ("bilinear", "bicubic")


class Named(nn.Module):
    """A network with its name, by which two that differ only in their code can be told apart."""

    def __init__(self, name: str, module: nn.Module) -> None:
        super().__init__()
        self.name, self.module = name, module

    def extra_repr(self) -> str:
        """Return the name."""
        return self.name

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map normalized images (b, 3, h, w) to features (b, d)."""
        features: torch.Tensor = self.module(images)
        return features


class FeatureNetwork(NamedTuple):
    """A network without a head.

    Attributes
    ----------
    module
        Maps float images (b, 3, h, w), normalized, to features (b, dim).
    preprocessing
        How to make its input from images.
    dim
        Number of features.
    weights
        Source of its weights, and their SHA-256.
    """

    module: nn.Module
    preprocessing: Preprocessing
    dim: int
    weights: tuple[str, str]


def import_library(library: str, name: str) -> Any:
    """Import a library for a backbone.

    Raises
    ------
    ArgumentError
        If it is not installed.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # of huggingface_hub, which they import
    try:
        with quietly():
            return importlib.import_module(library)
    except ImportError:
        raise ArgumentError(
            f"{name}: needs a missing package; pip install 'moderate-cli[{EXTRAS[library]}]'"
        ) from None


def check_model(name: str, known: Collection[str]) -> None:
    """Refuse a backbone that its library does not know.

    Raises
    ------
    ArgumentError
        With similar names.
    """
    library, _, model = name.partition(":")
    if model not in known:
        where = f"`moderate backbones {library}:PATTERN` lists them"
        names = [f"{library}:{one}" for one in sorted(known)]
        raise ArgumentError(f"backbone: {unknown(name, names, where)}")


def built(name: str, make: Callable[[], nn.Module], file: Path | None = None) -> nn.Module:
    """Build a network of a library, with the weights of a file or random ones.

    Raises
    ------
    WeightsError
        If the library cannot.
    """
    try:
        with quietly():
            return make().eval()
    except ModerateError:
        raise
    # Errors of any kind, of files of weights and of packages that some models need in addition.
    except Exception as error:
        advice = "choose another model" if file is None else f"if {file} is damaged, remove it"
        raise WeightsError(f"{name}: cannot be built ({why(error)}); {advice}") from None


def sizes_of(make: Callable[[], nn.Module]) -> nn.Module | None:
    """Build a network without weights, in hardly any time and memory; None if it cannot be."""
    try:
        with quietly(), torch.device("meta"):
            return make()
    except Exception:  # it computes with its weights, or needs another package
        return None


def square_preprocessing(
    name: str,
    size: Sequence[int],
    resize: int,
    interpolation: str,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    squash: bool,
) -> Preprocessing:
    """Return the preprocessing of a transform.

    Parameters
    ----------
    name
        Name of the backbone.
    size
        Height and width of its input.
    resize, interpolation, squash
        As in `Preprocessing`.
    mean, std
        For levels in 0..1.

    Raises
    ------
    ArgumentError
        If `Preprocessing` cannot express it.
    """
    height, width = size
    if height != width or resize < height or interpolation not in INTERPOLATIONS:
        raise unfit(name, f"{interpolation}, to {resize} and then {height} x {width}")
    red, green, blue = (255.0 * value for value in mean)
    levels = (red, green, blue), tuple(255.0 * value for value in std)
    return Preprocessing(resize, height, interpolation, *levels, squash=squash)  # type: ignore[arg-type]


def unfit(name: str, transform: str) -> ArgumentError:
    """Return the error for a transform that `Preprocessing` cannot express."""
    return ArgumentError(
        f"{name}: its transform is not supported ({transform}); compute its features with its"
        " library, and pass --features"
    )


def put_weights(
    module: nn.Module,
    body: dict[str, torch.Tensor],
    path: str | os.PathLike[str],
    digest: str,
    name: str,
    *,
    convert: Callable[[StateDict], StateDict],
    others: tuple[str, ...],
) -> tuple[str, str]:
    """Load weights from a file of the user; return their source.

    Parameters
    ----------
    module, body
        The network, and those of its weights that features depend on.
    path, digest
        The file, and its SHA-256.
    name
        Name of the backbone.
    convert
        Of the library: renames the weights of other programs, and interpolates positions.
    others
        Beginnings of the names of weights that are not needed.

    Raises
    ------
    WeightsError
        If they do not fit.
    """
    title = Path(path).name
    state, prefix = network_in(read_state_dict(path), Layout(body, dict, (min(body),)), title)
    if prefix:
        title = f"{title}, its {clipped(prefix.removesuffix('.'))}"
    if any(key not in state or state[key].shape != body[key].shape for key in body):
        state = _converted(state, convert)
    loaded = weights_of(body, state, name, title, others)
    complete = module.state_dict()
    complete.update(loaded)
    module.load_state_dict(complete)
    return title, digest


def _converted(state: StateDict, convert: Callable[[StateDict], StateDict]) -> StateDict:
    try:
        with quietly():
            return convert(dict(state))
    except Exception:  # it is not of a program that the library knows
        return state


@torch.inference_mode()
def complete(
    name: str, module: nn.Module, preprocessing: Preprocessing, weights: tuple[str, str]
) -> FeatureNetwork:
    """Return a network with the number of its features.

    Raises
    ------
    ArgumentError
        If it has no vector for an image.
    """
    side = preprocessing.crop
    features = module(torch.zeros(1, 3, side, side))
    if not isinstance(features, torch.Tensor) or features.ndim != 2:
        raise ArgumentError(f"{name}: has no features of whole images; choose another model")
    return FeatureNetwork(Named(name, module), preprocessing, features.shape[1], weights)
