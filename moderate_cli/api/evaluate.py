"""`evaluate`: compare strategies and ratios on a dataset."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar, Unpack

import numpy as np

from moderate_cli.api.keywords import inputs_of
from moderate_cli.arrays import Doubles, Labels
from moderate_cli.choosing.leaks import tell_of_leaks
from moderate_cli.choosing.preparing import PATIENCE
from moderate_cli.dataset import Dataset
from moderate_cli.embedding import FeatureKeywords
from moderate_cli.errors import ArgumentError, DatasetError, OptionError, check_choice
from moderate_cli.evaluation import (
    Comparison,
    Learner,
    ProbeLearner,
    check_comparable,
    judge,
)
from moderate_cli.evaluation.belief import believed, tell_of_doubted
from moderate_cli.evaluation.cells import cells_of, strategy_in
from moderate_cli.evaluation.estimates import FEWEST_SEEDS
from moderate_cli.evaluation.ledger import EVALUATIONS, Ledger
from moderate_cli.evaluation.recipe import NETWORKS, SMALL, STEPS, Recipe
from moderate_cli.fitting.facts import NETWORK
from moderate_cli.inputs import Inputs, Source, open_source
from moderate_cli.inputs.arrays import Array
from moderate_cli.inputs.datasets import listed, name_of
from moderate_cli.inputs.request import Data
from moderate_cli.listening import SILENT, Listener, Recorder
from moderate_cli.networks.table import AUTO, CLASSIFIERS, DEFAULT_BACKBONE, FITTED, WHERE
from moderate_cli.notices import Notice
from moderate_cli.results import LabeledFeatures
from moderate_cli.scoring import CRITERIA, check_compared
from moderate_cli.selection import RECOMMENDED, Choice, exact, written
from moderate_cli.selection.choice import Number
from moderate_cli.selection.conflicts import compatible
from moderate_cli.store.layout import store_folder
from moderate_cli.store.recorded import FOLDER

One = TypeVar("One", str, Number)
EVALUATORS = ("probe", "train", "fine-tune")
RATIOS = ("0.1", "0.3", "0.5")
COMPARED = tuple(dict.fromkeys((RECOMMENDED, "random", "moderate", "matching")))


def evaluate(
    data: Data | None = None,
    *,
    features: Array | Sequence[Array] = (),
    labels: Array | None = None,
    test: Data | None = None,
    with_: str = "probe",
    network: str = SMALL,
    steps: int | None = None,
    size: int | None = None,
    ratio: Number | Sequence[Number] = RATIOS,
    strategy: str | Sequence[str] | None = None,
    drop_suspects: Number | None = None,
    seeds: int = 5,
    scope: str = "class",
    criterion: str | None = None,
    center: str = "mean",
    metric: str = "euclidean",
    seed: int = 0,
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
        A `Dataset`, or a path or URL as for `scan`.
    features, labels
        Instead of `data`: features (n, d) and the class of each row, int (n,), as arrays or `.npy`
        files, for a linear
        probe, on held-out rows.
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
        Names of strategies; "moderate:Q" puts the window at quantile Q. None for a few that go
        with the scope and the criterion.
    drop_suspects
        Also evaluate each strategy after dropping likely label errors, as in `Choice`.
    seeds
        Number of repetitions; three or more for intervals.
    scope, criterion, center, metric, seed
        As in `Choice`.
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
    ['full set', 'easy', 'random']
    """
    if seeds < 1:
        raise ArgumentError(f"seeds: {seeds} is not positive")
    if strategy is None:
        strategy = [name for name in COMPARED if compatible(name, scope, criterion)]
    base = Choice(
        ratio=1, scope=scope, criterion=criterion, center=center, metric=metric, seed=seed
    )
    cells = cells_of(
        list(dict.fromkeys(map(strategy_in, _several(strategy)))),
        [written(one) for one in _several(ratio)],
        _written(drop_suspects),
        range(seed, seed + seeds),
    )
    for cell in cells[: len(cells) // seeds]:  # of the first seed
        cell.choice(base)  # refuses wrong options before anything is embedded
    inputs = inputs_of(data, features=features, labels=labels, **embedding)
    inputs.check_single("evaluate")
    if criterion is not None:
        inputs.check_criterion(criterion)
    recipe = recipe_of(with_, network, steps, size, inputs)
    if inputs.clusters is not None:
        raise OptionError("evaluate needs classes, not {}", ("labels", inputs.labels))
    if test is not None and data is None:
        raise OptionError("use {} or {}, not both", "features", "test")
    if test is not None and data is not None:
        _check_apart(data, test)
    tested = None if test is None else _Test(test, inputs, listener)

    def check(labels: Labels, classes: Sequence[str]) -> None:
        check_comparable(labels, held_out=test is None)
        if criterion is not None:
            check_compared(criterion, labels)
        if tested is not None:
            tested.check(classes)

    own = open_source(inputs, check=check, listener=listener)
    judged = None if tested is None else tested.open(own)
    if judged is not None and test is not None:
        tell_of_leaks(own, judged, name_of(test), listener)
    own.check_finite()
    store = own.stores[0] if own.stores else None  # results by arrays are not kept
    context = {
        "data": None
        if store is None
        else store.manifest.sums,  # the set on disk may be replaced meanwhile
        "with": with_ if recipe is None else recipe.changes,
        "test": None if judged is None else judged.stores[0].manifest.sums,
        **{name: getattr(base, name) for name in ("scope", "center", "metric", "seed")},
        **({} if criterion is None else {"criterion": criterion}),
        **({"labels": "weighted"} if judged is None else {}),
    }
    if criterion is not None and CRITERIA[criterion].seeded:
        context["scored"] = "by pool"  # earlier versions scored all pools with one seed
    ledger = Ledger(None if store is None else store.folder / EVALUATIONS, context)
    weights = _weights(own, listener) if judged is None else None
    missing = [cell for cell in cells if cell not in ledger.results]
    if missing:
        for one in filter(None, (own, judged)):
            one.sets[0].check()
        learner = _learner(own, judged, recipe)
        found = judge(own, missing, learner, base, test=_set_of(judged), believed=weights)
        with listener.progress("evaluate", unit="cell") as move:
            for done, (cell, result) in enumerate(found, len(cells) - len(missing) + 1):
                ledger.add(cell, result)
                move(done, len(cells))
    if seeds < FEWEST_SEEDS:
        listener.notice(Notice("few seeds", seeds, least=FEWEST_SEEDS))
    results = {cell: ledger.results[cell] for cell in cells}
    return Comparison(results, base, held_out=judged is None)


def _check_apart(data: Data, test: Data) -> None:
    """Refuse a test set that is the data itself: accuracies would be of images trained on.

    Raises
    ------
    DatasetError
        If both are the same folder or file.
    """
    try:
        same = os.path.samefile(name_of(data), name_of(test))
    except OSError:  # a URL, or missing, which is told later
        same = name_of(data) == name_of(test)
    if same:
        raise DatasetError(f"{name_of(test)}: is also DATA; pass a test set that is not trained on")


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
    if with_ == "probe":
        for name, value in (("steps", steps), ("size", size)):
            if value is not None:
                raise OptionError("use {} or {}, not both", ("with", with_), (name, value))
        return None
    check_choice("network", network, NETWORKS, WHERE)
    embedding, steps = inputs.embedding, steps or STEPS[with_]
    if with_ == "train":
        return Recipe(network, steps, size or 32, device=embedding.device)
    backbone = DEFAULT_BACKBONE if embedding.backbone == AUTO else embedding.backbone
    if backbone not in CLASSIFIERS:
        raise OptionError("{} needs a {} with weights", ("with", with_), "backbone")
    weights = None if embedding.weights is None else os.fspath(embedding.weights)
    return Recipe(backbone, steps, size or 0, tuned=True, weights=weights, device=embedding.device)


class _Test:
    """The test set; its classes get the numbers that they have in the data."""

    def __init__(self, data: Data, inputs: Inputs, listener: Listener) -> None:
        store = inputs.embedding.store
        embedding = replace(inputs.embedding, store=store and f"{os.fspath(store)}-test")
        self._inputs = replace(inputs, data=data, embedding=embedding)
        self._data, self._name, self._listener = data, name_of(data), listener

    def check(self, classes: Sequence[str]) -> None:
        """Refuse a test set with other classes before anything is embedded."""
        if "://" in self._name:  # a remote one is listed only once
            return
        dataset = listed(self._data)
        store = store_folder(dataset.home, self._inputs.embedding.store)
        self._listener.listed(dataset, name=self._name, store=store)
        self._listener = _Unlisted(self._listener)
        if self._inputs.embedding.on_error == "fail":  # classes of unreadable images do not count
            self._check_classes(dataset.classes, dataset.labels, classes)

    def open(self, own: Source) -> Source:
        """Embed the test set as the data, and number its classes like those of the data."""
        used = own.stores[0].manifest.spec.backbone
        embedding = replace(self._inputs.embedding, backbone=used)
        if used == FITTED and embedding.weights is None:  # the network of the data, not of the test
            weights = own.stores[0].folder.parent / FOLDER / NETWORK
            embedding = replace(embedding, weights=weights)
        inputs = replace(self._inputs, embedding=embedding, backbones=(used,))
        found = open_source(inputs, listener=self._listener)
        (features,), known = found.sets, own.sets[0].classes
        self._check_classes(features.classes, features.labels[features.readable], known)
        numbers = {name: number for number, name in enumerate(known)}
        labels = np.array([numbers.get(name, -1) for name in features.classes])[features.labels]
        return replace(found, sets=(replace(features, labels=labels),))

    def _check_classes(self, names: Sequence[str], labels: Labels, known: Sequence[str]) -> None:
        classes = frozenset(known)
        used = [names[label] for label in np.unique(labels).tolist()]
        unknown = [name for name in used if name not in classes]
        if unknown:
            raise DatasetError(
                f"{self._name}: test class {unknown[0]!r} does not occur in DATA; pass the matching"
                " test set"
            )


class _Unlisted(Recorder):
    """Passes on everything but the listing of a dataset, which was passed on before."""

    def listed(self, dataset: Dataset, *, name: str, store: Path, clustered: bool = False) -> None:
        """Do nothing."""


def _weights(own: Source, listener: Listener) -> Doubles:
    """Return how far the label of each image is believed; tell of those that are not."""
    check_comparable(own.labels[own.readable], held_out=True)
    with listener.progress("suspects", unit="step", delay=PATIENCE) as move:
        suspects = own.sets[0].suspects(on_progress=move)
    tell_of_doubted(suspects, own, listener)
    return believed(suspects)


def _learner(own: Source, judged: Source | None, recipe: Recipe | None) -> Learner:
    if recipe is None:
        return ProbeLearner(own.sets[0], _set_of(judged))
    # torch takes seconds to load; a linear probe does not need it.
    from moderate_cli.evaluation.training import Pictures, TrainLearner, read_pictures

    def pictures(one: Source) -> Pictures:
        assert one.dataset is not None
        features, most = one.sets[0], one.stores[0].manifest.max_pixels
        return read_pictures(one.dataset, features.labels, features.readable, recipe, most)

    return TrainLearner(pictures(own), None if judged is None else pictures(judged), recipe)


def _set_of(source: Source | None) -> LabeledFeatures | None:
    return None if source is None else source.sets[0]


def _written(drop_suspects: Number | None) -> str:
    if drop_suspects in (None, "nothing"):
        return ""
    if drop_suspects == "auto":
        return "auto"
    share = exact(drop_suspects)
    if not 0 < share < 1:
        raise ArgumentError(f"drop_suspects: {drop_suspects} is not in (0, 1)")
    return written(share)
