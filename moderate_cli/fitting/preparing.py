"""Options and images -> a training, ready to begin."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from moderate_cli.arrays import Rows
from moderate_cli.dataset import Dataset
from moderate_cli.embedding import EmbedOptions
from moderate_cli.embedding.engines.helper import Helper
from moderate_cli.fitting.facts import find_fit, options_of
from moderate_cli.fitting.options import FitOptions
from moderate_cli.listening import Listener
from moderate_cli.networks.table import DEFAULT_BACKBONE

if TYPE_CHECKING:
    from moderate_cli.fitting.examples import Examples
    from moderate_cli.fitting.learner import Training
    from moderate_cli.networks.fitted import Parts

SAMPLE = 512  # images that are read for an estimate
AGAIN = 3  # a network that goes on from an older one takes 1/AGAIN of the epochs


class Plan(NamedTuple):
    """The network to train, and the images that fit in memory.

    Attributes
    ----------
    training
        How to train on all of them.
    parts
        The network in two parts.
    rows
        int64 (m,), of the images.
    """

    training: Training
    parts: Parts
    rows: Rows

    def training_on(self, images: int, how: FitOptions) -> Training:
        """Return how to train on so many of them."""
        from moderate_cli.fitting.plan import default_epochs

        epochs = how.epochs or default_epochs(self.training.network, images)
        return self.training._replace(epochs=epochs)


class Pace(NamedTuple):
    """Seconds to read all images, and to train on one."""

    reading: float
    each: float


def planned(dataset: Dataset, how: FitOptions, options: EmbedOptions) -> Plan:
    """Choose the network."""
    from moderate_cli.fitting.examples import rows_that_fit
    from moderate_cli.fitting.learner import Training
    from moderate_cli.fitting.plan import choose_network, default_epochs, default_folds
    from moderate_cli.networks.backbones import find_device
    from moderate_cli.networks.fitted import parts_of

    device = find_device(options.device)
    network, size = choose_network(dataset, how.network, device.type)
    parts = parts_of(network, len(dataset.classes), size)
    turned = replace(parts.preprocessing, orientation=how.orientation)
    parts = parts._replace(preprocessing=turned)
    rows = rows_that_fit(dataset, parts, how.seed)
    epochs = how.epochs or default_epochs(network, len(rows))
    folds = how.folds or default_folds(network)
    crop = parts.preprocessing.crop
    return Plan(Training(network, crop, folds, epochs, how.seed, device), parts, rows)


def read(
    dataset: Dataset,
    rows: Rows,
    plan: Plan,
    options: EmbedOptions,
    listener: Listener,
    helper: Helper | None = None,
) -> Examples:
    """Read the images of rows; the helper as in `read_examples`."""
    from moderate_cli.fitting.examples import read_examples

    with listener.progress("read") as move:
        return read_examples(
            dataset, rows, plan.parts, plan.training.device, options.max_pixels, move,
            options.workers, helper,
        )  # fmt: skip


def measured(
    dataset: Dataset, plan: Plan, how: FitOptions, options: EmbedOptions, listener: Listener
) -> Pace:
    """Read a sample, and train a few batches of it."""
    from moderate_cli.fitting.examples import drawn
    from moderate_cli.fitting.learning import seconds_per_image
    from moderate_cli.training.reading import by_processes

    rows, images = plan.rows, len(plan.rows)
    some = rows[drawn(dataset.labels[rows], SAMPLE, how.seed)]
    begun, worked = time.perf_counter(), time.process_time()
    examples = read(dataset, some, plan, options, listener)
    taken = time.perf_counter() - begun
    if by_processes(images, options.workers):  # threads that read the sample wait for each other
        taken = (time.process_time() - worked) / options.threads
    with listener.progress("measuring"):
        each = seconds_per_image(plan.training, examples, images)
    return Pace(taken * images / len(examples.members), each)


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
    """Return the options of features that a command with few options computes, too."""
    return replace(
        options, backbone=DEFAULT_BACKBONE, weights=None, precision="float32", dtype="float16",
        decode="full",
    )  # fmt: skip


def or_as_before(
    dataset: Dataset, how: FitOptions, store: str | os.PathLike[str] | None
) -> FitOptions:
    """Return the options of the network of older images or labels, if the user set none."""
    plain = FitOptions(orientation=how.orientation)
    before = options_of(dataset, store) if how == plain else None
    if before is not None:
        before = replace(before, orientation=how.orientation)
    if before is None or before == how:
        return how
    found = find_fit(dataset, store)
    if found is None or (found[1] and found[0].corrections_key == dataset.corrections_key):
        return how
    return before
