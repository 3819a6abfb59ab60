"""A device on which nothing is computed, to see which work would make a real one wait."""

import contextlib

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ALONE = torch.device("meta")


class Watched(TorchDispatchMode):
    """Notes operations that bring numbers from the processor to the device, or back."""

    def __init__(self):
        super().__init__()
        self.waits, self.steps = [], 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        known = "_fused_sgd" not in str(function)  # all but this one can pretend to compute
        found = function(*args, **(kwargs or {})) if known else None
        self.steps += 1
        tensors = [one for one in tree_leaves((args, kwargs, found)) if torch.is_tensor(one)]
        if len({one.device.type for one in tensors}) > 1 or "_local_scalar" in str(function):
            self.waits.append(str(function))
        return found


@contextlib.contextmanager
def no_autocast(_device, *_precision, **_enabled):
    """Compute in the precision of the numbers, which is all that this device knows."""
    yield
