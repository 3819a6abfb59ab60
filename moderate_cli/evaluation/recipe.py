"""How a network is trained for an evaluation, as plain data."""

from __future__ import annotations

from typing import NamedTuple

from moderate_cli.backbones import TORCHVISION_BACKBONES

SMALL = "cnn"
# Networks with a second head, which only training knows, are left out.
NETWORKS = (SMALL, *(n for n in TORCHVISION_BACKBONES if n not in ("googlenet", "inception_v3")))

BATCH = 64
LARGEST_SEED = 2**64 - 1  # that torch takes


class Recipe(NamedTuple):
    """How a network is trained.

    Attributes
    ----------
    network
        `SMALL`, a few convolutions for small pictures, or a classifier of torchvision; from
        random weights. To go on from trained weights: a name of a backbone.
    steps
        Batches of `BATCH` images, as many for each selection, however small it is.
    size
        Pixels a side that images are resized and cropped to; 0 for what a trained network wants.
    tuned
        Whether training goes on from the network's own weights, or `weights`.
    weights
        State dict to go on from, if not the network's own.
    device
        "auto", "cpu" or "cuda".
    """

    network: str = SMALL
    steps: int = 1000
    size: int = 32
    tuned: bool = False
    weights: str | None = None
    device: str = "auto"

    @property
    def changes(self) -> tuple[str | int | bool, ...]:
        """What changes results; the weights are those of the features."""
        return (self.network, self.steps, self.size, self.tuned, BATCH)
