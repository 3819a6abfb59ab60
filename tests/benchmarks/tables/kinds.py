"""The kinds of datasets that are measured."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple


class Kind(NamedTuple):
    """A dataset that is measured.

    Attributes
    ----------
    title
        Its name in text.
    share
        Share of the training images of each class that a pool has.
    size
        Pixels a side of the pictures that are encoded by patches.
    """

    title: str
    share: Fraction
    size: int


KINDS = {
    "cifar100": Kind("CIFAR-100", Fraction(2, 5), 32),  # 200 images a class
    "fashion": Kind("Fashion-MNIST", Fraction(4, 5), 28),
    "clothing": Kind("Clothing", Fraction(4, 5), 32),
}
