"""Runtimes of a backbone: torch, or OpenVINO if it is installed and faster."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from moderate_cli.errors import ArgumentError
from moderate_cli.networks.table import Preprocessing
from moderate_cli.threads import processors

# Starts on a batch, and returns a function that waits for the result. Two batches may be pending:
# then the device always has the next one.
Start = Callable[[torch.Tensor], Callable[[], torch.Tensor]]
UNDER_WAY = 2

# OpenVINO's names of the precisions that it supports on a CPU.
OPENVINO_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


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


def choose_runtime(name: str, device: torch.device, precision: str) -> str:
    """Choose the runtime for "auto", and refuse one that is not available.

    Raises
    ------
    ArgumentError
        If OpenVINO is asked for, but is not installed, or does not support device or precision.
    """
    installed = importlib.util.find_spec("openvino") is not None
    serves = device.type == "cpu" and precision in OPENVINO_PRECISIONS
    if name == "auto":
        return "openvino" if installed and serves else "torch"
    if name == "openvino" and not installed:
        raise ArgumentError("--runtime openvino: is not installed; pip install openvino")
    if name == "openvino" and not serves:
        known = " or ".join(OPENVINO_PRECISIONS)
        raise ArgumentError(f"--runtime openvino: needs --device cpu and --precision {known}")
    return name


def torch_start(
    module: nn.Module, preprocessing: Preprocessing, device: torch.device, precision: str
) -> Start:
    """Run a backbone with torch, in channels-last order, which is twice as fast on a CPU."""
    dtype = getattr(torch, precision)
    module = Normalised(module.to(dtype), preprocessing, dtype).to(device)
    module = module.to(memory_format=torch.channels_last).requires_grad_(False)

    @torch.inference_mode()
    def start(images: torch.Tensor) -> Callable[[], torch.Tensor]:
        if device.type == "cuda":  # a copy from pinned memory does not wait for the GPU
            images = images.pin_memory()
        images = images.to(device, non_blocking=True).to(memory_format=torch.channels_last)
        features: torch.Tensor = module(images)
        return features.cpu

    return start


def openvino_start(
    module: nn.Module, preprocessing: Preprocessing, precision: str, batch_size: int
) -> Start:
    """Run a backbone with OpenVINO on the CPU.

    Each processor computes a part of the batch: if several shared one part, they would wait for
    each other after every layer, and even longer while other threads decode images. Parts have one
    size and are padded with zeros, so features do not depend on the number of images in a batch.
    """
    openvino = _load_openvino()
    streams = min(processors(), batch_size)
    part = -(-batch_size // streams)
    shape = (part, 3, preprocessing.crop, preprocessing.crop)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's tracer warns of constants, such as the shape
        model = openvino.convert_model(
            Normalised(module, preprocessing, torch.float32).requires_grad_(False),
            example_input=torch.zeros(shape, dtype=torch.uint8),
            input=list(shape),
        )
    compiled = openvino.compile_model(
        model,
        "CPU",
        {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams,
            "INFERENCE_PRECISION_HINT": OPENVINO_PRECISIONS[precision],
            # With pinning, several processes would share the first processors, and the rest
            # would be idle; one process on all processors is as fast without it.
            "ENABLE_CPU_PINNING": False,
        },
    )
    free = [[compiled.create_infer_request() for _ in range(streams)] for _ in range(UNDER_WAY)]

    def start(images: torch.Tensor) -> Callable[[], torch.Tensor]:
        requests, busy = free.pop(), []
        for request, images_of_part in zip(requests, torch.split(images, part), strict=False):
            pixels = np.zeros(shape, dtype=np.uint8)
            pixels[: len(images_of_part)] = images_of_part.numpy()
            request.start_async({0: pixels})
            busy.append(request)

        def finish() -> torch.Tensor:
            for request in busy:
                request.wait()
            features = np.concatenate([request.get_output_tensor(0).data for request in busy])
            free.append(requests)
            return torch.from_numpy(features[: len(images)])

        return finish

    return start


def _load_openvino() -> Any:
    """Load OpenVINO without its telemetry, which calls an analytics server.

    At each conversion, telemetry forks this process, which has many threads, and writes an id to
    the user's home. OpenVINO works without it.
    """
    # None in place of a module makes its import fail.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return openvino
