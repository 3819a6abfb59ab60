"""The backbone that a user names, or leaves to us -> one that can embed."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Literal

from moderate_cli.dataset import Dataset
from moderate_cli.embedding import EmbedOptions
from moderate_cli.errors import ArgumentError, StoreError
from moderate_cli.fitting.facts import Fit, find_fit, find_serving, options_of
from moderate_cli.fitting.options import FitOptions
from moderate_cli.listening import Listener
from moderate_cli.networks.table import AUTO, DEFAULT_BACKBONE, FITTED
from moderate_cli.notices import Notice


def resolve(
    dataset: Dataset, options: EmbedOptions, listener: Listener, *, may_fit: bool
) -> EmbedOptions:
    """Return options with the backbone "auto" decided, and with the weights of "fitted".

    Parameters
    ----------
    dataset
        The images.
    options
        As the user gave them.
    listener
        Hears which network is used, and whether it is of other images or labels.
    may_fit
        Whether to train a network if there is none yet.

    Raises
    ------
    ArgumentError
        If a network is missing, and may not be trained now.
    ModerateError
        As of `fit_network`.
    """
    if options.backbone not in (AUTO, FITTED):
        return options
    if options.weights is not None:
        name = DEFAULT_BACKBONE if options.backbone == AUTO else FITTED
        return replace(options, backbone=name)
    if options.backbone == AUTO:
        found = _own_fit(dataset, options, listener, may_fit=may_fit)
        if found is None:
            return replace(options, backbone=DEFAULT_BACKBONE)
        listener.notice(said("fitted is used", found[0]))
    elif (found := find_fit(dataset, options.store)) is None:
        if not may_fit:
            store = "" if options.store is None else f" --store {os.fspath(options.store)}"
            raise ArgumentError(
                f"{dataset.root}: has no network of its own; run `moderate fit{store}`, whose"
                " --dry-run estimates the time"
            )
        from moderate_cli.fitting.lifecycle import fit_network

        listener.notice(Notice("fitting"))
        new = FitOptions(orientation=options.orientation)
        # Its features are used in any case, so others are not computed to compare it.
        found = fit_network(dataset, new, options, listener, compared=False), True
        listener.notice(said("fitted", found[0]))
    fit, fresh = found
    file = () if dataset.corrections is None else (dataset.corrections.name,)
    if not fresh:
        listener.notice(Notice("fitted is old", names=file))
    elif fit.corrections_key != dataset.corrections_key:
        listener.notice(Notice("fitted to other labels", names=file))
    how = options_of(dataset, options.store)
    if how is not None and how.orientation != options.orientation:
        listener.notice(Notice("fitted otherwise", names=(how.orientation,)))
    return replace(options, backbone=FITTED, weights=fit.weights)


def _own_fit(
    dataset: Dataset, options: EmbedOptions, listener: Listener, *, may_fit: bool
) -> tuple[Fit, bool] | None:
    """Return the network in the store if it serves; None if it is of another dataset."""
    try:
        found = find_serving(dataset, options.store)
    except StoreError:
        return None
    if found is None or found[0].pretrained is not None:
        return found
    fit, fresh = found
    if not (may_fit and fresh and fit.corrections_key == dataset.corrections_key):
        return None
    from moderate_cli.fitting.comparing import compare  # most datasets have no network of their own

    fit = compare(dataset, fit, options, listener)  # by the features that are used otherwise
    return (fit, fresh) if fit.serves else None


def said(kind: Literal["fitted", "fitted is used"], fit: Fit) -> Notice:
    """Return the notice of a network and its accuracy."""
    if fit.pretrained is None:
        return Notice("fitted alone", names=(fit.network,), share=fit.accuracy)
    return Notice(kind, names=(fit.network,), share=fit.accuracy, than=fit.pretrained)
