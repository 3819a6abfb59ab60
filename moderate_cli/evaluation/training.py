"""Train a network on each selection, from random weights or from those of a backbone."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torchvision import models

from moderate_cli.arrays import Rows, blocks
from moderate_cli.dataset import Dataset
from moderate_cli.errors import ArgumentError, DatasetError, OptionError
from moderate_cli.evaluation.recipe import BATCH, LARGEST_SEED, Recipe
from moderate_cli.networks.backbones import find_device
from moderate_cli.networks.classifiers import load_classifier, put_head
from moderate_cli.networks.devices import explained, is_gpu_fault, order_of
from moderate_cli.networks.runtimes import Normalised
from moderate_cli.networks.small import small_network
from moderate_cli.networks.table import DEFAULT_MAX_PIXELS, SMALL_NETWORKS, Preprocessing
from moderate_cli.training.descent import Descent, computes_in_half, moved
from moderate_cli.training.loading import load_images
from moderate_cli.training.placing import placed

RATE = 0.05
TUNING_RATE = 0.01  # lower, for weights that are trained already
RESIZED = 224  # pixels per side, of most networks
TIMED, MOST_TIMED = 1.0, 60  # seconds, and steps, after which the time of a step is known
LEVELS = Preprocessing(0, 0, "bilinear", (127.5,) * 3, (64.0,) * 3)


class Pictures(NamedTuple):
    """All images of a dataset, in memory.

    Attributes
    ----------
    pixels
        uint8 (n, 3, size, size); zeros for unreadable images.
    labels
        int64 (n,).
    readable
        bool (n,), the images that can be read.
    """

    pixels: torch.Tensor
    labels: Rows
    readable: np.ndarray


def read_pictures(
    dataset: Dataset,
    labels: Rows,
    readable: np.ndarray,
    recipe: Recipe,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    on_progress: Callable[[int, int], object] = lambda _done, _all: None,
) -> Pictures:
    """Read all images of a dataset, in threads; call `on_progress` after each.

    Raises
    ------
    DeviceError
        If they do not fit in memory.
    DatasetError
        If an image that was embedded cannot be read any more.
    """
    preprocessing = LEVELS
    if recipe.tuned:
        preprocessing = load_classifier(recipe.network, recipe.weights).preprocessing
    if recipe.size:
        preprocessing = replace(preprocessing, resize=recipe.size, crop=recipe.size)
    preprocessing = replace(preprocessing, orientation=recipe.orientation)
    done, images = itertools.count(1), int(np.count_nonzero(readable))
    loaded = load_images(
        dataset, readable, preprocessing, max_pixels, lambda: on_progress(next(done), images)
    )
    for row, reason in loaded.unreadable.items():  # it was readable when it was embedded
        path = f"{dataset.root}/{dataset.paths[row]}"
        raise DatasetError(f"{path}: {reason}; run again to leave it out")
    return Pictures(loaded.pixels, labels, readable)


class TrainLearner:
    """Trains a new network for each selection, with the same number of steps for each.

    Stochastic gradient descent with one cycle of the learning rate (Smith and Topin, 2019); images
    are shifted by a few pixels and mirrored at random. Computes in bfloat16 where the device is
    fast at it.

    Parameters
    ----------
    data, test
        The images; without `test`, it predicts held-out rows of `data`.
    recipe
        Settings of the training.
    on_step
        Called after each step.
    """

    def __init__(
        self,
        data: Pictures,
        test: Pictures | None,
        recipe: Recipe,
        on_step: Callable[[], object] = lambda: None,
    ) -> None:
        self._recipe, self._device = recipe, find_device(recipe.device)
        self._on_step = on_step
        self._data = _placed(data, self._device)
        self._test = None if test is None else _placed(test, self._device)
        self._half = computes_in_half(self._device, recipe.size)

    def __call__(self, rows: Rows, held_out: Rows, seed: int) -> Rows:
        """Train a network, and predict.

        Raises
        ------
        DeviceError, ArgumentError
            If the device fails, or the network does not work on pictures of this size.
        """
        with explained("a smaller --size or network takes less"):
            return self._predicted(rows, held_out, seed)

    def _predicted(self, rows: Rows, held_out: Rows, seed: int) -> Rows:
        if seed > LARGEST_SEED:
            raise ArgumentError(f"seed: {seed} is more than {LARGEST_SEED}")
        torch.manual_seed(seed)
        known, members = np.unique(self._data.labels[rows], return_inverse=True)
        network = _network(self._recipe, len(known)).to(self._device)
        network = network.to(memory_format=order_of(self._device))
        self._train(network, rows, torch.from_numpy(members))
        network.eval()
        judged = self._data if self._test is None else self._test
        where = held_out if self._test is None else np.flatnonzero(judged.readable)
        there = torch.from_numpy(where).to(judged.pixels.device)
        with torch.inference_mode():
            found = [
                self._run(network, judged.pixels[there[part]]).argmax(dim=1)
                for part in blocks(len(where), BATCH)
            ]
        predicted: Rows = known[torch.cat(found).cpu().numpy()]
        return predicted

    def _train(self, network: nn.Module, rows: Rows, members: torch.Tensor) -> None:
        size = self._recipe.batch
        rate = (TUNING_RATE if self._recipe.tuned else RATE) * size / BATCH
        descent = Descent(network, rate, self._recipe.steps)
        where = self._data.pixels.device  # no step waits for a copy if they are on a GPU
        numbers, members = torch.from_numpy(rows).to(where), members.to(where)
        order = torch.empty(0, dtype=torch.int64, device=where)
        network.train()
        for _ in range(self._recipe.steps):
            while len(order) < size:  # a batch may span two epochs
                order = torch.cat([order, torch.randperm(len(rows), device=where)])
            batch, order = order[:size], order[size:]
            pixels = self._data.pixels[numbers[batch]]
            try:
                outputs = self._run(network, moved(pixels))
            except (RuntimeError, AssertionError, ValueError) as error:
                if not isinstance(error, torch.OutOfMemoryError) and not is_gpu_fault(error):
                    self._check_size(pixels)
                raise
            descent.step(outputs, members[batch].to(self._device))
            self._on_step()

    def _check_size(self, pixels: torch.Tensor) -> None:
        """Try two pictures on the CPU, to tell a wrong size from a fault of the program.

        Raises
        ------
        ArgumentError
            If the network does not work on pictures of this size.
        """
        recipe, few = self._recipe, pixels[:2].cpu()
        try:
            _network(recipe, 2).train()(few)
        except (RuntimeError, AssertionError, ValueError):
            option = "backbone" if recipe.tuned else "network"
            text = f"{{}}: does not work on pictures of {few.shape[-1]} pixels; try {{}}"
            raise OptionError(text, (option, recipe.network), ("size", 224)) from None

    def _run(self, network: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch, float32 (b, classes)."""
        inputs = pixels.to(self._device).to(memory_format=order_of(self._device))
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
            logits: torch.Tensor = network(inputs)
        return logits.float()


class _Timed(Exception):
    """The time of a step is known."""


def seconds_per_training(recipe: Recipe, judged: int) -> float:
    """Measure, on random pictures, how long one training and its predictions take.

    Parameters
    ----------
    recipe
        Settings of the training.
    judged
        Number of images to predict.
    """
    size = recipe.size or RESIZED
    pixels = torch.randint(256, (BATCH, 3, size, size), dtype=torch.uint8)
    labels = np.arange(BATCH) % 2
    pictures = Pictures(pixels, labels, np.ones(BATCH, dtype=np.bool_))
    moments: list[float] = []

    def note() -> None:
        moments.append(time.perf_counter())
        if len(moments) == MOST_TIMED or moments[-1] - moments[0] >= TIMED:
            raise _Timed

    with contextlib.suppress(_Timed):
        learner = TrainLearner(pictures, None, recipe._replace(steps=MOST_TIMED), note)
        learner(np.arange(BATCH), np.arange(1), 0)
    step = float(np.median(np.diff(moments)))  # the first one is slower; others may be, too
    return recipe.steps * step + judged / BATCH * step / 3  # a step goes back, too


def _placed(pictures: Pictures, device: torch.device) -> Pictures:
    with explained("a smaller --size or network takes less"):
        return pictures._replace(pixels=placed(pictures.pixels, device))


def _network(recipe: Recipe, classes: int) -> nn.Module:
    """Build a network that takes pixels as uint8."""
    if recipe.tuned:
        module, preprocessing, _, _ = load_classifier(recipe.network, recipe.weights)
        put_head(module, classes)
        return Normalised(module, preprocessing)
    if recipe.network in SMALL_NETWORKS:
        return Normalised(small_network(recipe.network, classes), LEVELS)
    return Normalised(models.get_model(recipe.network, weights=None, num_classes=classes), LEVELS)
