"""`suggest`: look at a dataset, compare selections, and name the one command to use."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Unpack, cast

import numpy as np

from moderate_cli.api.comparing import compare, open_trial
from moderate_cli.api.evaluate import recipe_of
from moderate_cli.api.expecting import comparing_seconds, tell
from moderate_cli.api.keywords import inputs_of
from moderate_cli.embedding import FeatureKeywords
from moderate_cli.embedding.estimate import count_pending, measure
from moderate_cli.errors import ArgumentError, DatasetError, OptionError, check_choice
from moderate_cli.evaluation.cells import Cell, cells_of, strategy_in
from moderate_cli.evaluation.recipe import SMALL, Recipe
from moderate_cli.fitting.resolving import resolve
from moderate_cli.inputs import Inputs
from moderate_cli.inputs.datasets import listed
from moderate_cli.inputs.request import Data, name_of
from moderate_cli.inputs.spelling import spelled
from moderate_cli.listening import PATIENCE, SILENT, Listener, with_bars
from moderate_cli.literals import StrategyName
from moderate_cli.selection import RECOMMENDED, Choice, written
from moderate_cli.selection.choice import Number
from moderate_cli.store import FeatureStore
from moderate_cli.suggesting import Expected, Suggestion, choice_for, facts_of

PURPOSES = {"fine-tune": "probe", "train": "train", "probe": "probe"}  # what it is for -> the judge
SEEDS = {"probe": 5, "train": 3}
CANDIDATES = (RECOMMENDED, "random", "moderate")
LOADED = 0.5  # seconds, to load a backbone whose library is loaded already
SAMPLED = 2.0  # seconds, in which a sample is embedded


def suggest(
    data: Data | FeatureStore,
    *,
    ratio: Number = "0.3",
    test: Data | None = None,
    for_: Literal["fine-tune", "train", "probe"] = "fine-tune",
    seeds: int | None = None,
    seed: int = 0,
    labels: str | os.PathLike[str] | None = None,
    progress: bool = False,
    listener: Listener = SILENT,
    **embedding: Unpack[FeatureKeywords],
) -> Suggestion:
    """Look at a dataset, compare selections, and suggest one.

    Looks for label errors, near duplicates, small classes and unreadable images; sets the options
    that they ask for; compares the recommended strategy, random selection and the window with
    these; and takes the recommended one, unless another is measurably better. Results are stored,
    so that a second call takes seconds.

    Parameters
    ----------
    data
        A `Dataset`, a path or URL as for `scan`, or a feature set.
    ratio
        Fraction to keep.
    test
        Test set with the same classes; None holds out a fifth of the data.
    for_
        What the kept images are for. "train" compares by a small network, trained from scratch;
        the others by a linear probe on the features.
    seeds
        Number of repetitions; None for 5, or 3 for "train".
    seed
        Random seed.
    labels
        A table of corrected labels, such as `corrected.csv`.
    progress
        Show progress bars, in a notebook or a terminal.
    listener
        Hears progress and notices; the first one is how long it takes.
    embedding
        Fields of `EmbedOptions`; unreadable images are skipped, unless `on_error` says otherwise.

    Returns
    -------
    Suggestion
        With the `choice` for `select`.

    Raises
    ------
    ModerateError
        If an option is out of range, or data cannot be read or embedded, or are too few to compare
        strategies.

    Examples
    --------
    >>> found = suggest("data/train", ratio=0.5, seeds=1, backbone="pixels")
    >>> found.facts.images, found.choice.ratio
    (8, 0.5)
    """
    listener = with_bars(listener, progress)
    check_choice("for", for_, PURPOSES)
    if seeds is not None and seeds < 1:
        raise ArgumentError(f"seeds: {seeds} is not positive")
    asked, judge = Choice(ratio=ratio, seed=seed), PURPOSES[for_]
    if not isinstance(data, FeatureStore):
        embedding.setdefault("on_error", "skip")
    inputs = inputs_of(data, of=suggest, labels=labels, **embedding)
    inputs.check_single("suggest")
    if inputs.clusters is not None:
        raise OptionError("suggest needs classes, not {}", ("labels", labels))
    recipe = recipe_of(judge, SMALL, None, None, inputs)
    every = range(seed, seed + (seeds or SEEDS[judge]))
    cells = cells_of(list(map(strategy_in, CANDIDATES)), [written(ratio)], "", every)
    told = False

    def tell_ahead() -> None:
        nonlocal told
        told = _ahead(inputs, test, cells, recipe, listener)

    trial = open_trial(inputs, test, listener=listener, before=tell_ahead)
    if len(np.unique(trial.own.labels[trial.own.readable])) < 2:
        raise DatasetError(f"{name_of(data)}: only one class has images that can be read")
    if not told and trial.own.sets[0].known_suspects() is None:
        trial.tell(cells, recipe, listener)
        told = True
    with (
        listener.progress("suspects", unit="step", delay=PATIENCE) as suspects,
        listener.progress("duplicates", delay=PATIENCE) as duplicates,
    ):
        facts = facts_of(trial.own, name_of(data), suspects, duplicates)
    base, reasons = choice_for(facts, asked)
    found = compare(trial, cells, base, recipe, listener, told=told)
    strategy = cast(StrategyName, found.picks[0].line.cell.strategy)
    about = found.about
    if about is not None and not facts.unreadable:
        about = about._replace(inputs=spelled(inputs, without=("on_error",)))
    return Suggestion(
        facts, replace(found, about=about), replace(base, strategy=strategy), reasons, for_
    )


def _ahead(
    inputs: Inputs,
    test: Data | None,
    cells: Sequence[Cell],
    recipe: Recipe | None,
    listener: Listener,
) -> bool:
    """Tell how long it takes, if images are to be embedded; whether they are."""
    embedding = inputs.embedding
    store = embedding.store and f"{os.fspath(embedding.store)}-test"
    asked = [(inputs.data, embedding), (test, replace(embedding, store=store))]
    sets = [
        (dataset, resolve(dataset, options, SILENT, may_fit=False))
        for data, options in asked
        if data is not None and not isinstance(data, FeatureStore)
        for dataset in [listed(data, options.store)]
    ]
    counts = [count_pending(dataset, options) for dataset, options in sets]
    if not any(counts):
        return False
    found = measure(*sets[counts.index(max(counts))], SILENT, seconds=SAMPLED)
    sizes = [len(dataset) for dataset, _ in sets]
    comparing = comparing_seconds(sizes[0], sum(sizes[1:]), found.dim, cells, recipe, listener)
    # The backbone is loaded once more for each set.
    embedding_seconds = sum(counts) / found.rate + len(counts) * LOADED if found.rate else 0.0
    tell(Expected(sum(counts), embedding_seconds, len(cells), comparing), listener)
    return True
