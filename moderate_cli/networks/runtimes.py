"""What runs a backbone: torch, or OpenVINO where it is installed and faster."""

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

# Starts on a batch; the result comes when it is called for. Two batches may be under way, so that
# the next one is there when the device or a processor is done with its part of the last.
Start = Callable[[torch.Tensor], Callable[[], torch.Tensor]]
UNDER_WAY = 2

# OpenVINO's names of the precisions that it computes in on a CPU.
OPENVINO_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


class Normalised(nn.Module):
    """A network that takes pixels in 0..255, of any type, as preprocessing says."""

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
    """Name the runtime for "auto", and refuse one that cannot serve.

    Raises
    ------
    ArgumentError
        If OpenVINO is asked for and not installed, or not for this device and precision.
    """
    installed = importlib.util.find_spec("openvino") is not None
    serves = device.type == "cpu" and precision in OPENVINO_PRECISIONS
    if name == "auto":
        return "openvino" if installed and serves else "torch"
    if name == "openvino" and not installed:
        raise ArgumentError("--runtime openvino: is not installed; pip install openvino")
    if name == "openvino" and not serves:
        known = " or ".join(OPENVINO_PRECISIONS)
        raise ArgumentError(f"--runtime openvino: runs on the cpu, in precision {known}")
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
        if device.type == "cuda":  # from pinned memory, the copy does not wait for the GPU
            images = images.pin_memory()
        images = images.to(device, non_blocking=True).to(memory_format=torch.channels_last)
        features: torch.Tensor = module(images)
        return features.cpu

    return start


def openvino_start(
    module: nn.Module, preprocessing: Preprocessing, precision: str, batch_size: int
) -> Start:
    """Run a backbone with OpenVINO on the CPU.

    Each processor takes a part of the batch of its own: where several share one, they wait for
    each other after every layer, and longer so when threads that decode images get in between.
    Parts have one size, filled up with zeros, so what an image becomes does not depend on how
    many come with it.
    """
    openvino = _load_openvino()
    streams = min(processors(), batch_size)
    part = -(-batch_size // streams)
    shape = (part, 3, preprocessing.crop, preprocessing.crop)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's tracer warns of constants; the shape is one
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
            # Else each process takes the first processors, and several share those while the rest
            # are idle; on all processors, one is as fast either way.
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
    """Load OpenVINO without the part of it that calls an analytics server.

    That one forks copies of this process, which has many threads, at each conversion, and writes
    an id into the home of the user. Where it is not installed, OpenVINO does without a word.
    """
    # None in place of a module makes its import fail.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return openvino
