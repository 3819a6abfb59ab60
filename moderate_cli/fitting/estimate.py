"""Estimate the time of a training from a sample."""

from __future__ import annotations

from typing import NamedTuple

from moderate_cli.dataset import Dataset
from moderate_cli.embedding import EmbedOptions
from moderate_cli.embedding.estimate import measure
from moderate_cli.fitting.facts import find_fit, may_go_on
from moderate_cli.fitting.options import FitOptions
from moderate_cli.fitting.preparing import measured, or_as_before, plain, planned, within
from moderate_cli.listening import SILENT, Listener
from moderate_cli.notices import Notice


class FitEstimate(NamedTuple):
    """What a training would take.

    Attributes
    ----------
    network, size, folds, epochs
        As in `Fit`.
    images
        Number of images to train on.
    rate
        Images per second; 0 if the network is up to date.
    seconds
        Time of all: features of the default backbone, if they are missing, reading, and training.
    embedding
        Time of the features alone.
    """

    network: str
    size: int
    folds: int
    epochs: int
    images: int
    rate: float
    seconds: float
    embedding: float


def measure_fit(
    dataset: Dataset, how: FitOptions, options: EmbedOptions, listener: Listener = SILENT
) -> FitEstimate:
    """Estimate the time of `fit_network` from a sample; write nothing.

    Raises
    ------
    ModerateError
        As of `fit_network`.
    """
    with listener.progress("loading torch"):
        from moderate_cli.networks.devices import explained

    found = find_fit(dataset, options.store, how)
    if found is not None and found[1]:
        fit = found[0]
        known = fit.pretrained is not None
        seconds = 0.0 if known else measure(dataset, plain(options), listener).seconds
        return FitEstimate(
            fit.network, fit.size, fit.folds, fit.epochs, fit.images, 0.0, seconds, seconds
        )
    how = how if found is None else or_as_before(dataset, how, options.store)
    goes_on = may_go_on(dataset, options.store, how)
    embedding = measure(dataset, plain(options), listener).seconds
    with explained("use a smaller --network"):
        ours = dataset.as_corrected()
        plan = planned(ours, how, options)
        if len(plan.rows) < len(ours):
            listener.notice(Notice("fitted to some", len(plan.rows), len(ours)))
        images, pace = len(plan.rows), measured(ours, plan, how, options, listener)
        training = within(plan.training, images, how, pace.each, goes_on=goes_on)
    return FitEstimate(
        training.network, training.size, training.folds, training.epochs, images,
        1 / pace.each, embedding + pace.reading + pace.each * training.work(images), embedding,
    )  # fmt: skip
