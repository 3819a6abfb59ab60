"""Dataset -> the inputs of training, in memory."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from moderate_cli.arrays import Labels, Rows
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.embedding.engines.helper import Helper
from moderate_cli.errors import DatasetError
from moderate_cli.networks.devices import order_of
from moderate_cli.networks.fitted import Fitted, Parts, as_keys
from moderate_cli.networks.runtimes import Normalised
from moderate_cli.text import counted
from moderate_cli.training.reading import read_blocks

BLOCK = 64  # images that pass the stem at once: as fast as 256, in a quarter of the memory
SHARE = 2  # examples take at most 1/SHARE of the memory that is free
DEFAULT_MEMORY = 4 << 30  # bytes, where the system does not tell


class Examples(NamedTuple):
    """What a network is trained on.

    Attributes
    ----------
    inputs
        Pixels, uint8 (n, 3, size, size); or outputs of the stem for each image and for its mirror
        image, float16 (n, 2, channels, height, width).
    members
        int64 (n,), class of each image, numbered from 0.
    classes
        Number of classes.
    digests
        uint8 (n, bytes), of the file of each image.
    names
        Name of each class; empty if unknown.
    """

    inputs: torch.Tensor
    members: Labels
    classes: int
    digests: npt.NDArray[np.uint8]
    names: tuple[str, ...] = ()

    @property
    def identity(self) -> bytes:
        """Changes with the images and their classes; 16 bytes."""
        return content_digest(self.digests.tobytes() + self.members.tobytes())


def rows_that_fit(dataset: Dataset, parts: Parts, seed: int) -> Rows:
    """Return the rows of images that fit in memory, ascending, of each class an equal share of it.

    Parameters
    ----------
    dataset
        The images.
    parts
        The network in two parts.
    seed
        Random seed of the images that are taken, if not all are.
    """
    frozen, shape = _input_of(parts)
    size = int(np.prod(shape)) * (4 if frozen else 1)
    return drawn(dataset.labels, free_memory() // SHARE // size, seed)


def _input_of(parts: Parts) -> tuple[bool, tuple[int, ...]]:
    """Return whether the stem does something, and the shape of its outputs for an image."""
    crop = parts.preprocessing.crop
    if isinstance(parts.stem, nn.Identity):
        return False, (3, crop, crop)
    with torch.inference_mode():
        return True, tuple(parts.stem.eval()(torch.zeros(1, 3, crop, crop)).shape[1:])


def read_examples(
    dataset: Dataset,
    rows: Rows,
    parts: Parts,
    device: torch.device,
    max_pixels: int,
    on_image: Callable[[int, int], None],
    workers: int | None = None,
    helper: Helper | None = None,
) -> Examples:
    """Read images, and pass them through the stem; leave out unreadable ones.

    Parameters
    ----------
    dataset, rows
        The images, and those to read, ascending.
    parts, device
        The network in two parts, and where its stem computes.
    max_pixels
        Images with more pixels are not read.
    on_image
        Called with the number of images read, and of all.
    workers, helper
        As in `read_blocks`.

    Raises
    ------
    DatasetError
        If no image can be read, or all are of one class.
    """
    frozen, shape = _input_of(parts)
    # A copy, as the network of the parts stays where it is.
    stem = Normalised(copy.deepcopy(parts.stem), parts.preprocessing).eval().to(device)
    kept, digests, done = [], [], 0
    inputs = torch.empty(
        (len(rows), 2, *shape) if frozen else (len(rows), *shape),
        dtype=torch.float16 if frozen else torch.uint8,
    )

    def read() -> None:
        nonlocal done
        done += 1
        on_image(done, len(rows))

    filled = 0
    found = read_blocks(
        dataset,
        rows,
        parts.preprocessing,
        max_pixels,
        size=BLOCK,
        workers=workers,
        helper=helper,
        on_image=read,
    )
    for some, pixels, facts in found:
        readable = np.setdiff1d(np.arange(len(some)), list(facts.unreadable))
        images = torch.from_numpy(pixels)[readable]
        if frozen:
            images = _through(stem, images.to(device))
        inputs[filled : filled + len(readable)] = images
        filled += len(readable)
        kept.append(some[readable])
        digests.append(facts.digests[readable])
    labels, members = np.unique(dataset.labels[np.concatenate(kept)], return_inverse=True)
    if len(labels) < 2:
        number = counted(len(labels), "class", "classes")
        raise DatasetError(
            f"{dataset.root}: has {number} with readable images; a network needs two"
        )
    names = tuple(dataset.classes[label] for label in labels.tolist())
    examples = Examples(inputs[:filled], members, len(labels), np.concatenate(digests), names)
    if len(np.unique(as_keys(examples.digests))) < 2:
        raise DatasetError(f"{dataset.root}: all images are copies of one; a network needs others")
    return examples


def _through(stem: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    pixels = pixels.to(memory_format=order_of(pixels.device))
    with torch.inference_mode():
        both = [stem(one).half() for one in (pixels, pixels.flip(-1))]
    return torch.stack(both, dim=1)


def drawn(labels: Labels, most: int, seed: int) -> Rows:
    """Draw at most `most` rows at random, ascending; of each class the same number if it has it."""
    order = np.random.default_rng(seed).permutation(len(labels))
    if len(labels) <= most:
        return np.sort(order)
    _, members = np.unique(labels[order], return_inverse=True)
    by_class = np.argsort(members, kind="stable")
    starts = np.searchsorted(members[by_class], np.arange(members.max() + 1))
    ranks = np.empty(len(labels), dtype=np.int64)  # of a row within its class
    ranks[by_class] = np.arange(len(labels)) - starts[members[by_class]]
    return np.sort(order[np.argsort(ranks, kind="stable")[:most]])


def folds_of(examples: Examples, folds: int, seed: int, before: Fitted | None = None) -> Rows:
    """Divide images into folds of equal size, also within each class; copies share a fold.

    Parameters
    ----------
    examples
        The images.
    folds
        Number of folds.
    seed
        Random seed.
    before
        Networks whose images stay in their folds.

    Returns
    -------
    int64 (n,)
    """
    keys = as_keys(examples.digests)
    _, firsts, copies = np.unique(keys, return_index=True, return_inverse=True)
    members = examples.members[firsts]
    order = np.random.default_rng(seed).permutation(len(firsts))
    by_class = order[np.argsort(members[order], kind="stable")]
    found = np.empty(len(firsts), dtype=np.int64)
    found[by_class] = np.arange(len(firsts)) % folds
    if before is not None:
        known = before.known_folds(examples.digests[firsts])
        found = np.where(known >= 0, known, found)
    return found[copies]


def free_memory() -> int:
    """Return how many bytes of main memory are free."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError, ValueError):
        try:
            return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, AttributeError):  # Windows has no sysconf
            return DEFAULT_MEMORY
