"""Linear probes that a GPU trains together: `Inputs` and `SoftmaxLayer`, for all heads at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from moderate_cli.arrays import Features, Floats, Mask, Rows
from moderate_cli.gpu import Place
from moderate_cli.scoring.linear_head import DECAY, MOMENTUM, learning_rate, moments
from moderate_cli.scoring.placed import Placed


class InputsOnGpu:
    """The same numbers as those of `Inputs`, made by a GPU from features that it keeps."""

    def __init__(self, features: Features, rows: Rows, place: Place) -> None:
        mean, self._scale = moments(features, rows)
        self._points, self._place = Placed(features, rows, place), place
        self._mean = place.keep(mean)

    def __call__(self, positions: Rows) -> Any:
        """Return the inputs for some of the rows, ascending: float32 (b, d + 1)."""
        (found,) = self._place.apply(self._scaled, self._points[positions])
        return found

    def _scaled(self, points: Any) -> tuple[Any]:
        module = self._place.module
        points = points.float() if points.dtype == module.float16 else points
        points = ((points - self._mean.to(points.dtype)) * self._scale).float()
        return (module.concatenate([points, points.new_ones((len(points), 1))], axis=1),)


class HeadsOnGpu:
    """Weights of several heads, float32 (heads, inputs, classes), in the memory of a GPU.

    Tensors are used by their methods alone, so that this module does not load torch.

    Parameters
    ----------
    place
        The GPU.
    heads, inputs, classes
        Shape of the weights.
    """

    def __init__(self, place: Place, heads: int, inputs: int, classes: int) -> None:
        zeros = np.zeros((heads, inputs, classes), dtype=np.float32)
        self._place, self._rate = place, learning_rate(classes)
        self._weights, self._velocity = place.keep(zeros), place.keep(zeros)

    def learn(self, inputs: Any, members: Rows, seen: Mask) -> None:
        """Take a step of each head.

        Parameters
        ----------
        inputs, members
            float32 (b, inputs), of numpy or of the GPU, and int64 (b,).
        seen
            bool (heads, b), the images that each head learns from.
        """
        counts = seen.sum(axis=1)
        # A head takes no step where it sees nothing.
        steps = (counts > 0).astype(np.float32)[:, None, None]
        shares = (seen / np.maximum(counts, 1)[:, None]).astype(np.float32)[:, :, None]
        every = np.arange(len(members))
        self._place.compute(self._learn, inputs, every, members, shares, steps)

    def _learn(
        self, inputs: Any, every: Any, members: Any, shares: Any, steps: Any
    ) -> tuple[Any, ...]:
        errors = (inputs @ self._weights).softmax(dim=2)  # (heads, b, classes)
        errors[:, every, members] -= 1
        gradient = inputs.T @ (errors * shares)
        change = MOMENTUM * self._velocity - self._rate * (gradient + DECAY * self._weights)
        self._velocity += steps * (change - self._velocity)
        self._weights += steps * self._velocity
        return ()

    def logits(self, inputs: Any, chosen: Mask, splits: int) -> Iterator[Floats]:
        """Yield the logits of images, float32 (b, classes), for each split.

        `chosen`, bool (heads, b), is true for one head of each split.
        """
        heads = np.stack([np.argmax(part, axis=0) for part in np.split(chosen, splits)])
        heads += (len(chosen) // splits * np.arange(splits))[:, None]
        (found,) = self._place.compute(self._logits, inputs, heads, np.arange(len(inputs)))
        yield from found

    def _logits(self, inputs: Any, heads: Any, every: Any) -> tuple[Any]:
        return ((inputs @ self._weights)[heads, every],)
