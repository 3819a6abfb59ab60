"""Adversarial attacks: barely visible changes that fool a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from moderate_cli.images.preprocessing import resize_and_crop
from moderate_cli.networks.backbones import find_device
from moderate_cli.networks.classifiers import load_classifier
from moderate_cli.networks.devices import explained
from moderate_cli.networks.runtimes import Normalised
from moderate_cli.perturbation.corruptions import Pixels
from moderate_cli.perturbation.scenario import Attack


class Steps(NamedTuple):
    """The steps of an attack.

    Attributes
    ----------
    number
        Number of steps.
    length
        Length of each, in units of epsilon.
    from_random
        Whether the first step starts at a random point.
    """

    number: int
    length: float
    from_random: bool


# Goodfellow et al., ICLR 2015; Madry et al., ICLR 2018, with its steps of a quarter of epsilon.
STEPS = {"fgsm": Steps(1, 1.0, False), "pgd": Steps(10, 0.25, True)}


def load_attack(attack: Attack) -> Callable[[Pixels, np.random.Generator], Pixels]:
    """Return the function that attacks one picture, uint8 (height, width, 3) in and out.

    The attack changes the pixels of the file itself; its gradient passes through the network's
    resizing and cropping. It raises the loss of the class that the network sees in the picture.
    That class, instead of the label, works for networks with any classes, and leaks no label
    (Kurakin et al., ICLR 2017).

    Raises
    ------
    WeightsError, ArgumentError, DeviceError
        If the weights are missing, belong to another network or have no head, or the device is
        missing or fails.
    """
    where = find_device(attack.device)
    module, preprocessing, _, _ = load_classifier(attack.network, attack.weights, headed=True)
    with explained("--device cpu may have more"):
        network = Normalised(module.eval(), preprocessing).to(where).requires_grad_(False)
    steps, epsilon = STEPS[attack.name], float(attack.epsilon)

    def logits(picture: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = network(resize_and_crop(picture, preprocessing)[None])
        return found

    @explained("--device cpu may have more, or remove this picture first")
    def change(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        clean = torch.from_numpy(pixels).permute(2, 0, 1).to(where, torch.float32)
        moved = clean
        if steps.from_random:
            noise = rng.uniform(-epsilon, epsilon, clean.shape).astype(np.float32)
            moved = (clean + torch.from_numpy(noise).to(where)).clamp(0, 255)
        seen = logits(clean).argmax(dim=1)
        for _ in range(steps.number):
            moved = moved.detach().requires_grad_()
            loss = nn.functional.cross_entropy(logits(moved), seen)
            (slope,) = torch.autograd.grad(loss, moved)
            moved = moved.detach() + steps.length * epsilon * slope.sign()
            moved = (clean + (moved - clean).clamp(-epsilon, epsilon)).clamp(0, 255)
        changed: Pixels = moved.round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        return changed

    return change
