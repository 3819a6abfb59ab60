"""Many images -> one tensor in memory, for training."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from moderate_cli.arrays import Mask, as_slice
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import DIGEST_SIZE
from moderate_cli.networks.devices import explained
from moderate_cli.networks.table import Preprocessing
from moderate_cli.training.reading import read_blocks


class Loaded(NamedTuple):
    """Images in memory.

    Attributes
    ----------
    pixels
        uint8 (n, 3, size, size); zeros for images that were not read.
    digests
        uint8 (n, `DIGEST_SIZE`), of the bytes of each file; zeros likewise.
    unreadable
        Row -> reason.
    """

    pixels: torch.Tensor
    digests: npt.NDArray[np.uint8]
    unreadable: dict[int, str]


def load_images(
    dataset: Dataset,
    wanted: Mask,
    preprocessing: Preprocessing,
    max_pixels: int,
    on_image: Callable[[], object] = lambda: None,
    workers: int | None = None,
) -> Loaded:
    """Read the wanted rows of a dataset, bool (n,); `on_image` and `workers` as in `read_blocks`.

    Raises
    ------
    DeviceError
        If they do not fit in memory.
    """
    size, images = preprocessing.crop, len(dataset)
    needed = images * 3 * size**2 / 1e9
    with explained(f"{images} pictures take {needed:.1f} GB, and a smaller --size less"):
        pixels = torch.zeros(images, 3, size, size, dtype=torch.uint8)
    digests = np.zeros((images, DIGEST_SIZE), dtype=np.uint8)
    unreadable: dict[int, str] = {}
    found = read_blocks(
        dataset, np.flatnonzero(wanted), preprocessing, max_pixels, workers=workers,
        on_image=on_image,
    )  # fmt: skip
    for rows, some, facts in found:
        pixels[as_slice(rows)] = torch.from_numpy(some)
        digests[rows] = facts.digests
        unreadable |= {int(rows[at]): reason for at, reason in facts.unreadable.items()}
    return Loaded(pixels, digests, unreadable)
