"""Memory of this process that a GPU copies from by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def pinned(memory: torch.Tensor, device: torch.device) -> Iterator[None]:
    """Pin memory for a GPU of CUDA as long as the context lasts; nothing must use it afterwards.

    Without it each batch is copied to pinned memory first. Memory that the system does not pin, and
    that of other devices, is used as it is.

    Parameters
    ----------
    memory
        Main memory in one piece, in any order of dimensions.
    device
        The device that copies from it.
    """
    if device.type != "cuda":
        yield
        return
    runtime = torch.cuda.cudart()  # type: ignore[no-untyped-call]
    address = memory.data_ptr()
    if int(runtime.cudaHostRegister(address, memory.nbytes, 0)) != 0:
        with contextlib.suppress(RuntimeError):  # else the next kernel would report it
            torch.ones(1, device=device).add_(1)
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(RuntimeError):  # a failure of the GPU, which was told before
            torch.cuda.synchronize(device)
        runtime.cudaHostUnregister(address)
