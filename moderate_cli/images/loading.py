"""Many images -> one tensor in memory, for training."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from moderate_cli.arrays import Mask
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import DIGEST_SIZE
from moderate_cli.images.preprocessing import ReadImage, read_image
from moderate_cli.images.quiet import without_warnings
from moderate_cli.networks.devices import explained
from moderate_cli.networks.table import Preprocessing
from moderate_cli.threads import in_threads


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
    """Read the wanted rows of a dataset, bool (n,), in threads; call `on_image` after each.

    `workers` is the number of threads; None for one per processor.

    Raises
    ------
    DeviceError
        If they do not fit in memory.
    """
    size, images, top = preprocessing.crop, len(dataset), dataset.root
    needed = images * 3 * size**2 / 1e9
    with explained(f"{images} pictures take {needed:.1f} GB, and a smaller --size less"):
        pixels = torch.zeros(images, 3, size, size, dtype=torch.uint8)
    digests = np.zeros((images, DIGEST_SIZE), dtype=np.uint8)
    unreadable: dict[int, str] = {}

    def read(row: int) -> ReadImage:
        path = f"{top}/{dataset.paths[row]}"
        found = read_image(path, preprocessing, dataset.source, max_pixels)
        if found.pixels is not None:
            pixels[row] = found.pixels
        return found._replace(pixels=None)  # those of all images are in memory only once

    rows = np.flatnonzero(wanted).tolist()
    with without_warnings():
        for row, found in zip(rows, in_threads(read, rows, count=workers), strict=True):
            digests[row] = np.frombuffer(found.digest, dtype=np.uint8)
            if found.reason:
                unreadable[row] = found.reason
            on_image()
    return Loaded(pixels, digests, unreadable)
