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

from moderate_cli.errors import ArgumentError, ModerateError
from moderate_cli.networks.classifiers import drop_head, load_classifier
from moderate_cli.networks.devices import explained
from moderate_cli.networks.fitted import Fitted, damage_told, read_fitted
from moderate_cli.networks.open_clip_networks import load_open_clip
from moderate_cli.networks.openvino_runtime import openvino_start
from moderate_cli.networks.runtimes import (
    Normalised,
    Runtime,
    Start,
    choose_runtime,
    cuda_start,
    torch_start,
)
from moderate_cli.networks.table import (
    FITTED,
    FeatureSpec,
    Preprocessing,
    check_device,
    find_backbone,
)
from moderate_cli.networks.timm_networks import load_timm
from moderate_cli.text import clipped, counted, one_line
from moderate_cli.threads import processors

Floats = npt.NDArray[np.float32]

# On a CPU, activations of a small batch fit in the cache: 8 per core is 1.3 times as fast as 32 per
# core (two cores, EfficientNet-Lite0).
PER_PROCESSOR = 8
# With one thread, torch gives 1 x 1 convolutions of fewer images not to oneDNN, but to a slower
# routine of its own: EfficientNet-Lite0 and ResNet-50 take 1.5 times as long.
LEAST_IN_TORCH = 16
MPS_BATCH = 64  # on the GPU of a Mac, which shares the memory of the processor; not measured

# Relative difference of features that bfloat16 explains; float32 differs by 1e-5.
LARGEST_ERROR = 0.1

# One of `moderate_cli.networks.table.LIBRARIES` -> what loads its networks.
FOREIGN = {"timm": load_timm, "open_clip": load_open_clip}


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
    fallback
        Whether OpenVINO would be faster, but cannot run it.
    """

    start: Callable[[torch.Tensor], Callable[[], torch.Tensor]]
    preprocessing: Preprocessing
    dim: int
    weights: tuple[str, str]
    runtime: Runtime
    batch_size: int
    choose: Callable[[Floats, Sequence[bytes]], Floats] | None = None
    fallback: bool = False

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
        One that `find_device` takes.
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
    target, choose, entry = find_device(device), None, find_backbone(spec.backbone)
    chosen = choose_runtime(runtime, target, spec)
    if spec.backbone == FITTED:
        assert weights is not None  # found, or trained, when the dataset was read
        fitted = read_fitted(weights)
        with damage_told(weights):
            module, preprocessing, dim = fitted.module()
        module, source = fuse(module, inplace=True), (fitted.title, spec.weights)
        choose = partial(_of_folds, fitted)
    elif entry.family in FOREIGN:  # whose code the tracer of `fuse` cannot follow
        module, preprocessing, dim, source = FOREIGN[entry.family](
            spec.backbone, weights, spec.weights
        )
    elif not entry.headed:
        module, preprocessing, dim = _pixels()
        source = ("none", "")
    else:
        module, preprocessing, source, _ = load_classifier(spec.backbone, weights, spec.weights)
        dim = drop_head(module)
        # Folding batch normalization into convolutions saves a third of the time on a CPU.
        module = fuse(module.eval(), inplace=True)
    preprocessing = replace(preprocessing, decode=spec.decode, orientation=spec.orientation)
    size = batch_size or (MPS_BATCH if target.type == "mps" else _batch_size(chosen.name))
    with explained("use a smaller --batch-size or backbone"):
        start, fallback = None, False
        if chosen.name == "openvino" and entry.family not in FOREIGN:
            start = openvino_start(module, preprocessing, spec.precision, size)
        elif chosen.name == "openvino":
            start = _foreign_in_openvino(module, preprocessing, spec, size, runtime)
            fallback = start is None
            if fallback:
                chosen = Runtime("torch", f"OpenVINO cannot run {spec.backbone}")
                size = batch_size or _batch_size(chosen.name)
        if start is None and target.type == "cuda":
            start, size = cuda_start(module, preprocessing, target, spec.precision, batch_size)
        elif start is None:
            start = torch_start(module, preprocessing, spec.precision, target)
    return Network(start, preprocessing, dim, source, chosen, size, choose, fallback)


def _foreign_in_openvino(
    module: nn.Module, preprocessing: Preprocessing, spec: FeatureSpec, size: int, asked: str
) -> Start | None:
    """Run a network of another library with OpenVINO; return None if that cannot.

    Its features of two random images are compared with torch's: a conversion follows one image
    through the code of the network, which may do other things for another number of images.

    Raises
    ------
    ArgumentError
        If it cannot, and was `asked` for by name.
    """
    side = preprocessing.crop
    images = torch.randint(0, 256, (2, 3, side, side), generator=torch.Generator().manual_seed(0))
    images = images.to(torch.uint8)[:size]
    try:
        start = openvino_start(module, preprocessing, spec.precision, size)
        found = start(images)()
        with torch.inference_mode():
            expected = Normalised(module, preprocessing)(images)
        apart = float((found - expected).norm() / expected.norm())
        fault = f"features differ by {100 * apart:.0f} %" if not apart < LARGEST_ERROR else ""
    except (ModerateError, MemoryError):
        raise
    except Exception as error:  # of any kind, in code that was not written for it
        fault = clipped(one_line(error))
    if fault and asked == "openvino":
        raise ArgumentError(
            f"--runtime openvino: cannot run {spec.backbone} ({fault}); use --runtime torch"
        )
    return None if fault else start


def _of_folds(fitted: Fitted, features: Floats, digests: Sequence[bytes]) -> Floats:
    """Return the features (b, d) of the networks that did not see the images."""
    keys = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(len(digests), -1)
    return fitted.of_folds(features, keys)


def _batch_size(runtime: str) -> int:
    """Return a good batch size on the processors of this machine."""
    return max(PER_PROCESSOR * processors(), LEAST_IN_TORCH if runtime == "torch" else 1)


def find_device(name: str) -> torch.device:
    """Return the device of a name; for "auto", the best there is: "cuda", "mps", then "cpu".

    Raises
    ------
    ArgumentError
        If there is no such device.
    """
    check_device(name)
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        name = "cuda" if gpus else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, number = name.partition(":")
    if kind == "cuda" and not gpus:
        raise ArgumentError(f"--device {name}: torch finds no GPU; use --device cpu")
    if number and int(number) >= gpus:
        last = f"cuda:0 to cuda:{gpus - 1}" if gpus > 1 else "cuda:0"
        raise ArgumentError(f"--device {name}: torch finds {counted(gpus, 'GPU')}; use {last}")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ArgumentError("--device mps: torch finds no GPU of a Mac; use --device cpu")
    return torch.device(name)


def _pixels() -> tuple[nn.Module, Preprocessing, int]:
    """Return the colors of an 8x8 thumbnail in 0..1: a baseline without weights."""
    zeros, whites = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
    return nn.Flatten(), Preprocessing(8, 8, "bilinear", zeros, whites), 3 * 8 * 8
