"""Stochastic gradient descent with one cycle of the learning rate, and its random pictures."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

MOMENTUM, DECAY = 0.9, 5e-4
SHIFT = 16  # images are shifted by at most 1/SHIFT of their side, unless told otherwise


class Descent:
    """Fits a network batch by batch (one cycle: Smith and Topin, 2019).

    Parameters
    ----------
    network
        On its device.
    rate
        Highest learning rate.
    steps
        Number of batches.
    decay
        Weight decay.
    smoothing
        Label smoothing.
    """

    def __init__(
        self,
        network: nn.Module,
        rate: float,
        steps: int,
        *,
        decay: float = DECAY,
        smoothing: float = 0.0,
    ) -> None:
        self._smoothing = smoothing
        self._optimizer = torch.optim.SGD(
            [one for one in network.parameters() if one.requires_grad],
            lr=rate,
            momentum=MOMENTUM,
            weight_decay=decay,
            nesterov=True,
            fused=True,  # 5 % faster for a small network
        )
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimizer, rate, total_steps=steps
        )

    def step(self, logits: torch.Tensor, members: torch.Tensor) -> None:
        """Take one step; logits float32 (b, classes), members int64 (b,)."""
        loss = nn.functional.cross_entropy(logits, members, label_smoothing=self._smoothing)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._schedule.step()

    def state(self) -> dict[str, Any]:
        """Return what a later process needs to go on."""
        return {"optimizer": self._optimizer.state_dict(), "schedule": self._schedule.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from the state of an earlier process."""
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])


def computes_in_half(device: torch.device) -> bool:
    """Whether bfloat16 is fast on a device; some only emulate it."""
    if device.type == "mps":  # autocast works there in few versions
        return False
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch may be built without oneDNN.
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def moved(pixels: torch.Tensor, shift: int = SHIFT) -> torch.Tensor:
    """Shift by at most 1/shift, and mirror, each image of a batch (b, 3, h, h) at random."""
    size, images = pixels.shape[-1], torch.arange(len(pixels))
    margin = max(1, size // shift)
    places = nn.functional.pad(pixels, (margin,) * 4).unfold(2, size, 1).unfold(3, size, 1)
    top, left = torch.randint(0, 2 * margin + 1, (2, len(pixels)))
    found = places[images, :, top, left]
    mirrored = (torch.rand(len(pixels)) < 0.5).to(pixels.device)
    return torch.where(mirrored[:, None, None, None], found.flip(-1), found)
