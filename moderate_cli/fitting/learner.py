"""Train the network of one fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from moderate_cli.arrays import Floats, Rows, blocks
from moderate_cli.errors import TrainingError
from moderate_cli.fitting.alignment import align
from moderate_cli.fitting.dynamics import Dynamics
from moderate_cli.fitting.examples import Examples
from moderate_cli.networks.checkpoints import StateDict
from moderate_cli.networks.classifiers import drop_head, find_head
from moderate_cli.networks.devices import order_of
from moderate_cli.networks.fitted import Fitted, Parts, parts_of
from moderate_cli.networks.table import SMALL_NETWORKS
from moderate_cli.training.descent import Descent, computes_in_half, moved

BATCH, LEAST_BATCH = 128, 16
WIDE, MANY, TINY = 256, 10_000, 32  # batch on a GPU, of so many images of so few pixels a side
SMOOTHING, SHIFT = 0.1, 8
# From random weights, and from trained ones.
RATES, DECAYS = (0.2, 0.02), (1e-3, 1e-4)
PARTS = 10  # of the images; a single network is trained without one of them
JUDGED = 2000  # held-out images that choose the best epoch
COMPARED = 20_000  # images by which features of folds are made comparable
SEEN_AT_ONCE = 512  # images that a network only looks at
SAME = 1e-4  # range of a feature, as a share of the largest one, that is a rounding error

Save = Callable[[dict[str, Any]], None]


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

    def work(self, n: int) -> float:
        """Count them with those that are only looked at, which take a third.

        That is after each epoch, and at the end, to judge and to compare the folds.
        """
        held = -(-n // PARTS) if self.folds == 1 else n // self.folds
        watched, compared = (held, 0) if self.folds == 1 else (0, min(n, COMPARED))
        looked_at = self.epochs * (min(held, JUDGED) + watched) + held + compared
        return self.images(n) + self.folds * looked_at / 3


class Learnt(NamedTuple):
    """The network of a fold.

    Attributes
    ----------
    tail
        Its weights.
    right, judged
        Number of held-out images with the right class, and of all of them.
    scores
        `Dynamics.scores` of its training.
    """

    tail: StateDict
    right: int
    judged: int
    scores: torch.Tensor


class Learner:
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
        # On the device once, so that no step waits for them; the images, too, if they fit.
        self._members = torch.from_numpy(examples.members).to(training.device)
        self._half = computes_in_half(training.device, training.size)
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
        training, batch = self._training, batch_size(self._training, len(rows))
        steps = max(1, len(rows) // batch)
        torch.manual_seed(_seed(training.seed, fold, 0))
        tail, descent = self.begin(fold, training.epochs * steps, batch)
        first, best = 0, -1
        kept: StateDict = tail.state_dict()
        dynamics = Dynamics(len(rows) + len(held), training.epochs, training.device)
        if state is not None:
            tail.load_state_dict(state["tail"])
            descent.load(state["descent"])
            first, best, kept = state["epoch"], state["best"], state["kept"]
            dynamics.sums.copy_(state["sums"])
        few = held[:: max(1, len(held) // JUDGED)]
        shown, hidden = self._beside_images(rows), self._beside_images(held)
        for epoch in range(first, training.epochs):
            torch.manual_seed(_seed(training.seed, fold, epoch + 1))
            self._ready(tail)
            order = shown[torch.randperm(len(rows), device=shown.device)]
            order, left_out = order[: steps * batch], order[steps * batch :]
            for at, part in enumerate(torch.split(order, batch), 1):
                self._record(dynamics, epoch, part, self.step(tail, descent, part))
                self.seen += len(part) + (len(left_out) if at == steps else 0)
                self._move(self.seen, self._all)
            # No other network sees the images that a single one is trained without.
            unseen = [left_out, hidden] if training.folds == 1 else [left_out]
            self._watch(tail, dynamics, epoch, torch.cat(unseen))
            right = self._right(tail, few)
            if right >= best:  # without held-out images, the last one
                best, kept = right, _copied(tail.state_dict(), training.device)
            save({
                "epoch": epoch + 1, "best": best, "kept": kept,
                "tail": tail.state_dict(), "descent": descent.state(), "sums": dynamics.sums,
            })  # fmt: skip
        tail.load_state_dict(kept)
        weights = _copied(kept, torch.device("cpu"))
        return Learnt(weights, self._right(tail, held), len(held), dynamics.scores())

    def begin(self, fold: int, steps: int, batch: int) -> tuple[nn.Module, Descent]:
        """Build the tail of a fold, and what fits it in so many steps of such batches."""
        tail = self._parts().tail
        if self._before is not None:
            tail.load_state_dict(self._before.tails[fold])
        tail = tail.to(self._training.device).to(memory_format=order_of(self._training.device))
        rate, decay = (one[self._pretrained] for one in (RATES, DECAYS))
        rate *= max(1, batch / BATCH)
        descent = Descent(tail, rate, steps, decay=decay, smoothing=SMOOTHING)
        self._ready(tail)
        find_head(tail)[1].register_forward_pre_hook(self._measure)
        return tail, descent

    def step(self, tail: nn.Module, descent: Descent, rows: torch.Tensor) -> torch.Tensor:
        """Train on one batch; return the outputs before, (b, classes)."""
        inputs, (count, where) = self._examples.inputs[rows], (len(rows), rows.device)
        if self._through_stem:
            sides = torch.randint(0, 2, (count,), device=where)
            inputs = inputs[torch.arange(count, device=where), sides]
        else:
            inputs = moved(inputs, SHIFT)
        logits = self._run(tail, inputs)
        descent.step(logits, self._members_of(rows))
        return logits.detach()

    def _watch(self, tail: nn.Module, dynamics: Dynamics, epoch: int, rows: torch.Tensor) -> None:
        """Record images that the network does not learn in this epoch."""
        tail.eval()
        with torch.inference_mode():
            for part in blocks(len(rows), SEEN_AT_ONCE):
                (inputs,) = self._plain(rows[part])
                self._record(dynamics, epoch, rows[part], self._run(tail, inputs))

    def _record(
        self, dynamics: Dynamics, epoch: int, rows: torch.Tensor, logits: torch.Tensor
    ) -> None:
        dynamics.record(epoch, rows, logits, self._members_of(rows), self._lengths)

    def _members_of(self, rows: torch.Tensor) -> torch.Tensor:
        return self._members[rows.to(self._members.device)]

    def _beside_images(self, rows: Rows) -> torch.Tensor:
        """Put row numbers where the images are: others would be copied for each batch."""
        return torch.from_numpy(rows).to(self._examples.inputs.device)

    def _measure(self, head: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        """Keep the lengths of the inputs of the head, with a 1 for its bias."""
        points = inputs[0].detach().float()
        if points.ndim > 2:  # of a convolution, which is averaged over the picture
            points = points.mean(dim=(2, 3))
        bias = 0 if head.bias is None else 1
        self._lengths = (points.square().sum(dim=1) + bias).sqrt()

    def alignments(self, tails: list[StateDict]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what makes the features of each fold comparable with those of the first.

        Raises
        ------
        TrainingError
            If a network knows nothing: a training may end in zeros, or in NaN.
        """
        n, most = len(self._examples.members), COMPARED if len(tails) > 1 else SEEN_AT_ONCE
        few = np.arange(0, n, max(1, -(-n // most)))
        reference = self._features(tails[0], few)
        dim = reference.shape[1]
        others = [align(self._features(state, few), reference) for state in tails[1:]]
        turns, shifts = zip((np.eye(dim), np.zeros(dim)), *others, strict=True)
        return tuple(  # type: ignore[return-value]
            torch.from_numpy(np.stack(one).astype(np.float32)) for one in (turns, shifts)
        )

    def _features(self, state: StateDict, rows: Rows) -> Floats:
        """Compute the input of the head, and refuse it if it is the same for all images."""
        tail = self._parts().tail
        tail.load_state_dict(state)
        drop_head(tail)
        features = self._outputs(tail.to(self._training.device).eval(), rows)
        fault = "features that are not finite"
        if np.isfinite(features).all():
            if np.ptp(features, axis=0).max() > SAME * np.abs(features).max():
                return features
            fault = "the same features for all images"
        raise TrainingError(
            f"{self._training.network}: has {fault} after this training, so it is not kept; check"
            " the labels, or run `moderate fit` with another --seed or --network"
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
        tail = tail.to(memory_format=order_of(self._training.device))
        with torch.inference_mode():
            found = [self._run(tail, inputs) for inputs in self._plain(self._beside_images(rows))]
        outputs: Floats = torch.cat(found).cpu().numpy()
        return outputs

    def _plain(self, rows: torch.Tensor) -> Iterator[torch.Tensor]:
        for part in blocks(len(rows), SEEN_AT_ONCE):
            inputs = self._examples.inputs[rows[part]]
            yield inputs[:, 0] if self._through_stem else inputs

    def _run(self, tail: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
        """Return the outputs of a batch, float32 (b, d)."""
        device = self._training.device
        inputs = inputs.to(device, non_blocking=device.type == "cuda").float()
        if not self._through_stem:
            inputs = (inputs - self._mean) / self._std
        inputs = inputs.to(memory_format=order_of(device))
        with torch.autocast(device.type, torch.bfloat16, enabled=self._half):
            outputs: torch.Tensor = tail(inputs)
        return outputs.float()


def batch_size(training: Training, images: int) -> int:
    """Return the number of images in a batch: smaller for few, so that there are some steps.

    With a small network a GPU ends a step before the program has started the next one. On 36,000
    images of CIFAR-100, in 12 epochs, batches of 256 learn as much as those of 128, 512 learn less.
    """
    small = training.network in SMALL_NETWORKS and training.size <= TINY
    if training.device.type == "cuda" and small and images >= MANY:
        return WIDE
    return min(images, BATCH, max(LEAST_BATCH, images // LEAST_BATCH))


def _copied(state: StateDict, device: torch.device) -> StateDict:
    return {name: value.detach().to(device, copy=True) for name, value in state.items()}


def _seed(seed: int, fold: int, epoch: int) -> int:
    """Return a seed of torch for an epoch, so that it does not matter where training resumes."""
    return int(np.random.SeedSequence([seed, fold, epoch]).generate_state(1, np.uint64)[0])
