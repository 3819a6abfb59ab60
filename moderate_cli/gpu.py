"""Large products of arrays on a GPU, where there is one and the work is worth it.

Loading torch takes seconds, and so does starting a GPU. So work that a processor does in less time
stays there, and on a machine without a GPU torch is never loaded. Functions that a `Place` computes
use only what numpy and torch have in common, or methods of tensors.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from moderate_cli.errors import DeviceError
from moderate_cli.threads import processors

Array = npt.NDArray[Any]
# Operations a second of a processor core; and seconds of all cores that are worth loading torch, or
# using it where it is loaded.
RATE, WORTH, WORTH_LOADED = 3e10, 5.0, 0.5
ROOM = 0.4  # share of the free memory of a GPU that arrays for many calls may take
DEVICES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # of Nvidia, the same under Windows, and AMD
HIDDEN = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")  # GPUs to use; "" or "-1" for none


class Place(Protocol):
    """Where arrays are multiplied."""

    @property
    def on_gpu(self) -> bool:
        """Whether functions get tensors of torch."""

    @property
    def module(self) -> Any:
        """The module of its arrays: numpy or torch."""

    def fits(self, size: int) -> bool:
        """Whether it has the memory to keep so many bytes for many calls."""

    def keep(self, array: Array) -> Any:
        """Return an array for many calls of `compute`, copied to the place once."""

    def gather(self, blocks: Iterable[Array], shape: tuple[int, ...]) -> Any:
        """Return an array of a shape as `keep` does, from blocks of its rows."""

    def apply(self, function: Callable[..., tuple[Any, ...]], *arrays: Any) -> tuple[Any, ...]:
        """Call a function with arrays, and return those that it returns, where they are.

        Raises
        ------
        DeviceError
            If a GPU fails.
        """

    def compute(self, function: Callable[..., tuple[Any, ...]], *arrays: Any) -> list[Array]:
        """Call a function as `apply` does, and return its arrays as those of numpy."""


class Processor:
    """The processor: numpy, which is the reference."""

    on_gpu, module = False, np

    def fits(self, size: int) -> bool:
        """Return True."""
        return True

    def keep(self, array: Array) -> Array:
        """Return the same array."""
        return array

    def gather(self, blocks: Iterable[Array], shape: tuple[int, ...]) -> Array:
        """Join the blocks."""
        return np.concatenate(list(blocks)).reshape(shape)

    def apply(self, function: Callable[..., tuple[Any, ...]], *arrays: Any) -> tuple[Any, ...]:
        """Call the function."""
        return function(*arrays)

    def compute(self, function: Callable[..., tuple[Any, ...]], *arrays: Any) -> list[Array]:
        """Call the function."""
        return list(function(*arrays))


class Gpu:
    """A GPU, by torch; a device of torch in tests."""

    on_gpu = True

    def __init__(self, device: str = "cuda") -> None:
        import torch

        self.module: Any = torch
        self._device = torch.device(device)

    def fits(self, size: int) -> bool:
        """Whether a share of the free memory suffices."""
        if self._device.type != "cuda":
            return True
        try:
            free, _ = self.module.cuda.mem_get_info(self._device)
        except RuntimeError as error:
            raise _failed(error) from None
        return bool(size <= ROOM * free)

    def keep(self, array: Array) -> Any:
        """Copy an array to the GPU."""
        try:
            return self.module.as_tensor(np.ascontiguousarray(array)).to(self._device, copy=True)
        except RuntimeError as error:
            raise _failed(error) from None

    def gather(self, blocks: Iterable[Array], shape: tuple[int, ...]) -> Any:
        """Copy block after block to the GPU, so that main memory never has all of them."""
        held, start = None, 0
        try:
            for block in blocks:
                rows = self.module.as_tensor(block)
                if held is None:
                    held = self.module.empty(shape, dtype=rows.dtype, device=self._device)
                held[start : start + len(block)].copy_(rows)
                start += len(block)
        except RuntimeError as error:
            raise _failed(error) from None
        return held

    def apply(self, function: Callable[..., tuple[Any, ...]], *arrays: Any) -> tuple[Any, ...]:
        """Call the function with tensors; numpy arrays are copied there."""
        moved = [self.keep(one) if isinstance(one, np.ndarray) else one for one in arrays]
        try:
            return function(*moved)
        except RuntimeError as error:
            raise _failed(error) from None

    def compute(self, function: Callable[..., tuple[Any, ...]], *arrays: Any) -> list[Array]:
        """Call the function with tensors; numpy arrays are copied there, and its results back."""
        found = self.apply(function, *arrays)
        try:
            return [one.cpu().numpy() for one in found]
        except RuntimeError as error:  # of work that was under way
            raise _failed(error) from None


def _failed(error: RuntimeError) -> DeviceError:
    reason = str(error).partition("\n")[0]
    return DeviceError(f"the GPU failed ({reason}); CUDA_VISIBLE_DEVICES= computes without it")


def place_for(operations: float) -> Place:
    """Return the place for work of so many multiplications and additions."""
    worth = WORTH_LOADED if "torch" in sys.modules else WORTH
    if operations < worth * RATE * processors() or not may_have_gpu():
        return Processor()
    import torch

    return Gpu() if torch.cuda.is_available() else Processor()


def may_have_gpu() -> bool:
    """Whether there is a device of a GPU, without loading torch."""
    hidden = any(os.environ.get(name, "0").strip() in ("", "-1") for name in HIDDEN)
    return not hidden and any(map(os.path.exists, DEVICES))
