"""Plan a perturbed copy: draw the class and the corruption of each image."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from moderate_cli.dataset import Dataset
from moderate_cli.errors import ArgumentError
from moderate_cli.exporting.moving import moved_paths
from moderate_cli.networks.table import DEFAULT_BACKBONE
from moderate_cli.perturbation.corruptions import CORRUPTIONS
from moderate_cli.selection.counts import exact, round_half_up

ATTACKS = ("pgd", "fgsm")


class Attack(NamedTuple):
    """An adversarial attack on some of the images.

    Attributes
    ----------
    name
        One of `ATTACKS`.
    fraction
        Fraction of the images to attack.
    epsilon
        Largest change of a value in 0..255.
    network
        The network to fool: one of `moderate_cli.networks.table.CLASSIFIERS`.
    weights
        Its state dict, with the head; None for its pretrained weights.
    device
        One that `moderate_cli.networks.backbones.find_device` takes.
    """

    name: str
    fraction: float | str | Fraction = 1
    epsilon: int = 8
    network: str = DEFAULT_BACKBONE
    weights: str | os.PathLike[str] | None = None
    device: str = "auto"


class Perturbed(NamedTuple):
    """The plan for one image.

    Attributes
    ----------
    source, path
        Path in the dataset, and in the copy.
    label
        Index of its class in the copy.
    corruption
        A key of `CORRUPTIONS`, the name of an attack, or "".
    """

    source: str
    path: str
    label: int
    corruption: str


def plan(
    dataset: Dataset,
    label_noise: Fraction,
    pair_noise: Fraction,
    corrupt: Fraction,
    attack: Attack | None,
    seed: int,
) -> list[Perturbed]:
    """Plan the copy; the arguments are those of `perturb`.

    Raises
    ------
    ArgumentError
        If a fraction is out of range, or there is only one class to take wrong labels from.
    """
    n, classes = len(dataset), len(dataset.classes)
    attacked = Fraction(0) if attack is None else exact(attack.fraction)
    for name, share in (
        ("label noise", label_noise), ("pair noise", pair_noise), ("corrupt", corrupt),
        ("attack fraction", attacked), ("corrupt and attack fraction together", corrupt + attacked),
        ("label noise and pair noise together", label_noise + pair_noise),
    ):  # fmt: skip
        if not 0 <= share <= 1:
            raise ArgumentError(f"{name}: {float(share)} is not in [0, 1]")
    if label_noise + pair_noise > 0 and classes < 2:
        raise ArgumentError("label noise: needs two classes, and there is only one")
    rng = np.random.default_rng(seed)
    labels = dataset.labels
    wrong, order = labels.copy(), rng.permutation(n)
    any_other, pairs = round_half_up(n * label_noise), round_half_up(n * pair_noise)
    some = order[:any_other]
    wrong[some] = (labels[some] + rng.integers(1, classes, len(some))) % classes
    some = order[any_other : any_other + pairs]
    wrong[some] = (labels[some] + 1) % classes
    ruined = [""] * n
    order, corruptions = rng.permutation(n).tolist(), round_half_up(n * corrupt)
    for number, row in enumerate(order[:corruptions]):
        ruined[row] = list(CORRUPTIONS)[number % len(CORRUPTIONS)]
    if attack is not None:
        for row in order[corruptions : corruptions + round_half_up(n * attacked)]:
            ruined[row] = attack.name
    ruined_rows = (row for row, corruption in enumerate(ruined) if corruption)
    names = moved_paths(dataset, wrong.tolist(), dict.fromkeys(ruined_rows, ".png"))
    return [
        Perturbed(path, name, label, corruption)
        for path, name, label, corruption in zip(
            dataset.paths, names, wrong.tolist(), ruined, strict=True
        )
    ]
