"""Large products of arrays on a GPU, where there is one and the work is worth it.

Loading torch takes seconds, and so does starting a GPU. So work that a processor does in less time
stays there, and on a machine without a GPU torch is never loaded. Functions that a `Place` computes
use only what arrays of numpy and tensors of torch have in common, or methods of tensors.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from moderate_cli.errors import DeviceError
from moderate_cli.threads import processors

Array = npt.NDArray[Any]
# Operations a second of a processor core, and seconds of all cores that are worth loading torch.
RATE, WORTH = 3e10, 5.0
DEVICES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # of Nvidia, the same under Windows, and AMD
HIDDEN = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")  # GPUs to use; "" or "-1" for none


class Place(Protocol):
    """Where arrays are multiplied."""

    @property
    def on_gpu(self) -> bool:
        """Whether functions get tensors of torch."""

    def keep(self, array: Array) -> Any:
        """Return an array for many calls of `compute`, copied to the place once."""

    def compute(self, function: Callable[..., tuple[Any, ...]], *arrays: Any) -> list[Array]:
        """Call a function with arrays, and return those that it returns.

        Raises
        ------
        DeviceError
            If a GPU fails.
        """


class Processor:
    """The processor: numpy, which is the reference."""

    on_gpu = False

    def keep(self, array: Array) -> Array:
        """Return the same array."""
        return array

    def compute(self, function: Callable[..., tuple[Any, ...]], *arrays: Any) -> list[Array]:
        """Call the function."""
        return list(function(*arrays))


class Gpu:
    """A GPU, by torch; a device of torch in tests."""

    on_gpu = True

    def __init__(self, device: str = "cuda") -> None:
        import torch

        self._device = torch.device(device)

    def keep(self, array: Array) -> Any:
        """Copy an array to the GPU."""
        import torch

        try:
            return torch.as_tensor(np.ascontiguousarray(array)).to(self._device, copy=True)
        except RuntimeError as error:
            raise _failed(error) from None

    def compute(self, function: Callable[..., tuple[Any, ...]], *arrays: Any) -> list[Array]:
        """Call the function with tensors; numpy arrays are copied there, and its results back."""
        moved = [self.keep(one) if isinstance(one, np.ndarray) else one for one in arrays]
        try:
            return [found.cpu().numpy() for found in function(*moved)]
        except RuntimeError as error:
            raise _failed(error) from None


def _failed(error: RuntimeError) -> DeviceError:
    reason = str(error).partition("\n")[0]
    return DeviceError(f"the GPU failed ({reason}); CUDA_VISIBLE_DEVICES= computes without it")


def place_for(operations: float) -> Place:
    """Return the place for work of so many multiplications and additions."""
    if operations < WORTH * RATE * processors() or not may_have_gpu():
        return Processor()
    import torch

    return Gpu() if torch.cuda.is_available() else Processor()


def may_have_gpu() -> bool:
    """Whether there is a device of a GPU, without loading torch."""
    hidden = any(os.environ.get(name, "0").strip() in ("", "-1") for name in HIDDEN)
    return not hidden and any(map(os.path.exists, DEVICES))
