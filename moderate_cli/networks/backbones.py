"""Backbone name -> torch module that ends before the classification head."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.fx.experimental.optimization import fuse

from moderate_cli.errors import ArgumentError
from moderate_cli.networks.classifiers import drop_head, load_classifier
from moderate_cli.networks.devices import explained
from moderate_cli.networks.runtimes import choose_runtime, openvino_start, torch_start
from moderate_cli.networks.table import FeatureSpec, Preprocessing
from moderate_cli.threads import processors

# On a CPU a small batch keeps activations in its cache: 8 per core is 1.3x as fast as 32 per core
# (two cores, EfficientNet-Lite0).
BATCH_SIZES = {"cpu": 8 * processors(), "cuda": 256}


@dataclass(frozen=True)
class Network:
    """A backbone that is ready to run.

    Attributes
    ----------
    start
        Takes uint8 images (b, 3, crop, crop), on the processor, and returns what waits for their
        float32 features (b, dim). At most `runtimes.UNDER_WAY` may be waited for.
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
        One of `moderate_cli.networks.table.RUNTIMES`.
    batch_size
        Images at once; None for a good number on the device.

    Raises
    ------
    WeightsError
        If the weights cannot be had or belong to another architecture.
    ArgumentError
        If the device or the runtime is not there.
    DeviceError
        If it fails.
    """
    target = find_device(device)
    if spec.backbone == "pixels":
        module, preprocessing, dim = _pixels()
        source = ("none", "")
    else:
        module, preprocessing, source, _ = load_classifier(spec.backbone, weights, spec.weights)
        dim = drop_head(module)
        # Folding batch normalisation into the convolutions takes a third off the time on a CPU.
        module = fuse(module.eval(), inplace=True)
    preprocessing = replace(preprocessing, decode=spec.decode)
    name = choose_runtime(runtime, target, spec.precision)
    size = batch_size or BATCH_SIZES[target.type]
    with explained("a smaller --batch-size, or backbone, takes less"):
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
