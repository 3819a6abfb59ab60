"""Train the networks of all folds, and make their features comparable."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
import torch

from moderate_cli.arrays import Floats, Rows
from moderate_cli.fitting.dynamics import at_same_ranks
from moderate_cli.fitting.examples import Examples, folds_of
from moderate_cli.fitting.learner import PARTS, Learner, Learnt, Save, Training, batch_size
from moderate_cli.networks.fitted import Fitted, as_keys
from moderate_cli.training.placing import placed

WARM_UP, TIMED = 2, 8  # timings
PATIENCE = 5.0  # seconds, after which there is no other
GPU_BATCHES = 8  # of a timing: there a batch takes milliseconds, and the first ones load code

P = ParamSpec("P")
Result = TypeVar("Result")


class Outcome(NamedTuple):
    """The networks of all folds.

    Attributes
    ----------
    fitted
        The networks.
    right, judged
        Number of held-out images for which they are right, and of all of them.
    scores
        float32 (4, n), those of `moderate_cli.store.recorded.NAMES` of each example: means over
        the networks that were trained on it.
    """

    fitted: Fitted
    right: int
    judged: int
    scores: Floats


def _with_own_random_numbers(work: Callable[P, Result]) -> Callable[P, Result]:
    """Leave torch's random state to the caller as it was."""

    @functools.wraps(work)
    def apart(*args: P.args, **kwargs: P.kwargs) -> Result:
        with torch.random.fork_rng():
            return work(*args, **kwargs)

    return apart


@_with_own_random_numbers
def learn(
    training: Training,
    examples: Examples,
    before: Fitted | None,
    state: dict[str, Any] | None,
    save: Save,
    move: Callable[[int, int], None],
) -> Outcome:
    """Train the network of each fold.

    Parameters
    ----------
    training
        How to train.
    examples
        The images.
    before
        Networks to go on from; images that they were trained on stay in their folds.
    state
        State that an interrupted process saved; None to begin.
    save
        Called with the state after each epoch.
    move
        Called with the number of images seen, and of all.

    Raises
    ------
    TrainingError
        If a network knows nothing in the end.
    """
    parts = PARTS if training.folds == 1 else training.folds
    folds = folds_of(examples, parts, training.seed, before)
    sizes = np.bincount(folds, minlength=parts)[: training.folds]
    if before is not None and (sizes.max() == len(folds) or not sizes[0]):
        # A fold is everything, or the only one is empty: the older networks have seen all images.
        before, folds = None, folds_of(examples, parts, training.seed)
    examples = examples._replace(inputs=placed(examples.inputs, training.device))
    learner = Learner(training, examples, before, move)
    done: list[Learnt] = [Learnt(*one) for one in state["done"]] if state else []
    current = state["current"] if state else None
    learner.seen = state["seen"] if state else 0
    for fold in range(len(done), training.folds):
        held, rows = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)

        def keep(inside: dict[str, Any]) -> None:
            save({
                "epochs": training.epochs, "done": [tuple(one) for one in done],
                "current": inside, "seen": learner.seen,
            })  # fmt: skip

        done.append(learner.learn(fold, rows, held, current, keep))
        current = None
    tails = [one.tail for one in done]
    turns, shifts = learner.alignments(tails)
    keys = as_keys(examples.digests)
    _, firsts = np.unique(keys, return_index=True)
    fitted = Fitted(
        training.network, examples.classes, training.size, tuple(tails), turns, shifts,
        examples.digests[firsts], folds[firsts],
    )  # fmt: skip
    return Outcome(
        fitted,
        sum(one.right for one in done),
        sum(one.judged for one in done),
        _mean_scores([one.scores.numpy() for one in done], folds),
    )


def _mean_scores(scores: list[Floats], folds: Rows) -> Floats:
    """Average the scores of each image, (4, n), over the networks that were trained on it."""
    if len(scores) == 1:
        return np.stack([at_same_ranks(one, folds == 0) for one in scores[0]])
    seen = [np.where(folds == fold, 0, one) for fold, one in enumerate(scores)]
    total: Floats = np.sum(seen, axis=0)
    return total / np.float32(len(scores) - 1)


@_with_own_random_numbers
def seconds_per_image(training: Training, examples: Examples, images: int) -> float:
    """Train a few batches of examples, as large as those of so many images; time an image.

    The time is the least of several, which other programs disturb least.
    """
    device, n = training.device, len(examples.members)
    batches = 1 if device.type == "cpu" else GPU_BATCHES
    examples = examples._replace(inputs=placed(examples.inputs, device))
    learner = Learner(training, examples, None, lambda *_: None)
    size = batch_size(training, images)
    tail, descent = learner.begin(0, batches * (WARM_UP + TIMED), size)
    rows, moments = torch.arange(size, device=examples.inputs.device), [_moment(device)]
    for timing in range(WARM_UP + TIMED):
        for step in range(batches * timing, batches * (timing + 1)):
            learner.step(tail, descent, (step * size + rows) % n)
        moments.append(_moment(device))
        if moments[-1] - moments[0] > PATIENCE:
            break
    taken = np.diff(moments)
    return float(min(taken[WARM_UP:], default=taken[-1])) / (batches * size)


def _moment(device: torch.device) -> float:
    """Return the time at which a device has done its work."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter()
