"""What `evaluate` and `suggest` share: open the data and the test set, and compare selections."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from moderate_cli.api.expecting import comparing_seconds, tell
from moderate_cli.arrays import Labels
from moderate_cli.choosing.leaks import tell_of_leaks
from moderate_cli.dataset import Dataset
from moderate_cli.errors import DatasetError, OptionError
from moderate_cli.evaluation import Comparison, Learner, ProbeLearner, check_comparable, judge
from moderate_cli.evaluation.about import About
from moderate_cli.evaluation.belief import believed, tell_of_doubted
from moderate_cli.evaluation.cells import Cell
from moderate_cli.evaluation.ledger import Ledger
from moderate_cli.evaluation.recipe import Recipe, described
from moderate_cli.evaluation.steps import Steps
from moderate_cli.fitting.facts import NETWORK
from moderate_cli.inputs import Inputs, Source, open_source
from moderate_cli.inputs.datasets import listed
from moderate_cli.inputs.request import Data, name_of
from moderate_cli.inputs.spelling import spelled
from moderate_cli.label_errors.doubts import noise_estimate
from moderate_cli.label_errors.suspects import Suspects
from moderate_cli.listening import PATIENCE, Listener, Recorder
from moderate_cli.networks.table import FITTED
from moderate_cli.notices import Notice
from moderate_cli.results import LabeledFeatures
from moderate_cli.scoring import CRITERIA, check_compared
from moderate_cli.selection import Choice
from moderate_cli.store.layout import EVALUATIONS, store_folder
from moderate_cli.store.recorded import FOLDER
from moderate_cli.suggesting import Expected
from moderate_cli.text import clipped, resembling

# Fields of `Choice` that all selections of a comparison share, and that change results.
SHARED = ("scope", "center", "metric", "seed")
IF_SET = ("criterion", "balance", "min_per_class", "dedup")  # later ones, so only if not default


@dataclass(frozen=True)
class Trial:
    """Data to select from, and images to judge by.

    Attributes
    ----------
    inputs
        As the user names them.
    own
        The images to select from.
    judged
        The test set, with the class numbers of the data; None holds out a part of the data.
    test
        Name of the test set.
    """

    inputs: Inputs
    own: Source
    judged: Source | None
    test: str

    def tell(self, cells: Sequence[Cell], recipe: Recipe | None, listener: Listener) -> None:
        """Tell how long it takes to look at the data, and to train for these cells."""
        images, dim = self.own.sets[0].features.shape
        judged = 0 if self.judged is None else len(self.judged.sets[0].labels)
        seconds = comparing_seconds(images, judged, dim, cells, recipe, listener)
        tell(Expected(0, 0.0, len(cells), seconds), listener)


def open_trial(
    inputs: Inputs,
    test: Data | None,
    *,
    criterion: str | None = None,
    listener: Listener,
    before: Callable[[], None] | None = None,
) -> Trial:
    """Read or embed the data and the test set.

    `before` is called before anything is embedded, once all that can be refused is refused.

    Raises
    ------
    ModerateError
        If data cannot be read or embedded, or are too few to compare strategies.
    """
    if test is not None and inputs.data is None:
        raise OptionError("use {} or {}, not both", "features", "test")
    if test is not None and inputs.data is not None:
        _check_apart(name_of(inputs.data), name_of(test))
    tested = None if test is None else _Test(test, inputs, listener)

    def check(labels: Labels, classes: Sequence[str]) -> None:
        check_comparable(labels, held_out=test is None)
        if criterion is not None:
            check_compared(criterion, labels)
        if tested is not None:
            tested.check(classes)
        if before is not None:
            before()

    own = open_source(inputs, check=check, listener=listener)
    judged = None if tested is None else tested.open(own)
    if judged is not None and test is not None:
        tell_of_leaks(own, judged, name_of(test), listener)
    own.check_finite()
    return Trial(inputs, own, judged, "" if test is None else name_of(test))


def compare(
    trial: Trial,
    cells: Sequence[Cell],
    base: Choice,
    recipe: Recipe | None,
    listener: Listener,
    *,
    told: bool = False,
) -> Comparison:
    """Train on the selection of each cell, unless that was done before, and compare accuracies.

    Parameters
    ----------
    trial
        The data, and the images to judge by.
    cells
        The selections, as `cells_of` lists them.
    base
        Options that all selections share.
    recipe
        How to train a network; None for a linear probe.
    listener
        Hears progress and notices.
    told
        Whether it was told how long it takes.
    """
    own, judged = trial.own, trial.judged
    ledger = _ledger(trial, base, recipe)
    missing = [cell for cell in cells if cell not in ledger.results]
    if missing and not told:
        trial.tell(missing, recipe, listener)
    check_comparable(own.labels[own.readable], held_out=judged is None)
    suspects, weights = _suspects(own, listener), None
    if judged is None:
        tell_of_doubted(suspects, own, listener)
        if recipe is None and any(store.manifest.spec.backbone == FITTED for store in own.stores):
            listener.notice(Notice("seen"))
        weights = believed(suspects)
    if missing:
        for one in filter(None, (own, judged)):
            one.sets[0].check()
        counted = Steps(len(missing), recipe, listener, keeps=bool(own.stores))
        learner = _learner(own, judged, recipe, counted.count, listener)
        found = judge(own, missing, learner, base, test=_set_of(judged), believed=weights)
        with counted.told():
            for cell, result in found:
                ledger.add(cell, result)
                counted.finish_cell()
    results = {cell: ledger.results[cell] for cell in cells}
    accuracy = noise_estimate(suspects).accuracy
    seeds = len({cell.seed for cell in cells})
    return Comparison(
        results, base, judged is None, _about(trial, recipe, seeds, accuracy, listener)
    )


def _ledger(trial: Trial, base: Choice, recipe: Recipe | None) -> Ledger:
    """Open the results of earlier comparisons in the same way."""
    own, judged, plain = trial.own, trial.judged, Choice(ratio=1)
    labels = "" if own.dataset is None else own.dataset.corrections_key
    store = own.stores[0] if own.stores else None  # results by arrays are not kept
    context = {
        # The set on disk may be replaced meanwhile.
        "data": None if store is None else store.manifest.sums,
        "with": "probe" if recipe is None else recipe.changes,
        "test": None if judged is None else judged.stores[0].manifest.sums,
        **{name: getattr(base, name) for name in SHARED},
        **{
            name: getattr(base, name)
            for name in IF_SET
            if getattr(base, name) != getattr(plain, name)
        },
        **({"labels": "weighted"} if judged is None else {}),
        **({"corrected": labels} if labels else {}),
    }
    if base.criterion is not None and CRITERIA[base.criterion].seeded:
        context["scored"] = "by pool"  # earlier versions scored all pools with one seed
    test = "/".join(trial.test.rstrip("/").split("/")[-2:])
    return Ledger(None if store is None else store.folder / EVALUATIONS, context, test)


def _about(
    trial: Trial, recipe: Recipe | None, seeds: int, accuracy: float, listener: Listener
) -> About:
    own, judged = trial.own, trial.judged
    backbone = f" on features of {own.stores[0].manifest.spec.backbone}" if own.stores else ""
    doubted = 0
    if judged is not None and len(np.unique(judged.labels[judged.readable])) > 1:
        noise = noise_estimate(_suspects(judged, listener))
        # Where a head hardly knows the classes, hard images look like wrong labels.
        doubted = round(noise.rate * noise.images) if np.isnan(noise.accuracy) else 0
    data = trial.inputs.data
    return About(
        "the data" if data is None else name_of(data),
        int(np.count_nonzero(own.readable)),
        len(np.unique(own.labels[own.readable])),
        f"a linear probe{backbone}" if recipe is None else described(recipe.changes),
        seeds,
        trial.test,
        0 if judged is None else int(np.count_nonzero(judged.readable)),
        doubted,
        spelled(trial.inputs),
        accuracy,
        not math.isnan(accuracy) and own.fit_may_help,
    )


def _check_apart(data: str, test: str) -> None:
    """Refuse a test set that is the data itself: accuracies would be of images trained on.

    Raises
    ------
    DatasetError
        If both are the same folder or file.
    """
    try:
        same = os.path.samefile(data, test)
    except OSError:  # a URL, or missing, which is told later
        same = data == test
    if same:
        raise DatasetError(f"{test}: is also DATA; pass a test set that is not trained on")


class _Test:
    """The test set; its classes get the numbers that they have in the data."""

    def __init__(self, data: Data, inputs: Inputs, listener: Listener) -> None:
        store = inputs.embedding.store
        embedding = replace(inputs.embedding, store=store and f"{os.fspath(store)}-test")
        self._inputs = replace(inputs, data=data, labels=None, embedding=embedding)
        self._data, self._name, self._listener = data, name_of(data), listener

    def check(self, classes: Sequence[str]) -> None:
        """Refuse a test set with other classes before anything is embedded."""
        if "://" in self._name:  # a remote one is listed only once
            return
        folder = self._inputs.embedding.store
        dataset = listed(self._data, folder)
        store = store_folder(dataset.home, folder)
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
            near = resembling(unknown[0], known, {})
            guess = f" (did you mean {clipped(near[0])}?)" if near else ""
            raise DatasetError(
                f"{self._name}: test class {clipped(unknown[0])!r} does not occur in DATA{guess};"
                " pass the matching test set"
            )


class _Unlisted(Recorder):
    """Passes on everything but the listing of a dataset, which was passed on before."""

    def listed(self, dataset: Dataset, *, name: str, store: Path, clustered: bool = False) -> None:
        """Do nothing."""


def _suspects(source: Source, listener: Listener) -> Suspects:
    with listener.progress("suspects", unit="step", delay=PATIENCE) as move:
        return source.sets[0].suspects(on_progress=move)


def _learner(
    own: Source,
    judged: Source | None,
    recipe: Recipe | None,
    on_step: Callable[[], object],
    listener: Listener,
) -> Learner:
    if recipe is None:
        return ProbeLearner(own.sets[0], _set_of(judged))
    # torch takes seconds to load; a linear probe does not need it.
    with listener.progress("loading torch"):
        from moderate_cli.evaluation.training import Pictures, TrainLearner, read_pictures

    def pictures(one: Source) -> Pictures:
        assert one.dataset is not None
        features, most = one.sets[0], one.stores[0].manifest.max_pixels
        with listener.progress("read") as move:
            return read_pictures(
                one.dataset, features.labels, features.readable, recipe, most, move
            )

    test = None if judged is None else pictures(judged)
    return TrainLearner(pictures(own), test, recipe, on_step)


def _set_of(source: Source | None) -> LabeledFeatures | None:
    return None if source is None else source.sets[0]
