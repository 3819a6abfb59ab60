"""Cross-fitting: linear probes of which each is asked only about images that it has not seen."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from moderate_cli.arrays import Features, Floats, Mask, Rows
from moderate_cli.gpu import place_for
from moderate_cli.scoring.heads_on_gpu import HeadsOnGpu, InputsOnGpu
from moderate_cli.scoring.linear_head import BATCH, Inputs, SoftmaxLayer, random_batches
from moderate_cli.threads import in_threads

FOLDS = 3
LARGE = 1 << 25  # multiplications of a head for a batch that are worth a thread


class Batch(NamedTuple):
    """Images for one step of all heads.

    Attributes
    ----------
    positions
        int64 (b,), positions of its images, ascending.
    members
        int64 (b,), the class of each.
    inputs
        float32 (b, d + 1), scaled features and a column of ones; on a GPU, if it trains the heads.
    """

    positions: Rows
    members: Rows
    inputs: Any

    @property
    def lengths(self) -> Floats:
        """Length of each input, float32 (b,)."""
        if isinstance(self.inputs, np.ndarray):
            found: Floats = np.linalg.norm(self.inputs, axis=1)
            return found
        return np.asarray(self.inputs.norm(dim=1).cpu())


class CrossFittedHeads:
    """`FOLDS` linear probes for each split of the images into folds.

    Each head is trained on all folds but one. All heads see the batches in one order, so features
    are read once for all of them. Features are scaled by all images, which needs no label.

    Parameters
    ----------
    features
        (n, d) of any float type; may be memory-mapped.
    rows, members
        int64 (m,), rows to train on, ascending, and the class of each, numbered from 0.
    splits
        Number of splits.
    seed
        Seed of the splits and of the order of training.
    epochs
        Number of epochs to come; a GPU, if there is one, is worth it for many.
    """

    def __init__(
        self,
        features: Features,
        rows: Rows,
        members: Rows,
        splits: int,
        seed: int,
        epochs: int = 1,
    ) -> None:
        self._rows, self._members = rows, members
        self._rng = np.random.default_rng(seed)
        size = (features.shape[1] + 1, int(members.max()) + 1)
        self._splits = [
            (stratified_folds(members, self._rng), [SoftmaxLayer(*size) for _ in range(FOLDS)])
            for _ in range(splits)
        ]
        place = place_for(6 * epochs * len(rows) * size[0] * size[1] * FOLDS * splits)
        self._on_gpu = HeadsOnGpu(place, FOLDS * splits, *size) if place.on_gpu else None
        self._inputs: Inputs | InputsOnGpu
        if place.on_gpu:
            self._inputs = InputsOnGpu(features, rows, place)
        else:
            self._inputs = Inputs(features, rows)

    def batches(self) -> Iterator[Batch]:
        """Yield all images once, in random order."""
        size = BATCH * FOLDS // (FOLDS - 1)  # of which each head sees about BATCH
        for positions in random_batches(len(self._rows), size, self._rng):
            inputs = self._inputs(positions)
            yield Batch(positions, self._members[positions], inputs)

    def learn(self, batch: Batch) -> None:
        """Take a step of each head, with the images of a batch outside its fold."""
        if self._on_gpu is not None:
            self._on_gpu.learn(batch.inputs, batch.members, ~self._held_out(batch))
            return
        own = [
            (folds[batch.positions] != fold, layer)
            for folds, layers in self._splits
            for fold, layer in enumerate(layers)
        ]
        learn = partial(_learn, batch)
        large = batch.inputs.size * own[0][1].weights.shape[1] >= LARGE
        deque(in_threads(learn, own, alone=0.0) if large else map(learn, own), maxlen=0)

    def held_out(self, batch: Batch) -> Iterator[Floats]:
        """Yield the logits of the heads that never see the image, float32 (b, c), per split."""
        if self._on_gpu is not None:
            yield from self._on_gpu.logits(batch.inputs, self._held_out(batch), len(self._splits))
            return
        for folds, layers in self._splits:
            logits = np.empty((len(batch.members), layers[0].weights.shape[1]), dtype=np.float32)
            for fold, layer in enumerate(layers):
                out = folds[batch.positions] == fold
                logits[out] = batch.inputs[out] @ layer.weights
            yield logits

    def _held_out(self, batch: Batch) -> Mask:
        """Return which images each head never sees, (heads, b)."""
        return np.stack(
            [folds[batch.positions] == fold for folds, _ in self._splits for fold in range(FOLDS)]
        )


def _learn(batch: Batch, own: tuple[Mask, SoftmaxLayer]) -> None:
    seen, layer = own
    if seen.any():
        inputs = batch.inputs[seen]
        layer.learn(inputs, inputs @ layer.weights, batch.members[seen])


def stratified_folds(members: Rows, rng: np.random.Generator) -> Rows:
    """Divide the images of each class evenly among `FOLDS` folds, at random: int64 (m,).

    >>> members = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1])
    >>> folds = stratified_folds(members, np.random.default_rng(0))
    >>> sorted(folds[:3].tolist()), sorted(folds[3:].tolist())
    ([0, 1, 2], [0, 0, 1, 1, 2, 2])
    """
    order = rng.permutation(len(members))
    order = order[np.argsort(members[order], kind="stable")]
    folds = np.empty(len(members), dtype=np.int64)
    folds[order] = np.arange(len(members)) % FOLDS
    return folds
