"""How a network is trained for an evaluation, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from moderate_cli.networks.table import BACKBONES, IGNORE, SMALL_NETWORKS

SMALL = "cnn"
# Without the networks that have a second head in training.
NETWORKS = (
    *SMALL_NETWORKS,
    *(one.name for one in BACKBONES.values() if one.family == "torchvision" and not one.auxiliary),
)

BATCH = 64
STEPS = {"train": 1000, "fine-tune": 200}
LARGEST_SEED = 2**64 - 1  # that torch takes


class Recipe(NamedTuple):
    """How a network is trained.

    Attributes
    ----------
    network
        One of `SMALL_NETWORKS`, for small pictures, or a classifier of torchvision; from random
        weights. To go on from trained weights: a name of a backbone.
    steps
        Number of batches, the same for each selection, however small it is.
    size
        Pixels a side that images are resized and cropped to; 0 for what a trained network wants.
    tuned
        Whether training goes on from the network's own weights, or `weights`.
    weights
        State dict to go on from, if not the network's own.
    device
        One that `moderate_cli.networks.backbones.find_device` takes.
    orientation
        One of `moderate_cli.networks.table.ORIENTATIONS`; that of the features.
    batch
        Images in a batch; the learning rate follows it.
    """

    network: str = SMALL
    steps: int = 1000
    size: int = 32
    tuned: bool = False
    weights: str | None = None
    device: str = "auto"
    orientation: str = IGNORE
    batch: int = BATCH

    @property
    def changes(self) -> tuple[str | int | bool, ...]:
        """What changes results; the weights are those of the features."""
        return (self.network, self.steps, self.size, self.tuned, self.batch)


def described(changes: object) -> str:
    """Say what `Recipe.changes` stands for; what is something else, as it is.

    >>> described(["cnn", 1000, 32, False, 64])
    'cnn, 1000 steps of 64 images, 32 px'
    >>> described(["resnet18", 200, 0, True, 64])
    'resnet18, fine-tuned, 200 steps of 64 images, its own size'
    """
    if not isinstance(changes, Sequence) or isinstance(changes, str) or len(changes) != 5:
        return str(changes)
    network, steps, size, tuned, batch = changes
    name = f"{network}, fine-tuned" if tuned else str(network)
    pixels = f"{size} px" if size else "its own size"
    return f"{name}, {steps} steps of {batch} images, {pixels}"
