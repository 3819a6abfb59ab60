"""Errors of devices."""

import pytest
import torch

from moderate_cli.errors import DeviceError
from moderate_cli.networks.devices import explained, memory_told

ADVICE = "use a smaller --batch-size"
CPU = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"
ILLEGAL = "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), f"the GPU is out of memory; {ADVICE}"),
        (RuntimeError("CUDA error: out of memory"), f"the GPU is out of memory; {ADVICE}"),
        (
            RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
            f"the GPU is out of memory; {ADVICE}",
        ),
        (MemoryError(), f"out of memory; {ADVICE}"),
        (RuntimeError(CPU), f"out of memory; {ADVICE}"),
        (
            RuntimeError(ILLEGAL),
            "the GPU failed (CUDA error: an illegal memory access was encountered); use --device"
            " cpu",
        ),
        (
            torch.AcceleratorError("CUDA error: device-side assert triggered\nCompile with"),
            "the GPU failed (CUDA error: device-side assert triggered); use --device cpu",
        ),
    ],
)
def test_only_lack_of_memory_is_answered_with_advice_for_it(error, said):
    with pytest.raises(DeviceError) as caught, explained(ADVICE):
        raise error
    assert str(caught.value) == said


def test_errors_of_ours_are_not_a_devices():
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes"), explained(ADVICE):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")


@pytest.mark.parametrize("shape", [(2**45,), (2**40, 2**40)])
def test_a_failed_allocation_of_torch_is_lack_of_memory(shape):
    with pytest.raises(MemoryError), memory_told():
        torch.empty(shape)
