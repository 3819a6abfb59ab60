"""Runtimes of a backbone: torch here, or OpenVINO if it is installed and faster."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from moderate_cli.errors import ArgumentError
from moderate_cli.networks.arithmetic import check_arithmetic
from moderate_cli.networks.buffered import buffered_start, find_batch_size
from moderate_cli.networks.devices import order_of
from moderate_cli.networks.table import FeatureSpec, Preprocessing, find_backbone

# Starts on a batch, and returns a function that waits for the result. Two batches may be pending:
# then the device always has the next one. Images in pinned memory, or in that of a GPU, must not
# change before their features are there.
Start = Callable[[torch.Tensor], Callable[[], torch.Tensor]]
UNDER_WAY = 2

OPENVINO_PRECISIONS = ("float32", "bfloat16")


class Normalised(nn.Module):
    """A network for pixels in 0..255, of any type, which it normalizes first."""

    def __init__(
        self, module: nn.Module, preprocessing: Preprocessing, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.module = module
        self.dtype = dtype
        self.mean: torch.Tensor
        self.std: torch.Tensor
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(preprocessing.std).view(1, 3, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map (b, 3, h, w) to float32 (b, d)."""
        levels = (images.float() - self.mean) / self.std
        features: torch.Tensor = self.module(levels.to(self.dtype))
        return features.float()


class Runtime(NamedTuple):
    """Library that runs a backbone, and why it does."""

    name: str
    reason: str


def choose_runtime(name: str, device: torch.device, spec: FeatureSpec) -> Runtime:
    """Choose the runtime for "auto", and refuse one that is not available.

    On all processors that were measured OpenVINO is the fastest for a network, in float32 as in
    bfloat16; it only takes longer to start where there is hardly anything to compute.

    Raises
    ------
    ArgumentError
        If OpenVINO is asked for, but is not installed, or does not support device or precision; or
        if the processor has no arithmetic for the precision.
    """
    on_cpu, headed = device.type == "cpu", find_backbone(spec.backbone).headed
    if headed:
        check_arithmetic(spec.precision, device)
    installed = importlib.util.find_spec("openvino") is not None
    serves = on_cpu and spec.precision in OPENVINO_PRECISIONS
    if name == "openvino" and not installed:
        advice = "pip install 'moderate-cli[fast]'"
        raise ArgumentError(f"--runtime openvino: is not installed; {advice}")
    if name == "openvino" and not serves:
        known = " or ".join(OPENVINO_PRECISIONS)
        raise ArgumentError(f"--runtime openvino: needs --device cpu and --precision {known}")
    if name != "auto":
        return Runtime(name, "as --runtime says")
    if not on_cpu:
        return Runtime("torch", "on a GPU")
    if not headed:
        return Runtime("torch", f"{spec.backbone} is not a network")
    if not serves:
        return Runtime("torch", f"OpenVINO does not compute in {spec.precision}")
    if not installed:
        return Runtime("torch", "OpenVINO, which is faster, is not installed")
    return Runtime("openvino", "faster than torch on a processor")


def torch_start(
    module: nn.Module, preprocessing: Preprocessing, precision: str, device: torch.device
) -> Start:
    """Run a backbone with torch on a processor, or on the GPU of a Mac, one batch at a time."""
    module = _on(device, module, preprocessing, precision)

    @torch.inference_mode()
    def start(images: torch.Tensor) -> Callable[[], torch.Tensor]:
        features: torch.Tensor = module(images.to(device).to(memory_format=order_of(device)))
        return features.cpu

    return start


def cuda_start(
    module: nn.Module,
    preprocessing: Preprocessing,
    device: torch.device,
    precision: str,
    batch_size: int | None,
) -> tuple[Start, int]:
    """Run a backbone with torch on a GPU; return the batch size, too, which None leaves to it."""
    # This process has only to keep the GPU busy. Several threads would copy a batch no faster, and
    # on processors that decode images, they would wait for each other.
    torch.set_num_threads(1)
    module = _on(device, module, preprocessing, precision)
    size = batch_size or find_batch_size(module, preprocessing.crop, device)
    return buffered_start(module, device, size), size


def _on(
    device: torch.device, module: nn.Module, preprocessing: Preprocessing, precision: str
) -> nn.Module:
    """Move a backbone to a device, in the order that is fast there."""
    dtype = getattr(torch, precision)
    normalised = Normalised(module.to(dtype), preprocessing, dtype).to(device)
    return normalised.to(memory_format=order_of(device)).requires_grad_(False)
