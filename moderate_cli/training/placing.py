"""Training data on a GPU, if they fit."""

from __future__ import annotations

import torch


def placed(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Move a tensor to a GPU if it takes at most half of its free memory; else a batch at a time.

    A small network waits for its batches otherwise.
    """
    if device.type == "cpu" or 2 * tensor.nbytes > _free(device):
        return tensor
    return tensor.to(device)


def _free(device: torch.device) -> int:
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return torch.cuda.mem_get_info(device)[0]
