"""How a network is trained for an evaluation, as plain data."""

from __future__ import annotations

from typing import NamedTuple

from moderate_cli.backbones import TORCHVISION_BACKBONES

SMALL = "cnn"
# Networks with a second head, which only training knows, are left out.
NETWORKS = (SMALL, *(n for n in TORCHVISION_BACKBONES if n not in ("googlenet", "inception_v3")))


class Recipe(NamedTuple):
    """How a network is trained.

    Attributes
    ----------
    network
        `SMALL`, three blocks of convolutions for small pictures, or a classifier of torchvision,
        from random weights.
    steps
        Batches of images, as many for each selection, however small it is.
    size
        Pixels a side that images are resized and cropped to.
    device
        "auto", "cpu" or "cuda".
    """

    network: str = SMALL
    steps: int = 1000
    size: int = 32
    device: str = "auto"
