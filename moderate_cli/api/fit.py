"""`fit`: a network of its own for a dataset."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Unpack

from moderate_cli.api.keywords import inputs_of
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.remembering import remember
from moderate_cli.embedding import EmbedKeywords, EmbedOptions
from moderate_cli.errors import OptionError
from moderate_cli.fitting import FitOptions
from moderate_cli.fitting.estimate import FitEstimate, measure_fit
from moderate_cli.fitting.facts import Fit
from moderate_cli.fitting.lifecycle import fit_network
from moderate_cli.inputs.datasets import corrected, listed
from moderate_cli.inputs.request import Data, name_of
from moderate_cli.listening import SILENT, Listener, with_bars
from moderate_cli.networks.table import AUTO
from moderate_cli.store.layout import store_folder


def fit(
    data: Data,
    *,
    network: str = AUTO,
    epochs: int | None = None,
    minutes: float | None = None,
    folds: int | None = None,
    seed: int = 0,
    labels: str | os.PathLike[str] | None = None,
    progress: bool = False,
    listener: Listener = SILENT,
    **embedding: Unpack[EmbedKeywords],
) -> Fit:
    """Train a network on a dataset, for features of its own: `backbone="fitted"`.

    Moderate Coreset scores images by features of a network that was trained on the dataset. With
    several folds, the features of an image come from a network that did not see its label. An
    interrupted training continues where it stopped; a network of older images or labels is trained
    further on those of now.

    Parameters
    ----------
    data
        A `Dataset`, or a path, URL or ImageFolder as for `scan`.
    network, epochs, minutes, folds, seed
        As in `FitOptions`.
    labels
        A table of corrected labels (`corrected.csv`). The network in the store is trained further
        on them; commands with the same labels take it without a warning.
    progress
        Show progress bars, in a notebook or a terminal.
    listener
        Hears progress and notices.
    embedding
        Fields of `EmbedOptions`: `store`, `device`, and how images are read; `batch_size` and
        `runtime` are of the default features, to which the network is compared.

    Raises
    ------
    ModerateError
        If an option is out of range, the store cannot be written, no image can be read, there is
        only one class, weights are not available, the device fails, or the trained network knows
        nothing.

    Examples
    --------
    >>> fit("data/train", network="cnn", epochs=1, folds=2).classes
    3
    """
    listener = with_bars(listener, progress)
    how = FitOptions(network, epochs, minutes, folds, seed)
    dataset, how, options = _opened(data, labels, listener, embedding, how)
    found = fit_network(dataset, how, options, listener)
    remember(dataset, store_folder(dataset.home, options.store))
    return found


def estimate_fit(
    data: Data,
    *,
    network: str = AUTO,
    epochs: int | None = None,
    minutes: float | None = None,
    folds: int | None = None,
    seed: int = 0,
    labels: str | os.PathLike[str] | None = None,
    listener: Listener = SILENT,
    **embedding: Unpack[EmbedKeywords],
) -> FitEstimate:
    """Estimate the time of `fit` from a few batches; write nothing. Arguments as of `fit`.

    Raises
    ------
    ModerateError
        As of `fit`.

    Examples
    --------
    >>> estimate_fit("data/train", network="cnn", epochs=1).images
    8
    """
    how = FitOptions(network, epochs, minutes, folds, seed)
    return measure_fit(*_opened(data, labels, listener, embedding, how), listener)


def _opened(
    data: Data,
    labels: str | os.PathLike[str] | None,
    listener: Listener,
    embedding: EmbedKeywords,
    how: FitOptions,
) -> tuple[Dataset, FitOptions, EmbedOptions]:
    for name in ("backbone", "weights"):
        if name in embedding:
            raise OptionError("{} has no effect on fit; use {}", name, "network")
    inputs = inputs_of(data, of=fit, labels=labels, **embedding)
    if inputs.clusters is not None:
        raise OptionError("fit takes a table of corrected labels, not {}", ("labels", labels))
    options, name = inputs.embedding, name_of(data)
    dataset = listed(data, options.store)
    if inputs.corrections is not None:
        dataset = corrected(dataset, inputs.corrections, name, listener)
    listener.listed(dataset, name=name, store=store_folder(dataset.home, options.store))
    return dataset, replace(how, orientation=options.orientation), options
