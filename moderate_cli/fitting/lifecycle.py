"""The network of a dataset: it is found; or it is trained, continued after a kill, and written."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from moderate_cli.dataset import Dataset
from moderate_cli.dataset.fingerprints import content_digest
from moderate_cli.embedding import EmbedOptions, bring_up_to_date
from moderate_cli.embedding.request import Request
from moderate_cli.errors import DatasetError, StoreError, WeightsError
from moderate_cli.files.atomic import new_folder
from moderate_cli.files.locks import lock, lock_if_free
from moderate_cli.fitting.facts import (
    FACTS,
    FOLDER,
    NETWORK,
    Fit,
    find_fit,
    fingerprint,
    fit_folder,
    may_go_on,
    write_facts,
)
from moderate_cli.fitting.options import FitOptions
from moderate_cli.listening import SILENT, Listener
from moderate_cli.networks.table import DEFAULT_BACKBONE
from moderate_cli.notices import Notice
from moderate_cli.scoring.ridge import Ridge, accuracy

if TYPE_CHECKING:
    from moderate_cli.fitting.examples import Examples
    from moderate_cli.fitting.learning import Training
    from moderate_cli.networks.fitted import Fitted

STATE, LOCK = "fitted.partial.pt", "fitted.lock"
AGAIN = 3  # a network that goes on from an older one takes 1/AGAIN of the epochs
SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")
STRENGTHS = tuple((10.0 ** np.arange(-3, 0.5, 0.5)).tolist())  # of the linear head


class FitEstimate(NamedTuple):
    """What a training would take.

    Attributes
    ----------
    network, size, folds, epochs
        As in `Fit`.
    images
        Number of images to train on.
    rate
        Images per second.
    seconds
        Time of the training; reading images is not included.
    """

    network: str
    size: int
    folds: int
    epochs: int
    images: int
    rate: float
    seconds: float


def fit_network(
    dataset: Dataset, how: FitOptions, options: EmbedOptions, listener: Listener = SILENT
) -> Fit:
    """Train a network on a dataset, unless it is up to date; continue an interrupted training.

    A network of older images is trained further on those of now.

    Parameters
    ----------
    dataset
        The images.
    how
        How to train.
    options
        Where the store is, how images are read, and the device.
    listener
        Hears progress and notices.

    Raises
    ------
    ModerateError
        If the store cannot be written, no image can be read, there is only one class, weights are
        not available, or the device fails.
    """
    found = find_fit(dataset, options.store, how)
    if found is not None and found[1]:
        _remove_state(fit_folder(dataset, options.store).parent)
        return found[0]
    _check_own(fit_folder(dataset, options.store))
    if len(np.unique(dataset.labels)) < 2:
        raise DatasetError(f"{dataset.root}: has 1 class with readable images; a network needs two")
    # Its features are those of a command without options, so that they are computed once.
    plain = replace(
        options, backbone=DEFAULT_BACKBONE, weights=None, precision="float32", dtype="float16",
        decode="full",
    )  # fmt: skip
    store = Request.of(dataset, plain).folder.parent  # refuses a store that overlaps the dataset
    pretrained = _accuracy_of_pretrained(dataset, plain, listener)
    with _locked(store, listener):
        found = find_fit(dataset, options.store, how)  # another process may have trained it
        if found is not None and found[1]:
            return found[0]
        return _trained(dataset, how, options, store, pretrained, listener)


def _remove_state(store: Path) -> None:
    """Remove the state of a training that is no longer needed, unless it is under way."""
    if (store / STATE).exists():
        with lock_if_free(store / LOCK) as free:
            if free:
                (store / STATE).unlink(missing_ok=True)


def measure_fit(
    dataset: Dataset, how: FitOptions, options: EmbedOptions, listener: Listener = SILENT
) -> FitEstimate:
    """Estimate the time of `fit_network` from a few batches; write nothing.

    Raises
    ------
    ModerateError
        As of `fit_network`.
    """
    from moderate_cli.fitting.learning import seconds_per_image
    from moderate_cli.networks.devices import explained

    with explained("use a smaller --network"):
        training, examples = _prepared(dataset, how, options, listener)
        each = seconds_per_image(training, examples)
        training = _within(training, examples, how.minutes, each)
    return FitEstimate(
        training.network, training.size, training.folds, training.epochs, len(examples.members),
        1 / each, each * training.images(len(examples.members)),
    )  # fmt: skip


def _trained(
    dataset: Dataset,
    how: FitOptions,
    options: EmbedOptions,
    store: Path,
    pretrained: float,
    listener: Listener,
) -> Fit:
    # torch takes seconds to load, so it is loaded only if there is something to train.
    from moderate_cli.fitting.checkpoint import Checkpoint
    from moderate_cli.fitting.learning import learn
    from moderate_cli.networks.devices import explained
    from moderate_cli.networks.fitted import write_fitted

    folder, data = store / FOLDER, fingerprint(dataset)
    with explained("use a smaller --network"):
        training, examples = _prepared(dataset, how, options, listener)
        before = None
        if may_go_on(dataset, options.store, how):
            before = _before(folder / NETWORK, training, examples)
        key = content_digest(repr((how, training, examples.identity)).encode()).hex()
        checkpoint = Checkpoint(store / STATE, key)
        state = checkpoint.read()
        training = _lasting(training, examples, how, before, state)
        with listener.progress("fit") as move:
            fitted, right, judged = learn(training, examples, before, state, checkpoint.write, move)
    fit = Fit(
        folder / NETWORK, training.network, training.size, training.folds, training.epochs,
        len(examples.members), examples.classes, judged, right / judged, pretrained,
    )  # fmt: skip
    with new_folder(folder, may_replace=_check_own) as fresh:
        write_fitted(fresh / NETWORK, fitted)
        write_facts(fresh / FACTS, dataset, data, fit, how)
    checkpoint.remove()
    return fit


def _prepared(
    dataset: Dataset, how: FitOptions, options: EmbedOptions, listener: Listener
) -> tuple[Training, Examples]:
    """Choose the network, and read the images."""
    from moderate_cli.fitting.examples import read_examples
    from moderate_cli.fitting.learning import Training
    from moderate_cli.fitting.plan import choose_network, default_epochs, default_folds
    from moderate_cli.networks.backbones import find_device
    from moderate_cli.networks.fitted import parts_of

    device = find_device(options.device)
    network, size = choose_network(dataset, how.network, device.type)
    parts = parts_of(network, len(dataset.classes), size)
    with listener.progress("read") as move:
        examples = read_examples(dataset, parts, options.max_pixels, how.seed, move)
    images = len(examples.members)
    if images < len(dataset):
        listener.notice(Notice("fitted to some", images, len(dataset)))
    epochs = how.epochs or default_epochs(network, images)
    folds = how.folds or default_folds(network)
    crop = parts.preprocessing.crop
    return Training(network, crop, folds, epochs, how.seed, device), examples


def _lasting(
    training: Training,
    examples: Examples,
    how: FitOptions,
    before: Fitted | None,
    state: dict[str, Any] | None,
) -> Training:
    """Set the number of epochs: that of an interrupted training, or one that keeps to the time."""
    from moderate_cli.fitting.learning import seconds_per_image

    if state is not None:
        return training._replace(epochs=state["epochs"])
    if how.epochs is None and before is not None:
        training = training._replace(epochs=-(-training.epochs // AGAIN))
    if how.minutes is None:
        return training
    return _within(training, examples, how.minutes, seconds_per_image(training, examples))


def _within(training: Training, examples: Examples, minutes: float | None, each: float) -> Training:
    """Train as many epochs as a time allows, at least one."""
    if minutes is None:
        return training
    one = each * training._replace(epochs=1).images(len(examples.members))
    return training._replace(epochs=int(np.clip(60 * minutes / one, 1, training.epochs)))


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


def _accuracy_of_pretrained(dataset: Dataset, plain: EmbedOptions, listener: Listener) -> float:
    """Return the leave-one-out accuracy of a linear head on features of the default backbone."""
    store = bring_up_to_date(dataset, plain, listener=listener)
    assert store is not None
    store.check_features()
    rows = np.flatnonzero(store.readable)
    labels, members = np.unique(store.labels[rows], return_inverse=True)
    if len(labels) < 2:
        return math.nan
    ridge = Ridge(store.features, rows, members, len(labels), STRENGTHS)
    return accuracy(ridge.held_out(slice(0, len(rows))), members)


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
    foreign = names - {NETWORK, FACTS, *SYSTEM_FILES}
    if foreign or (NETWORK in names and FACTS not in names and not _is_network(folder / NETWORK)):
        raise StoreError(f"{folder}: is not a network of `moderate fit`; move it away")


def _is_network(path: Path) -> bool:
    from moderate_cli.networks.fitted import read_fitted

    try:
        read_fitted(path)
    except WeightsError:
        return False
    return True
