"""Dataset -> which network to train on it, and how long."""

from __future__ import annotations

import numpy as np

from moderate_cli.dataset import Dataset
from moderate_cli.images.opening import UnreadableImage, identified
from moderate_cli.networks.table import AUTO, DEFAULT_BACKBONE, SMALL_NETWORKS

LOOKED_AT = 64  # images whose sides are read
SMALL = 96  # pixels; of pictures with a shorter side, trained networks know little
SIZES = (32, 64)  # pixels a side that small pictures are resized to
# Images that a network sees in all, from random weights and from trained ones, and the bounds of
# its epochs.
IMAGES = (240_000, 30_000)
FEWEST, MOST = (12, 4), (60, 12)


def choose_network(dataset: Dataset, network: str, device: str) -> tuple[str, int]:
    """Return the network, and the size of its pictures.

    Parameters
    ----------
    dataset
        The images.
    network
        As in `FitOptions`.
    device
        Type of the device, such as "cpu"; a processor trains a narrower network.
    """
    side = short_side(dataset)
    if network == AUTO:
        own = "resnet9_narrow" if device == "cpu" else "resnet9"
        network = own if side <= SMALL else DEFAULT_BACKBONE
    size = SIZES[0] if side <= (SIZES[0] + SIZES[1]) / 2 else SIZES[1]
    return network, size


def default_folds(network: str) -> int:
    """Return a number of folds: a pretrained network would learn wrong labels by heart.

    >>> default_folds("resnet9"), default_folds("efficientnet_lite0")
    (1, 3)
    """
    return 1 if network in SMALL_NETWORKS else 3


def default_epochs(network: str, images: int) -> int:
    """Return a number of epochs with which a network learns the classes, and few labels by heart.

    >>> default_epochs("resnet9", 50_000), default_epochs("efficientnet_lite0", 3000)
    (12, 10)
    """
    kind = int(network not in SMALL_NETWORKS)
    return int(np.clip(round(IMAGES[kind] / max(images, 1)), FEWEST[kind], MOST[kind]))


def short_side(dataset: Dataset) -> float:
    """Return the median of the shorter sides of some images, in pixels; 0 if none can be read."""
    rows = np.linspace(0, len(dataset) - 1, min(len(dataset), LOOKED_AT)).astype(int)
    sides = []
    for row in rows.tolist():
        try:
            content, _ = dataset.source.read(f"{dataset.root}/{dataset.paths[row]}")
            sides.append(min(identified(content).size))
        except (OSError, UnreadableImage):
            continue
    return float(np.median(sides)) if sides else 0.0
