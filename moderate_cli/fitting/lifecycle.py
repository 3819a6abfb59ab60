"""The network of a dataset: it is found; or it is trained, continued after a kill, and written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moderate_cli.arrays import Floats
from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.embedding import EmbedOptions
from moderate_cli.embedding.engines.helper import Helper
from moderate_cli.embedding.engines.hiring import early_helper
from moderate_cli.embedding.freshness import open_fresh
from moderate_cli.embedding.request import Request
from moderate_cli.errors import DatasetError, StoreError, TrainingError, WeightsError
from moderate_cli.files.atomic import new_folder
from moderate_cli.files.locks import lock, lock_if_free
from moderate_cli.fitting.comparing import accuracy_of_head, compare, default_features
from moderate_cli.fitting.facts import (
    FACTS,
    FORMAT,
    NETWORK,
    Fit,
    confirmed,
    find_fit,
    fingerprint,
    fit_folder,
    may_go_on,
    write_facts,
)
from moderate_cli.fitting.options import FitOptions
from moderate_cli.fitting.preparing import (
    SAMPLE,
    Plan,
    measured,
    or_as_before,
    plain,
    planned,
    read,
    within,
)
from moderate_cli.fitting.telling import begins, interruption_told, resumes
from moderate_cli.listening import SILENT, Listener
from moderate_cli.networks.table import weights_digest
from moderate_cli.notices import Notice
from moderate_cli.store.feature_store import FeatureStore
from moderate_cli.store.recorded import FOLDER, RECORDED, encoded

if TYPE_CHECKING:
    from moderate_cli.fitting.examples import Examples
    from moderate_cli.fitting.learner import Training
    from moderate_cli.networks.fitted import Fitted

STATE, LOCK = "fitted.partial.pt", "fitted.lock"
SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")


def fit_network(
    dataset: Dataset,
    how: FitOptions,
    options: EmbedOptions,
    listener: Listener = SILENT,
    *,
    compared: bool = True,
) -> Fit:
    """Train a network on a dataset, unless it is up to date; continue an interrupted training.

    A network of older images or labels is trained further on those of now.

    Parameters
    ----------
    dataset
        The images, with corrected labels if there are any.
    how
        How to train.
    options
        Where the store is, how images are read, and the device.
    listener
        Hears progress and notices.
    compared
        Whether to compare it with the default features, also if they must be computed for that.

    Raises
    ------
    ModerateError
        If the store cannot be written, no image can be read, there is only one class, weights are
        not available, the device fails, or the trained network knows nothing.
    """
    fit = _found_or_trained(dataset, how, options, listener, compared=compared)
    return compare(dataset, fit, options, listener) if compared else fit


def _found_or_trained(
    dataset: Dataset, how: FitOptions, options: EmbedOptions, listener: Listener, *, compared: bool
) -> Fit:
    found = find_fit(dataset, options.store, how)
    if found is not None and found[1]:
        _remove_state(fit_folder(dataset, options.store).parent)
        return found[0]
    how = how if found is None else or_as_before(dataset, how, options.store)
    _check_own(fit_folder(dataset, options.store))
    if len(np.unique(dataset.as_corrected().labels)) < 2:
        raise DatasetError(f"{dataset.root}: has 1 class with readable images; a network needs two")
    request, features = _default_features(dataset, options, listener, needed=compared)
    with _locked(request.folder.parent, listener):
        found = find_fit(dataset, options.store, how)  # another process may have trained it
        if found is not None and found[1]:
            return found[0]
        same = None if found is None or features is None else confirmed(dataset, features, how)
        if same is not None:
            return same
        with early_helper(request) as one:
            return _trained(request, how, options, features, one, listener)


def _default_features(
    dataset: Dataset, options: EmbedOptions, listener: Listener, *, needed: bool
) -> tuple[Request, FeatureStore | None]:
    """Return the request for the default features, and these, if they are needed or there."""
    ours = plain(options)
    if not needed:
        request = Request.of(dataset, ours)
        return request, open_fresh(request, request.folder)
    features = default_features(dataset, options, listener)
    return Request(dataset, features.stats, ours, ours.spec, features.folder), features


def _remove_state(store: Path) -> None:
    """Remove the state of a training that is no longer needed, unless it is under way."""
    if (store / STATE).exists():
        with lock_if_free(store / LOCK) as free:
            if free:
                (store / STATE).unlink(missing_ok=True)


def _trained(
    request: Request,
    how: FitOptions,
    options: EmbedOptions,
    features: FeatureStore | None,
    helper: Helper | None,
    listener: Listener,
) -> Fit:
    # torch takes seconds to load, so it is loaded only if there is something to train.
    with listener.progress("loading torch"):
        from moderate_cli.fitting.checkpoint import Checkpoint
        from moderate_cli.fitting.learning import learn, seconds_per_image
        from moderate_cli.networks.devices import explained
        from moderate_cli.networks.fitted import write_fitted

    dataset, store = request.dataset, request.folder.parent
    folder, data = store / FOLDER, fingerprint(dataset, request.stats)
    pretrained = None if features is None else accuracy_of_head(features, dataset)
    with explained("use a smaller --network"):
        ours = dataset.as_corrected()
        plan = planned(ours, how, options)
        each = _told_early(ours, plan, how, options, listener)
        examples = read(ours, plan.rows, plan, options, listener, helper)
        images = len(examples.members)
        if images < len(ours):
            listener.notice(Notice("fitted to some", images, len(ours)))
        training, before = plan.training_on(images, how), None
        if may_go_on(dataset, options.store, how):
            before = _before(folder / NETWORK, training, examples)
        key = content_digest(repr((FORMAT, how, training, examples.identity)).encode()).hex()
        checkpoint = Checkpoint(store / STATE, key)
        state = checkpoint.read()
        told = each is not None
        if each is None:
            with listener.progress("measuring"):
                each = seconds_per_image(training, examples, images)
        training = _lasting(training, images, how, before, state, each)
        seconds = each * training.work(images)
        if state is not None:
            left = 1 - state["seen"] / training.images(images)
            listener.notice(resumes(training, state, left * seconds))
        elif not told:
            listener.notice(begins(training, images, how, seconds, goes_on=before is not None))
        with (
            interruption_told(training, state, checkpoint, listener) as save,
            listener.progress("fit") as move,
        ):
            try:
                done = learn(training, examples, before, state, save, move)
            except TrainingError:
                checkpoint.remove()  # a new run would end in the same way
                raise
    fit = Fit(
        folder / NETWORK, training.network, training.size, training.folds, training.epochs,
        len(examples.members), examples.classes, done.judged, done.right / done.judged, pretrained,
        dataset.corrections_key,
    )  # fmt: skip
    with new_folder(folder, may_replace=_check_own) as fresh:
        write_fitted(fresh / NETWORK, done.fitted)
        _write_scores(fresh, done.scores, examples)
        write_facts(fresh / FACTS, dataset, data, fit, how)
    checkpoint.remove()
    return fit


def _told_early(
    dataset: Dataset, plan: Plan, how: FitOptions, options: EmbedOptions, listener: Listener
) -> float | None:
    """Tell the time before many images are read; return the seconds to train on one."""
    images = len(plan.rows)
    if images <= SAMPLE:
        return None
    try:
        pace = measured(dataset, plan, how, options, listener)
    except DatasetError:  # a sample of one class, which all images need not be
        return None
    goes_on = may_go_on(dataset, options.store, how)
    training = within(plan.training, images, how, pace.each, goes_on=goes_on)
    seconds = pace.reading + pace.each * training.work(images)
    listener.notice(begins(training, images, how, seconds, goes_on=goes_on))
    return pace.each


def _write_scores(folder: Path, scores: Floats, examples: Examples) -> None:
    """Write the scores that were recorded, in the new folder of the network."""
    network = weights_digest(folder / NETWORK)
    content = encoded(scores, examples.digests, examples.members, examples.names, network)
    (folder / RECORDED).write_bytes(content)


def _lasting(
    training: Training,
    images: int,
    how: FitOptions,
    before: Fitted | None,
    state: dict[str, Any] | None,
    each: float,
) -> Training:
    """Set the number of epochs: that of an interrupted training, or one that keeps to the time."""
    if state is not None:
        return training._replace(epochs=state["epochs"])
    return within(training, images, how, each, goes_on=before is not None)


def _before(path: Path, training: Training, examples: Examples) -> Fitted | None:
    """Read the older network that the training can go on from, if there is one."""
    from moderate_cli.networks.fitted import read_fitted

    try:
        found = read_fitted(path)
    except WeightsError:
        return None
    same = (found.network, found.size, len(found.tails), found.classes)
    wanted = (training.network, training.size, training.folds, examples.classes)
    return found if same == wanted else None


@contextlib.contextmanager
def _locked(store: Path, listener: Listener) -> Iterator[None]:
    def waiting(holder: str) -> None:
        listener.notice(Notice("waiting", names=(holder,)))

    try:
        store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{store}: {error.strerror}; pass another --store DIR") from None
    with lock(store / LOCK, waiting):
        yield


def _check_own(folder: Path) -> None:
    """Refuse to replace a folder that contains other files than a network."""
    if not os.path.lexists(folder):
        return
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else {""}
    foreign = names - {NETWORK, FACTS, RECORDED, *SYSTEM_FILES}
    if foreign or (NETWORK in names and FACTS not in names and not _is_network(folder / NETWORK)):
        raise StoreError(f"{folder}: is not a network of `moderate fit`; move it away")


def _is_network(path: Path) -> bool:
    from moderate_cli.networks.fitted import read_fitted

    try:
        read_fitted(path)
    except WeightsError:
        return False
    return True
