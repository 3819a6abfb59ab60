"""Backbone name -> torch module without the classification head."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.fx.experimental.optimization import fuse

from moderate_cli.errors import ArgumentError
from moderate_cli.networks.classifiers import drop_head, load_classifier
from moderate_cli.networks.devices import explained
from moderate_cli.networks.fitted import Fitted, damage_told, read_fitted
from moderate_cli.networks.openvino_runtime import openvino_start
from moderate_cli.networks.runtimes import Runtime, choose_runtime, cuda_start, torch_start
from moderate_cli.networks.table import BACKBONES, FITTED, FeatureSpec, Preprocessing
from moderate_cli.threads import processors

Floats = npt.NDArray[np.float32]

# On a CPU, activations of a small batch fit in the cache: 8 per core is 1.3 times as fast as 32 per
# core (two cores, EfficientNet-Lite0).
PER_PROCESSOR = 8
# With one thread, torch gives 1 x 1 convolutions of fewer images not to oneDNN, but to a slower
# routine of its own: EfficientNet-Lite0 and ResNet-50 take 1.5 times as long.
LEAST_IN_TORCH = 16


@dataclass(frozen=True)
class Network:
    """A backbone that is ready to run.

    Attributes
    ----------
    start
        Starts on uint8 images (b, 3, crop, crop) in main memory, and returns a function that waits
        for their float32 features (b, dim). At most `runtimes.UNDER_WAY` batches may be pending.
    preprocessing
        How to make its input from images.
    dim
        Number of features.
    weights
        Source of its weights, and their SHA-256, empty if unknown.
    runtime
        Library that runs it, and why.
    batch_size
        Maximum batch size.
    choose
        For a network that was fitted by folds, `start` returns the features of all folds; this
        returns those of the fold of each image, by the digests of their files. None otherwise.
    """

    start: Callable[[torch.Tensor], Callable[[], torch.Tensor]]
    preprocessing: Preprocessing
    dim: int
    weights: tuple[str, str]
    runtime: Runtime
    batch_size: int
    choose: Callable[[Floats, Sequence[bytes]], Floats] | None = None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute the features of images."""
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
        State dict of the same architecture, with any number of classes; None for the backbone's
        own weights.
    device
        "auto" (a GPU if there is one), "cpu" or "cuda".
    runtime
        One of `moderate_cli.networks.table.RUNTIMES`.
    batch_size
        Batch size; None for a good one on the device.

    Raises
    ------
    WeightsError
        If the weights are not available, or belong to another architecture.
    ArgumentError
        If the device or the runtime is not available, or the processor has no arithmetic for the
        precision.
    DeviceError
        If the device fails.
    """
    target, choose = find_device(device), None
    chosen = choose_runtime(runtime, target, spec)
    if spec.backbone == FITTED:
        assert weights is not None  # found, or trained, when the dataset was read
        fitted = read_fitted(weights)
        with damage_told(weights):
            module, preprocessing, dim = fitted.module()
        module, source = fuse(module, inplace=True), (fitted.title, spec.weights)
        choose = partial(_of_folds, fitted)
    elif not BACKBONES[spec.backbone].headed:
        module, preprocessing, dim = _pixels()
        source = ("none", "")
    else:
        module, preprocessing, source, _ = load_classifier(spec.backbone, weights, spec.weights)
        dim = drop_head(module)
        # Folding batch normalization into convolutions saves a third of the time on a CPU.
        module = fuse(module.eval(), inplace=True)
    preprocessing = replace(preprocessing, decode=spec.decode)
    size = batch_size or _batch_size(chosen.name)
    with explained("use a smaller --batch-size or backbone"):
        if chosen.name == "openvino":
            start = openvino_start(module, preprocessing, spec.precision, size)
        elif target.type == "cuda":
            start, size = cuda_start(module, preprocessing, target, spec.precision, batch_size)
        else:
            start = torch_start(module, preprocessing, spec.precision)
    return Network(start, preprocessing, dim, source, chosen, size, choose)


def _of_folds(fitted: Fitted, features: Floats, digests: Sequence[bytes]) -> Floats:
    """Return the features (b, d) of the networks that did not see the images."""
    keys = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(len(digests), -1)
    return fitted.of_folds(features, keys)


def _batch_size(runtime: str) -> int:
    """Return a good batch size on the processors of this machine."""
    return max(PER_PROCESSOR * processors(), LEAST_IN_TORCH if runtime == "torch" else 1)


def find_device(name: str) -> torch.device:
    """Return the device for "auto", "cpu" or "cuda"."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ArgumentError("--device cuda: torch finds no GPU; use --device cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _pixels() -> tuple[nn.Module, Preprocessing, int]:
    """Return the colors of an 8x8 thumbnail in 0..1: a baseline without weights."""
    zeros, whites = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
    return nn.Flatten(), Preprocessing(8, 8, "bilinear", zeros, whites), 3 * 8 * 8
