"""Options of `fit`."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

from moderate_cli.errors import ArgumentError, OptionError, check_choice, check_seed, check_whole
from moderate_cli.literals import Orientation
from moderate_cli.networks.table import (
    AUTO,
    CLASSIFIERS,
    ORIENTATIONS,
    SMALL_NETWORKS,
    WHERE,
)

FITTABLE = (AUTO, *SMALL_NETWORKS, *CLASSIFIERS)
MOST_FOLDS = 20


@dataclass(frozen=True)
class FitOptions:
    """How a network is trained on a dataset.

    Attributes
    ----------
    network
        "resnet9", "resnet9_narrow" or "cnn", from random weights; a classifier, from its own
        trained weights; or "auto": a ResNet-9 for small pictures, else the default backbone.
    epochs
        How often each image is seen; None for a number that goes with the dataset.
    minutes
        Train as many epochs as fit in this time, but no more than without it.
    folds
        The images are divided into so many parts, and one network is trained without each: the
        features of an image come from the network that did not see it. 1 trains one network, as
        the paper does, on all but a tenth, by which its accuracy is known. None: 1 from random
        weights, 3 from trained ones, which learn wrong labels by heart.
    seed
        Random seed.
    orientation
        Whether images are turned by their EXIF tag, as in `EmbedOptions`.
    """

    network: str = AUTO
    epochs: int | None = None
    minutes: float | None = None
    folds: int | None = None
    seed: int = 0
    orientation: Orientation = "ignore"

    def __post_init__(self) -> None:
        check_choice("network", self.network, FITTABLE, WHERE)
        check_choice("orientation", self.orientation, ORIENTATIONS)
        if self.epochs is not None and self.minutes is not None:
            raise OptionError("use {} or {}, not both", "epochs", "minutes")
        for name in ("epochs", "folds", "seed"):
            value = getattr(self, name)
            if value is not None:
                check_whole(name, value)
                object.__setattr__(self, name, int(value))  # numpy's numbers, too
        check_seed(self.seed)
        if self.epochs is not None and self.epochs < 1:
            raise ArgumentError(f"epochs: {self.epochs} is not positive")
        if self.minutes is not None and not isinstance(self.minutes, Real):
            raise ArgumentError(f"minutes: {self.minutes!r} is not a number")
        if self.minutes is not None and not 0 < self.minutes < float("inf"):
            raise ArgumentError(f"minutes: {self.minutes} is not positive")
        if self.folds is not None and not 1 <= self.folds <= MOST_FOLDS:
            raise ArgumentError(f"folds: {self.folds} is not in [1, {MOST_FOLDS}]")
