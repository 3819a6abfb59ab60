"""Stochastic gradient descent with one cycle of the learning rate, and its random pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.optim.sgd import sgd

DECAY = 5e-4
# One cycle: in a share RISE of the steps, the rate rises from 1/BEFORE of the highest one; in the
# others it falls to 1/AFTER of where it began. The momentum goes the other way.
RISE, BEFORE, AFTER = 0.3, 25, 1e4
LOW, HIGH = 0.85, 0.95
SINGLE = 32  # pixels per side of images, of which networks with strides of 32 in all leave one
SHIFT = 16  # images are shifted by at most 1/SHIFT of their side, unless told otherwise


class Descent:
    """Fits a network batch by batch (one cycle: Smith and Topin, 2019).

    The classes of `torch.optim` would load a compiler, which takes a second or more; its function
    does not.

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
        self._rate, self._steps, self._step = rate, steps, 0
        self._decay, self._smoothing = decay, smoothing
        self._weights = [one for one in network.parameters() if one.requires_grad]
        self._velocities: list[torch.Tensor | None] = [None] * len(self._weights)

    def step(self, logits: torch.Tensor, members: torch.Tensor) -> None:
        """Take one step; logits float32 (b, classes), members int64 (b,)."""
        loss = nn.functional.cross_entropy(logits, members, label_smoothing=self._smoothing)
        for one in self._weights:
            one.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        self._descend([at for at, one in enumerate(self._weights) if one.grad is not None])
        self._step += 1

    @torch.no_grad()
    def _descend(self, used: Sequence[int]) -> None:
        """Change the weights that have a gradient."""
        rate, momentum = one_cycle(self._step, self._steps, self._rate)
        velocities = [self._velocities[at] for at in used]
        sgd(
            [self._weights[at] for at in used],
            [gradient for at in used if (gradient := self._weights[at].grad) is not None],
            velocities,
            fused=True,  # 5 % faster for a small network
            weight_decay=self._decay,
            momentum=momentum,
            lr=rate,
            dampening=0.0,
            nesterov=True,
            maximize=False,
        )
        for at, velocity in zip(used, velocities, strict=True):
            self._velocities[at] = velocity

    def state(self) -> dict[str, Any]:
        """Return what a later process needs to go on."""
        return {"step": self._step, "velocities": self._velocities}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from the state of an earlier process."""
        self._step = state["step"]
        self._velocities = [
            None if velocity is None else velocity.to(weights.device)
            for velocity, weights in zip(state["velocities"], self._weights, strict=True)
        ]


def one_cycle(step: int, steps: int, highest: float) -> tuple[float, float]:
    """Return the learning rate and the momentum of a step.

    Parameters
    ----------
    step, steps
        Number of the step, from 0, and of all.
    highest
        Highest learning rate.

    Examples
    --------
    >>> [round(one_cycle(step, 10, 1.0)[0], 4) for step in range(10)]
    [0.04, 0.52, 1.0, 0.9505, 0.8117, 0.6113, 0.3887, 0.1883, 0.0495, 0.0]
    """
    top = RISE * steps - 1  # the step with the highest rate
    first = highest / BEFORE
    if step <= top:
        place, rates, momenta = step / top, (first, highest), (HIGH, LOW)
    else:
        place = (step - top) / (steps - 1 - top)
        rates, momenta = (highest, first / AFTER), (LOW, HIGH)
    return _between(*rates, place), _between(*momenta, place)


def _between(start: float, end: float, place: float) -> float:
    return end + (start - end) / 2 * (math.cos(math.pi * place) + 1)


def computes_in_half(device: torch.device, size: int) -> bool:
    """Whether a device is fast in bfloat16, which some only emulate, and right.

    `size` is that of the images, in pixels per side; 0 for what a trained network wants.
    """
    if device.type == "mps":  # autocast works there in few versions
        return False
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # oneDNN leaves the gradient of a strided convolution unset where it gets single pixels.
    if 0 < size < SINGLE:
        return False
    # torch may be built without oneDNN.
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def moved(pixels: torch.Tensor, shift: int = SHIFT) -> torch.Tensor:
    """Shift by at most 1/shift, and mirror, each image of a batch (b, 3, h, h) at random.

    Random numbers are drawn on the device of the images, which need not wait for others.
    """
    count, size, device = len(pixels), pixels.shape[-1], pixels.device
    margin = max(1, size // shift)
    places = nn.functional.pad(pixels, (margin,) * 4).unfold(2, size, 1).unfold(3, size, 1)
    top, left = torch.randint(0, 2 * margin + 1, (2, count), device=device)
    found = places[torch.arange(count, device=device), :, top, left]
    mirrored = torch.rand(count, device=device) < 0.5
    return torch.where(mirrored[:, None, None, None], found.flip(-1), found)
