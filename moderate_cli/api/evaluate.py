"""`evaluate`: compare strategies and ratios on a dataset."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from typing import TypeVar, Unpack

from moderate_cli.api.comparing import compare, open_trial
from moderate_cli.api.keywords import inputs_of
from moderate_cli.embedding import FeatureKeywords
from moderate_cli.errors import ArgumentError, OptionError, check_choice
from moderate_cli.evaluation import Comparison
from moderate_cli.evaluation.cells import cells_of, strategy_in
from moderate_cli.evaluation.estimates import FEWEST_SEEDS
from moderate_cli.evaluation.recipe import NETWORKS, SMALL, STEPS, Recipe
from moderate_cli.inputs import Inputs
from moderate_cli.inputs.arrays import Array
from moderate_cli.inputs.request import Data
from moderate_cli.listening import SILENT, Listener, with_bars
from moderate_cli.literals import Center, Criterion, Judge, Metric, Scope
from moderate_cli.networks.table import (
    AUTO,
    CLASSIFIERS,
    DEFAULT_BACKBONE,
    LIBRARIES,
    WHERE,
    find_backbone,
)
from moderate_cli.notices import Notice
from moderate_cli.selection import RECOMMENDED, Choice, exact, written
from moderate_cli.selection.choice import Number
from moderate_cli.selection.conflicts import compatible
from moderate_cli.store import FeatureStore

One = TypeVar("One", str, Number)
EVALUATORS = ("probe", "train", "fine-tune")
RATIOS = ("0.1", "0.3", "0.5")
COMPARED = tuple(dict.fromkeys((RECOMMENDED, "random", "moderate", "matching")))


def evaluate(
    data: Data | FeatureStore | None = None,
    *,
    features: Array | Sequence[Array] = (),
    labels: Array | None = None,
    test: Data | None = None,
    with_: Judge = "probe",
    network: str = SMALL,
    steps: int | None = None,
    size: int | None = None,
    ratio: Number | Sequence[Number] = RATIOS,
    strategy: str | Sequence[str] | None = None,
    drop_suspects: Number | None = None,
    seeds: int = 5,
    scope: Scope = "class",
    criterion: Criterion | None = None,
    center: Center = "mean",
    metric: Metric = "euclidean",
    seed: int = 0,
    progress: bool = False,
    listener: Listener = SILENT,
    **embedding: Unpack[FeatureKeywords],
) -> Comparison:
    """Train a classifier on each selection and compare accuracies.

    Each seed selects from a different random 80 % of the data. Without a test set, it judges on
    the other fifth, where each label counts as far as it is believed: 1 less its probability to be
    wrong. An interrupted evaluation continues where it stopped.

    Parameters
    ----------
    data
        A `Dataset`, a path, URL or ImageFolder as for `scan`, or, for a linear probe, a feature
        set.
    features, labels
        Instead of `data`: features (n, d) and the class of each row, int (n,), as arrays or `.npy`
        files, for a linear probe, on held-out rows. With `data`, labels are a table of corrected
        labels (`corrected.csv`); those of `test` stay.
    test
        Test set with the same classes; None holds out a fifth of the data. Its features are stored
        beside it, or in STORE-test.
    with_
        The classifier: "probe", a linear probe; "train", a network trained from scratch;
        "fine-tune", the backbone, trained further.
    network, steps, size
        Network for "train": "cnn", for small images, or a torchvision classifier. Training steps
        per selection, and pixels per side of training images; None for the default.
    ratio
        Fractions to keep.
    strategy
        Names of strategies; "moderate:Q" puts the window at quantile Q. The recommended one and
        random selection are always compared; None adds a few.
    drop_suspects
        Also evaluate each strategy after dropping likely label errors, as in `Choice`.
    seeds
        Number of repetitions; three or more for intervals.
    scope, criterion, center, metric, seed
        As in `Choice`.
    progress
        Show progress bars, in a notebook or a terminal.
    listener
        Hears progress and notices.
    embedding
        Fields of `EmbedOptions`.

    Returns
    -------
    Comparison

    Raises
    ------
    ModerateError
        If an option is out of range, or data cannot be read or embedded, or are too few to compare
        strategies.

    Examples
    --------
    >>> found = evaluate("data/train", ratio=[0.5], strategy=["easy"], seeds=1, backbone="pixels")
    >>> [line.cell.name for line in found.lines]
    ['full set', 'easy', 'adaptive', 'random']
    """
    listener = with_bars(listener, progress)
    if seeds < 1:
        raise ArgumentError(f"seeds: {seeds} is not positive")
    asked = [] if strategy is None else list(map(strategy_in, _several(strategy)))
    names = COMPARED if strategy is None else (RECOMMENDED,)  # with random, always among the rows
    asked += [strategy_in(name) for name in names if compatible(name, scope, criterion)]
    base = Choice(
        ratio=1, scope=scope, criterion=criterion, center=center, metric=metric, seed=seed
    )
    cells = cells_of(
        list(dict.fromkeys(asked)),
        [written(one) for one in _several(ratio)],
        _written(drop_suspects),
        range(seed, seed + seeds),
    )
    for cell in cells[: len(cells) // seeds]:  # of the first seed
        cell.choice(base)  # refuses wrong options before anything is embedded
    inputs = inputs_of(data, of=evaluate, features=features, labels=labels, **embedding)
    inputs.check_single("evaluate")
    if criterion is not None:
        inputs.check_criterion(criterion)
    recipe = recipe_of(with_, network, steps, size, inputs)
    if inputs.clusters is not None:
        raise OptionError("evaluate needs classes, not {}", ("labels", inputs.labels))
    trial = open_trial(inputs, test, criterion=criterion, listener=listener)
    found = compare(trial, cells, base, recipe, listener)
    if seeds < FEWEST_SEEDS:
        listener.notice(Notice("few seeds", seeds, least=FEWEST_SEEDS))
    return found


def _several(values: One | Sequence[One]) -> Sequence[One]:
    """Return several values; a single one may come alone."""
    return [values] if isinstance(values, (str, int, float, Fraction)) else values


def recipe_of(
    with_: str, network: str, steps: int | None, size: int | None, inputs: Inputs
) -> Recipe | None:
    """Return how to train a network, or None for a linear probe.

    Raises
    ------
    ArgumentError
        If an option has no effect or is out of range, or the backbone cannot be trained.
    """
    check_choice("with", with_, EVALUATORS)
    for name, value in (("steps", steps), ("size", size)):
        if value is not None and value < 1:
            raise ArgumentError(f"{name}: {value} is not positive")
    if with_ != "train" and network != SMALL:
        raise OptionError("use {} or {}, not both", ("with", with_), ("network", network))
    if with_ != "probe" and inputs.features:
        raise OptionError("use {} or {}, not both", ("with", with_), "features")
    if with_ != "probe" and isinstance(inputs.data, FeatureStore):
        raise OptionError("{} needs a dataset, not its feature set", ("with", with_))
    if with_ == "probe":
        for name, value in (("steps", steps), ("size", size)):
            if value is not None:
                raise OptionError("use {} or {}, not both", ("with", with_), (name, value))
        return None
    check_choice("network", network, NETWORKS, WHERE)
    embedding, steps = inputs.embedding, steps or STEPS[with_]
    device, orientation = embedding.device, embedding.orientation
    if with_ == "train":
        return Recipe(network, steps, size or 32, device=device, orientation=orientation)
    backbone = DEFAULT_BACKBONE if embedding.backbone == AUTO else embedding.backbone
    if find_backbone(backbone).family in LIBRARIES:
        raise OptionError(
            "{} trains no model of timm or open_clip; choose another {}",
            ("with", with_),
            "backbone",
        )
    if backbone not in CLASSIFIERS:
        raise OptionError("{} needs a {} with weights", ("with", with_), "backbone")
    weights = None if embedding.weights is None else os.fspath(embedding.weights)
    return Recipe(
        backbone,
        steps,
        size or 0,
        tuned=True,
        weights=weights,
        device=device,
        orientation=orientation,
    )


def _written(drop_suspects: Number | None) -> str:
    if drop_suspects in (None, "nothing"):
        return ""
    if drop_suspects == "auto":
        return "auto"
    share = exact(drop_suspects)
    if not 0 < share < 1:
        raise ArgumentError(f"drop_suspects: {drop_suspects} is not in (0, 1)")
    return written(share)
