"""`perturb`: a noisy copy of a dataset."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from moderate_cli.dataset import Dataset
from moderate_cli.dataset.lists import is_list
from moderate_cli.errors import ArgumentError, DatasetError, OptionError, check_choice, check_seed
from moderate_cli.inputs.datasets import listed
from moderate_cli.inputs.request import Data, name_of
from moderate_cli.listening import SILENT, Listener, with_bars
from moderate_cli.literals import Attack as AttackName
from moderate_cli.literals import Link
from moderate_cli.networks.table import CLASSIFIERS, DEFAULT_BACKBONE, DEFAULT_MAX_PIXELS, WHERE
from moderate_cli.perturbation import ATTACKS, Attack, Perturbed, plan, write_perturbed
from moderate_cli.selection import exact
from moderate_cli.selection.choice import Number
from moderate_cli.store.layout import store_folder
from moderate_cli.text import counted


@dataclass(frozen=True, eq=False, repr=False)
class Perturbation:
    """A perturbed copy of a dataset.

    Attributes
    ----------
    dataset
        The dataset that was copied.
    folder
        The copy.
    images
        The class and the corruption of each image, in row order.

    Examples
    --------
    >>> perturb("data/train", "ruined", corrupt=0.5).ruined
    4
    """

    dataset: Dataset
    folder: str
    images: Sequence[Perturbed]

    def __repr__(self) -> str:
        """Return the numbers of images and of changes, and the folder."""
        images = counted(len(self.images), "image")
        return f"{images}, {self.moved} in a wrong class, {self.ruined} ruined -> {self.folder}"

    @property
    def moved(self) -> int:
        """Number of images in a wrong class."""
        labels = self.dataset.labels.tolist()
        return sum(one.label != own for one, own in zip(self.images, labels, strict=True))

    @property
    def ruined(self) -> int:
        """Number of ruined images."""
        return sum(bool(one.corruption) for one in self.images)


def perturb(
    data: Data,
    output: str | os.PathLike[str],
    *,
    label_noise: Number = 0,
    pair_noise: Number = 0,
    corrupt: Number = 0,
    attack: AttackName | None = None,
    attack_fraction: Number = 1,
    epsilon: int = 8,
    network: str = DEFAULT_BACKBONE,
    weights: str | os.PathLike[str] | None = None,
    device: str = "auto",
    seed: int = 0,
    link: Link = "symbolic",
    max_pixels: int = DEFAULT_MAX_PIXELS,
    progress: bool = False,
    listener: Listener = SILENT,
) -> Perturbation:
    """Copy a dataset, with some images in a wrong class, and some ruined.

    These are the scenarios of Moderate Coreset, Section 5, for experiments. `perturbed.csv` in the
    copy lists the changes. The dataset itself is never changed.

    Parameters
    ----------
    data
        A `Dataset`, or a path, URL or ImageFolder as for `scan`.
    output
        Folder of the copy. Must not exist, or be empty.
    label_noise, pair_noise
        Fractions of the images to put in a random other class ("symmetric" noise), and in the next
        class ("pair" noise).
    corrupt
        Fraction of the images to ruin, with an equal number for each corruption; written as PNG.
    attack, attack_fraction, epsilon
        Adversarial attack, "pgd" or "fgsm", on a fraction of the images; it changes values by at
        most `epsilon` of 255.
    network, weights, device
        The network that an attack fools, its state dict with the head, and where it runs.
    seed
        Random seed.
    link
        How to add unchanged images: "none" copies them, "symbolic" and "hard" link them.
    max_pixels
        Larger pictures, in pixels, cannot be ruined.
    progress
        Show progress bars, in a notebook or a terminal.
    listener
        Hears progress and oddities of the dataset.

    Raises
    ------
    ModerateError
        If an option is out of range, an image to ruin cannot be read, the folder cannot be
        written, the weights are missing, or the device fails. Nothing is written then.

    Examples
    --------
    >>> perturb("data/train", "noisy", label_noise=0.25)
    8 images, 2 in a wrong class, 0 ruined -> noisy
    """
    listener = with_bars(listener, progress)
    check_seed(seed)
    shares = (exact(label_noise), exact(pair_noise), exact(corrupt))
    if attack is None and not any(shares):
        raise OptionError(
            "missing {}, {}, {} or {}", "label_noise", "pair_noise", "corrupt", "attack"
        )
    mislead = None
    if attack is not None:
        check_choice("attack", attack, ATTACKS)
        check_choice("network", network, CLASSIFIERS, WHERE)
        if not 1 <= epsilon <= 255:
            raise ArgumentError(f"epsilon: {epsilon} is not in [1, 255]")
        mislead = Attack(attack, attack_fraction, epsilon, network, weights, device)
    if isinstance(data, (str, os.PathLike)) and is_list(data) and os.path.isfile(data):
        raise DatasetError(f"{os.fspath(data)}: is a file; perturb needs a folder of class folders")
    dataset = listed(data)
    listener.listed(dataset, name=name_of(data), store=store_folder(dataset.home))
    planned = plan(dataset, *shares, mislead, seed)
    write_perturbed(
        dataset, output, planned, attack=mislead, seed=seed, link=link, max_pixels=max_pixels,
        listener=listener,
    )  # fmt: skip
    return Perturbation(dataset, os.fspath(output), planned)
