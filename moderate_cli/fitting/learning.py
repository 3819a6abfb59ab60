"""Train the network of each fold, and make their features comparable."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
import torch
from torch import nn

from moderate_cli.arrays import Floats, Rows, blocks
from moderate_cli.fitting.alignment import align
from moderate_cli.fitting.examples import Examples, folds_of
from moderate_cli.networks.checkpoints import StateDict
from moderate_cli.networks.classifiers import drop_head
from moderate_cli.networks.fitted import Fitted, Parts, as_keys, parts_of
from moderate_cli.training.descent import Descent, computes_in_half, moved
from moderate_cli.training.placing import placed

BATCH, LEAST_BATCH = 128, 16
SMOOTHING, SHIFT = 0.1, 8
# From random weights, and from trained ones.
RATES, DECAYS = (0.2, 0.02), (1e-3, 1e-4)
PARTS = 10  # of the images; a single network is trained without one of them
JUDGED = 2000  # held-out images that choose the best epoch
COMPARED = 20_000  # images by which features of folds are made comparable
WARM_UP, TIMED = 2, 4  # batches

Save = Callable[[dict[str, Any]], None]
P = ParamSpec("P")
Result = TypeVar("Result")


class Training(NamedTuple):
    """How a network is trained.

    Attributes
    ----------
    network, size
        As in `parts_of`.
    folds, epochs
        Number of each.
    seed
        Random seed.
    device
        Where it is trained.
    """

    network: str
    size: int
    folds: int
    epochs: int
    seed: int
    device: torch.device

    def images(self, n: int) -> int:
        """Count what all networks see in all epochs, of n images."""
        return self.epochs * (n - -(-n // PARTS) if self.folds == 1 else (self.folds - 1) * n)


class Learnt(NamedTuple):
    """The network of a fold.

    Attributes
    ----------
    tail
        Its weights.
    right, judged
        Number of held-out images, and of those with the right class.
    """

    tail: StateDict
    right: int
    judged: int


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
) -> tuple[Fitted, int, int]:
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

    Returns
    -------
    fitted, right, judged
        The networks; for how many of the held-out images they are right; and how many these are.
    """
    parts = PARTS if training.folds == 1 else training.folds
    folds = folds_of(examples, parts, training.seed, before)
    sizes = np.bincount(folds, minlength=parts)[: training.folds]
    if before is not None and (sizes.max() == len(folds) or not sizes[0]):
        # A fold is everything, or the only one is empty: the older networks have seen all images.
        before, folds = None, folds_of(examples, parts, training.seed)
    examples = examples._replace(inputs=placed(examples.inputs, training.device))
    learner = _Learner(training, examples, before, move)
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
    turns, shifts = learner.alignments([one.tail for one in done])
    keys = as_keys(examples.digests)
    _, firsts = np.unique(keys, return_index=True)
    return (
        Fitted(
            training.network,
            examples.classes,
            training.size,
            tuple(one.tail for one in done),
            turns,
            shifts,
            examples.digests[firsts],
            folds[firsts],
        ),
        sum(one.right for one in done),
        sum(one.judged for one in done),
    )


@_with_own_random_numbers
def seconds_per_image(training: Training, examples: Examples) -> float:
    """Train a few batches, and return the time of an image."""
    learner = _Learner(training, examples, None, lambda *_: None)
    tail, descent = learner.begin(0, WARM_UP + TIMED)
    n = len(examples.members)
    size = _batch(n)
    for step in range(WARM_UP + TIMED):
        if step == WARM_UP:
            start = time.perf_counter()
        learner.step(tail, descent, torch.arange(step * size, (step + 1) * size) % n)
    if training.device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / (TIMED * size)


class _Learner:
    """Trains tails on the examples."""

    def __init__(
        self,
        training: Training,
        examples: Examples,
        before: Fitted | None,
        move: Callable[[int, int], None],
    ) -> None:
        self._training, self._examples, self._before = training, examples, before
        self._move = move
        self._members = torch.from_numpy(examples.members)
        self._half = computes_in_half(training.device)
        parts = self._parts()
        self._pretrained = parts.pretrained
        self._through_stem = not isinstance(parts.stem, nn.Identity)
        levels = parts.preprocessing
        self._mean, self._std = (
            torch.tensor(one, device=training.device).view(1, 3, 1, 1)
            for one in (levels.mean, levels.std)
        )
        self.seen, self._all = 0, training.images(len(examples.members))

    def learn(
        self,
        fold: int,
        rows: Rows,
        held: Rows,
        state: dict[str, Any] | None,
        save: Save,
    ) -> Learnt:
        """Train one tail on rows, and keep that of the epoch which is best on held-out ones."""
        training, batch = self._training, _batch(len(rows))
        steps = max(1, len(rows) // batch)
        torch.manual_seed(_seed(training.seed, fold, 0))
        tail, descent = self.begin(fold, training.epochs * steps)
        first, best = 0, -1
        kept: StateDict = tail.state_dict()
        if state is not None:
            tail.load_state_dict(state["tail"])
            descent.load(state["descent"])
            first, best, kept = state["epoch"], state["best"], state["kept"]
        few = held[:: max(1, len(held) // JUDGED)]
        for epoch in range(first, training.epochs):
            torch.manual_seed(_seed(training.seed, fold, epoch + 1))
            self._ready(tail)
            order = torch.from_numpy(rows)[torch.randperm(len(rows))]
            left_out = len(rows) - steps * batch
            for at, part in enumerate(torch.split(order[: steps * batch], batch), 1):
                self.step(tail, descent, part)
                self.seen += len(part) + (left_out if at == steps else 0)
                self._move(self.seen, self._all)
            right = self._right(tail, few)
            if right >= best:  # without held-out images, the last one
                best, kept = right, _copied(tail.state_dict())
            save({
                "epoch": epoch + 1, "best": best, "kept": kept,
                "tail": tail.state_dict(), "descent": descent.state(),
            })  # fmt: skip
        tail.load_state_dict(kept)
        return Learnt(_copied(kept), self._right(tail, held), len(held))

    def begin(self, fold: int, steps: int) -> tuple[nn.Module, Descent]:
        """Build the tail of a fold, and what fits it in so many steps."""
        tail = self._parts().tail
        if self._before is not None:
            tail.load_state_dict(self._before.tails[fold])
        tail = tail.to(self._training.device).to(memory_format=torch.channels_last)
        rate, decay = (one[self._pretrained] for one in (RATES, DECAYS))
        descent = Descent(tail, rate, steps, decay=decay, smoothing=SMOOTHING)
        self._ready(tail)
        return tail, descent

    def step(self, tail: nn.Module, descent: Descent, rows: torch.Tensor) -> None:
        """Train on one batch."""
        inputs = self._examples.inputs[rows]
        if self._through_stem:
            inputs = inputs[torch.arange(len(rows)), torch.randint(0, 2, (len(rows),))]
        else:
            inputs = moved(inputs, SHIFT)
        logits = self._run(tail, inputs)
        descent.step(logits, self._members[rows].to(self._training.device))

    def alignments(self, tails: list[StateDict]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what makes the features of each fold comparable with those of the first."""
        n = len(self._examples.members)
        few = np.arange(0, n, max(1, -(-n // COMPARED)))
        found, reference = [], None
        for state in tails:
            tail = self._parts().tail
            tail.load_state_dict(state)
            drop_head(tail)
            features = self._outputs(tail.to(self._training.device).eval(), few)
            reference = features if reference is None else reference
            found.append(align(features, reference))
        turns, shifts = zip(*found, strict=True)
        return tuple(  # type: ignore[return-value]
            torch.from_numpy(np.stack(one).astype(np.float32)) for one in (turns, shifts)
        )

    def _parts(self) -> Parts:
        return parts_of(self._training.network, self._examples.classes, self._training.size)

    def _ready(self, tail: nn.Module) -> None:
        """Train all layers; statistics of batches are learnt only from random weights."""
        tail.train()
        if self._pretrained:
            for layer in tail.modules():
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    layer.eval()

    def _right(self, tail: nn.Module, rows: Rows) -> int:
        """Count the rows whose class has the highest output."""
        if not len(rows):
            return 0
        found = self._outputs(tail.eval(), rows).argmax(axis=1)
        return int(np.count_nonzero(found == self._examples.members[rows]))

    def _outputs(self, tail: nn.Module, rows: Rows) -> Floats:
        tail = tail.to(memory_format=torch.channels_last)
        with torch.inference_mode():
            found = [self._run(tail, inputs) for inputs in self._plain(rows)]
        outputs: Floats = torch.cat(found).cpu().numpy()
        return outputs

    def _plain(self, rows: Rows) -> Iterator[torch.Tensor]:
        for part in blocks(len(rows), 4 * BATCH):
            inputs = self._examples.inputs[torch.from_numpy(rows[part])]
            yield inputs[:, 0] if self._through_stem else inputs

    def _run(self, tail: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
        """Return the outputs of a batch, float32 (b, d)."""
        inputs = inputs.to(self._training.device, non_blocking=True).float()
        if not self._through_stem:
            inputs = (inputs - self._mean) / self._std
        inputs = inputs.to(memory_format=torch.channels_last)
        with torch.autocast(self._training.device.type, torch.bfloat16, enabled=self._half):
            outputs: torch.Tensor = tail(inputs)
        return outputs.float()


def _batch(images: int) -> int:
    """Return the number of images in a batch: smaller for few, so that there are some steps."""
    return min(images, BATCH, max(LEAST_BATCH, images // LEAST_BATCH))


def _copied(state: StateDict) -> StateDict:
    return {name: value.detach().cpu().clone() for name, value in state.items()}


def _seed(seed: int, fold: int, epoch: int) -> int:
    """Return a seed of torch for an epoch, so that it does not matter where training resumes."""
    return int(np.random.SeedSequence([seed, fold, epoch]).generate_state(1, np.uint64)[0])
