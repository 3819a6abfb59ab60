"""Options and images -> a training, ready to begin."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from moderate_cli.dataset import Dataset
from moderate_cli.embedding import EmbedOptions
from moderate_cli.fitting.facts import find_fit, options_of
from moderate_cli.fitting.options import FitOptions
from moderate_cli.listening import Listener
from moderate_cli.networks.table import DEFAULT_BACKBONE
from moderate_cli.notices import Notice

if TYPE_CHECKING:
    from moderate_cli.fitting.examples import Examples
    from moderate_cli.fitting.learner import Training

AGAIN = 3  # a network that goes on from an older one takes 1/AGAIN of the epochs


def prepared(
    dataset: Dataset,
    how: FitOptions,
    options: EmbedOptions,
    listener: Listener,
    sample: int | None = None,
) -> tuple[Training, Examples, int]:
    """Choose the network, and read the images, or a sample; also return the number of them all."""
    from moderate_cli.fitting.examples import drawn, read_examples, rows_that_fit
    from moderate_cli.fitting.learner import Training
    from moderate_cli.fitting.plan import choose_network, default_epochs, default_folds
    from moderate_cli.networks.backbones import find_device
    from moderate_cli.networks.fitted import parts_of

    device = find_device(options.device)
    network, size = choose_network(dataset, how.network, device.type)
    parts = parts_of(network, len(dataset.classes), size)
    rows = rows_that_fit(dataset, parts, how.seed)
    images = len(rows)
    if sample is not None:
        rows = rows[drawn(dataset.labels[rows], sample, how.seed)]
    with listener.progress("read") as move:
        examples = read_examples(dataset, rows, parts, options.max_pixels, move, options.workers)
    images = len(examples.members) if sample is None else images
    if images < len(dataset):
        listener.notice(Notice("fitted to some", images, len(dataset)))
    epochs = how.epochs or default_epochs(network, images)
    folds = how.folds or default_folds(network)
    crop = parts.preprocessing.crop
    return Training(network, crop, folds, epochs, how.seed, device), examples, images


def within(
    training: Training, images: int, how: FitOptions, each: float, *, goes_on: bool
) -> Training:
    """Set the number of epochs, at least one: fewer from older weights, and as the time allows."""
    if how.epochs is None and goes_on:
        training = training._replace(epochs=-(-training.epochs // AGAIN))
    if how.minutes is None:
        return training
    one = each * training._replace(epochs=1).images(images)
    return training._replace(epochs=int(np.clip(60 * how.minutes / one, 1, training.epochs)))


def plain(options: EmbedOptions) -> EmbedOptions:
    """Return the options of features that a command without options computes, too."""
    return replace(
        options, backbone=DEFAULT_BACKBONE, weights=None, precision="float32", dtype="float16",
        decode="full", orientation="ignore",
    )  # fmt: skip


def or_as_before(
    dataset: Dataset, how: FitOptions, store: str | os.PathLike[str] | None
) -> FitOptions:
    """Return the options of the network of older images, if the user set none."""
    before = options_of(dataset, store) if how == FitOptions() else None
    if before in (None, how):
        return how
    found = find_fit(dataset, store)
    return how if found is None or found[1] else before
