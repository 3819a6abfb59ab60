"""OpenVINO as the runtime of a backbone on a CPU."""

from __future__ import annotations

import hashlib
import struct
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from moderate_cli.errors import ArgumentError
from moderate_cli.files.caches import keep_cached, read_cached
from moderate_cli.networks.runtimes import (
    OPENVINO_PRECISIONS,
    UNDER_WAY,
    Normalised,
    Start,
)
from moderate_cli.networks.table import Preprocessing
from moderate_cli.threads import processors

# OpenVINO's names of `OPENVINO_PRECISIONS`.
NAMES = dict(zip(OPENVINO_PRECISIONS, ("f32", "bf16"), strict=True))

KIND = "openvino"  # of cached contents
FORMAT = 1  # of the cached contents: length of the program as below, the program, the weights
LENGTH = struct.Struct("<Q")


def openvino_start(
    module: nn.Module, preprocessing: Preprocessing, precision: str, batch_size: int
) -> Start:
    """Run a backbone with OpenVINO on the CPU.

    Each processor computes a part of the batch: if several shared one part, they would wait for
    each other after every layer, and even longer while other threads decode images. Parts have one
    size and are padded with zeros, so features do not depend on the number of images in a batch.

    Raises
    ------
    ArgumentError
        If OpenVINO does not compute in that precision on this processor.
    """
    openvino = _load_openvino()
    streams = min(processors(), batch_size)
    part = -(-batch_size // streams)
    shape = (part, 3, preprocessing.crop, preprocessing.crop)
    network = Normalised(module, preprocessing, torch.float32).requires_grad_(False)
    compiled = openvino.compile_model(
        _converted(openvino, network, shape),
        "CPU",
        {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams,
            "INFERENCE_PRECISION_HINT": NAMES[precision],
            # With pinning, several processes would share the first processors, and the rest
            # would be idle; one process on all processors is as fast without it.
            "ENABLE_CPU_PINNING": False,
        },
    )
    _check_precision(compiled, precision)
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


def _converted(openvino: Any, network: Normalised, shape: tuple[int, ...]) -> Any:
    """Convert a network for images of this shape, or read an earlier conversion: the same bits."""
    key = _key(openvino, network, shape)
    kept = read_cached(KIND, key)
    if kept is not None:
        try:
            return _deserialized(openvino, kept)
        except (RuntimeError, struct.error):  # not of this program
            pass
    model = _convert(openvino, network, shape)
    try:
        content = _serialized(openvino, model)
    except (OSError, RuntimeError):  # no space for temporary files
        return model
    keep_cached(KIND, key, content)
    return model


def _key(openvino: Any, network: Normalised, shape: tuple[int, ...]) -> str:
    """Return a digest of all that a conversion depends on: layers, weights, shape, versions."""
    versions = (FORMAT, torch.__version__, openvino.get_version())
    digest = hashlib.sha256(repr((versions, shape, str(network))).encode())
    for name, tensor in network.state_dict().items():
        digest.update(repr((name, tensor.dtype, tuple(tensor.shape))).encode())
        digest.update(tensor.contiguous().numpy())
    return digest.hexdigest()


def _convert(openvino: Any, network: Normalised, shape: tuple[int, ...]) -> Any:
    """Trace a network with one image: OpenVINO itself would run several batches, and compare."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of constants, and of being deprecated
        image = torch.zeros((1, *shape[1:]), dtype=torch.uint8)
        traced = torch.jit.trace(network, image, check_trace=False)  # type: ignore[no-untyped-call]
        return openvino.convert_model(traced, input=list(shape))


def _serialized(openvino: Any, model: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "model.xml")
        openvino.save_model(model, program, compress_to_fp16=False)
        written = program.read_bytes()
        return b"".join(
            (LENGTH.pack(len(written)), written, program.with_suffix(".bin").read_bytes())
        )


def _deserialized(openvino: Any, content: memoryview) -> Any:
    (length,) = LENGTH.unpack_from(content)
    program, weights = content[LENGTH.size :][:length], content[LENGTH.size + length :]
    return openvino.Core().read_model(model=bytes(program), weights=bytes(weights))


def _check_precision(compiled: Any, precision: str) -> None:
    """Refuse a processor for which OpenVINO computes in another precision without a word."""
    computed = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if computed != NAMES[precision]:
        raise ArgumentError(
            f"--runtime openvino: computes {precision} as {computed} on this processor; use"
            " --precision float32, or --runtime torch"
        )
