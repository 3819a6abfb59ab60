"""Failures of a device -> errors in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from moderate_cli.errors import DeviceError
from moderate_cli.text import one_line

# Beginnings of errors of CUDA and its libraries, and of Apple's MPS; newer versions of torch have
# a class for them.
GPU_FAULTS = ("CUDA", "MPS", "cuDNN", "CUBLAS", "cuBLAS", "HIP", "GET was unable to find an engine")
CPU_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "size calculation overflowed",
)
GPU_MEMORY = ("out of memory", "ALLOC_FAILED")

# A class of torch 2.8 and later.
_ACCELERATOR: tuple[type[Exception], ...] = tuple(
    {getattr(torch, name) for name in ("AcceleratorError",) if hasattr(torch, name)}
)


@contextlib.contextmanager
def explained(advice: str) -> Iterator[None]:
    """Turn failures of a device into errors of one line.

    Parameters
    ----------
    advice
        The next step if memory is short, such as "use a smaller --batch-size".

    Raises
    ------
    DeviceError
        If memory is short, or the GPU failed. Other errors are not changed.
    """
    try:
        with memory_told():
            yield
    except torch.OutOfMemoryError:
        raise DeviceError(f"the GPU is out of memory; {advice}") from None
    except MemoryError:
        raise DeviceError(f"out of memory; {advice}") from None
    except RuntimeError as error:
        if not is_gpu_fault(error):
            raise
        if any(sign in str(error) for sign in GPU_MEMORY):
            raise DeviceError(f"the GPU is out of memory; {advice}") from None
        fault = str(error).partition("\n")[0]  # the lines below are for developers
        raise DeviceError(f"the GPU failed ({fault}); use --device cpu") from None


@contextlib.contextmanager
def memory_told() -> Iterator[None]:
    """Raise MemoryError if torch is out of main memory, as Python and numpy do."""
    try:
        yield
    except torch.OutOfMemoryError:  # of a GPU
        raise
    except RuntimeError as error:
        if is_gpu_fault(error) or not any(sign in str(error) for sign in CPU_MEMORY):
            raise
        raise MemoryError(one_line(error)) from None


def order_of(device: torch.device) -> torch.memory_format:
    """Return the order of bytes in which networks are fast on a device.

    With the channels last, a processor is twice as fast; MPS is made for the usual order.
    """
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def is_gpu_fault(error: Exception) -> bool:
    """Whether a GPU or one of its libraries failed."""
    return isinstance(error, _ACCELERATOR) or str(error).startswith(GPU_FAULTS)
