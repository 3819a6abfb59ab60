"""The file of a network that was fitted to a dataset, by folds.

Each fold is a part of the images, and has a network that did not see them. All have the same stem:
the identity, or the first layers of a pretrained network, which were not changed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from moderate_cli.errors import WeightsError
from moderate_cli.files.atomic import new_file
from moderate_cli.networks.checkpoints import StateDict, load_file, saved
from moderate_cli.networks.classifiers import drop_head, load_classifier, put_head
from moderate_cli.networks.efficientnet_lite import EfficientNetLite
from moderate_cli.networks.small import small_network
from moderate_cli.networks.table import CLASSIFIERS, SMALL_NETWORKS, Preprocessing

FORMAT = 1
TRAINED = 2  # modules at the end of EfficientNet-Lite: its last block and convolution
LEVELS = ((127.5, 127.5, 127.5), (64.0, 64.0, 64.0))


class Parts(NamedTuple):
    """A network in two parts.

    Attributes
    ----------
    stem
        Maps normalized images to the input of the tail; is not trained.
    tail
        Is trained; its last layer is the head.
    preprocessing
        How to make its input from images.
    pretrained
        Whether the tail begins with trained weights, apart from its head.
    """

    stem: nn.Module
    tail: nn.Module
    preprocessing: Preprocessing
    pretrained: bool


def parts_of(name: str, classes: int, size: int) -> Parts:
    """Build a network in two parts.

    Parameters
    ----------
    name
        One of `SMALL_NETWORKS`, with random weights, or of `CLASSIFIERS`, with its own.
    classes
        Number of classes of the new head.
    size
        Pixels a side of the input, for `SMALL_NETWORKS`.

    Raises
    ------
    WeightsError
        If the network's own weights are not available.
    """
    with torch.random.fork_rng():  # random weights are drawn
        return _parts_of(name, classes, size)


def _parts_of(name: str, classes: int, size: int) -> Parts:
    if name in SMALL_NETWORKS:
        preprocessing = Preprocessing(size, size, "bilinear", *LEVELS)
        return Parts(nn.Identity(), small_network(name, classes), preprocessing, False)
    module, preprocessing, _, _ = load_classifier(name)
    put_head(module, classes)
    if not isinstance(module, EfficientNetLite):
        return Parts(nn.Identity(), module, preprocessing, True)
    stem = nn.Sequential(_Turned(), module.features[:-TRAINED])
    tail = nn.Sequential(
        module.features[-TRAINED:], nn.AdaptiveAvgPool2d(1), nn.Flatten(), module.classifier
    )
    return Parts(stem, tail, preprocessing, True)


class _Turned(nn.Module):
    """Mirrors images in both directions, as EfficientNet-Lite does."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flip((2, 3))


class Fitted(NamedTuple):
    """Networks of all folds, and the images that they were trained on.

    Attributes
    ----------
    network, classes, size
        As in `parts_of`.
    tails
        Weights of the tail of each fold.
    turns, shifts
        float32 (folds, d, d) and (folds, d): x @ turn + shift makes the features x of a fold
        comparable with those of the first one.
    digests, folds
        uint8 (n, bytes), ascending, of the files of all images trained on, and int64 (n,),
        the fold of each, whose network did not see it. A single network was trained without the
        first of several folds.
    """

    network: str
    classes: int
    size: int
    tails: tuple[StateDict, ...]
    turns: torch.Tensor
    shifts: torch.Tensor
    digests: npt.NDArray[np.uint8]
    folds: npt.NDArray[np.int64]

    @property
    def title(self) -> str:
        """The network's name, and the number of folds."""
        return f"{self.network}, {len(self.tails)} folds" if len(self.tails) > 1 else self.network

    def module(self) -> tuple[nn.Module, Preprocessing, int]:
        """Return a module for the features of all folds, its preprocessing, and their number."""
        parts = parts_of(self.network, self.classes, self.size)
        tails = []
        for state in self.tails:
            tail = parts_of(self.network, self.classes, self.size).tail
            tail.load_state_dict(state)
            drop_head(tail)
            tails.append(tail)
        module = _AllFolds(parts.stem, tails, self.turns, self.shifts)
        return module.eval(), parts.preprocessing, self.shifts.shape[1]

    def of_folds(
        self, features: npt.NDArray[np.float32], digests: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float32]:
        """Choose the features of the network that did not see an image.

        Parameters
        ----------
        features
            float32 (b, folds * d), of all folds.
        digests
            uint8 (b, bytes), of the files.

        Returns
        -------
        float32 (b, d)
        """
        most = len(self.tails) - 1
        folds = self.known_folds(digests).clip(min=0, max=most)  # no network saw an unknown image
        every = features.reshape(len(features), len(self.tails), -1)
        chosen: npt.NDArray[np.float32] = every[np.arange(len(features)), folds]
        return chosen

    def known_folds(self, digests: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        """Return the fold of each image, by its digest (b, bytes); -1 if not trained on."""
        known, asked = as_keys(self.digests), as_keys(digests)
        at = np.searchsorted(known, asked).clip(max=len(known) - 1)
        return np.where(known[at] == asked, self.folds[at], -1)


class _AllFolds(nn.Module):
    """Maps normalized images (b, 3, h, w) to the features of each fold, (b, folds * d)."""

    def __init__(
        self,
        stem: nn.Module,
        tails: Sequence[nn.Module],
        turns: torch.Tensor,
        shifts: torch.Tensor,
    ) -> None:
        super().__init__()
        self.stem, self.tails = stem, nn.ModuleList(tails)
        self.turns = nn.ModuleList(
            _linear(turn, shift) for turn, shift in zip(turns, shifts, strict=True)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        inputs = self.stem(images)
        features = [turn(tail(inputs)) for tail, turn in zip(self.tails, self.turns, strict=True)]
        return torch.cat(features, dim=1)


def _linear(turn: torch.Tensor, shift: torch.Tensor) -> nn.Linear:
    layer = nn.Linear(*turn.shape)
    with torch.no_grad():
        layer.weight.copy_(turn.T)
        layer.bias.copy_(shift)
    return layer


def as_keys(digests: npt.NDArray[np.uint8]) -> npt.NDArray[np.bytes_]:
    """View digests, uint8 (n, bytes), as (n,) values that can be sorted."""
    return np.ascontiguousarray(digests).view(f"S{digests.shape[1]}").ravel()


def write_fitted(path: str | os.PathLike[str], fitted: Fitted) -> None:
    """Write the file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    content = fitted._asdict() | {
        "digests": torch.from_numpy(fitted.digests),
        "folds": torch.from_numpy(fitted.folds),
    }
    serialized = saved({"moderate fit": FORMAT, **content})
    with new_file(path) as file:
        file.write(serialized)


def read_fitted(path: str | os.PathLike[str]) -> Fitted:
    """Read the file.

    Raises
    ------
    WeightsError
        If it is anything else, or damaged.
    """
    content: Any = load_file(path)
    number = content.pop("moderate fit", None) if isinstance(content, dict) else None
    if not isinstance(number, int) or number != FORMAT:
        raise WeightsError(f"{os.fspath(path)}: is not a network of `moderate fit`; name another")
    with damage_told(path):
        arrays = {name: content.pop(name).numpy() for name in ("digests", "folds")}
        fitted = Fitted(**content, **arrays)
        _check(fitted)
    return fitted


@contextlib.contextmanager
def damage_told(path: str | os.PathLike[str]) -> Iterator[None]:
    """Name the file whose content does not go together.

    Raises
    ------
    WeightsError
        With its path.
    """
    try:
        yield
    except (TypeError, AttributeError, LookupError, ValueError, RuntimeError):
        raise WeightsError(f"{os.fspath(path)}: is damaged; run `moderate fit` again") from None


def _check(fitted: Fitted) -> None:
    """Raise ValueError if the parts do not go together."""
    count, dim = fitted.shifts.shape
    most = count if count > 1 else np.iinfo(np.int64).max  # a single one has more folds
    good = (
        fitted.network in (*SMALL_NETWORKS, *CLASSIFIERS)
        and len(fitted.tails) == count
        and fitted.turns.shape == (count, dim, dim)
        and fitted.digests.ndim == 2
        and fitted.digests.dtype == np.uint8
        and fitted.folds.shape == (len(fitted.digests),)
        and len(fitted.folds) > 0
        and 0 <= fitted.folds.min() <= fitted.folds.max() < most
    )
    if not good:
        raise ValueError
