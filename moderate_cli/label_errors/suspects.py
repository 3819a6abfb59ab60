"""Suspects: images that probably have a wrong label.

Pure numpy. A linear head is trained on all images, and a second one on those that the first agrees
with. What the second makes of an image, p(c | x), and the rate at which each class is given each
label, T(c, y), say how probable each class is once the label y is known: in proportion to
p(c | x) T(c, y). T, and how sharp p is to be taken, are not given but fitted: they are what makes
the labels that are there most probable. So where the labels are clean T comes out clean, and hard
images are not taken for mislabeled ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from moderate_cli.arrays import Doubles, Features, Floats, Mask, Rows, read_rows
from moderate_cli.errors import ArgumentError
from moderate_cli.scoring.linear_head import BATCH, LinearHead, softmax
from moderate_cli.selection.counts import kept_count

Progress = Callable[[int, int], None]

STEPS = 500  # of training, at least; and at least as many epochs:
EPOCHS = 2
BLOCK_ROWS = 4096
SAMPLE = 1 << 25  # logits that the noise is fitted to
TEMPERATURES = 2.0 ** np.arange(-3, 2.5, 0.5)
PASSES, PRECISION = 60, 1e-6  # of the fit: at most so many, or until an image gains less
PRIOR = 10.0  # images per class that the overall rate of wrong labels counts for
LEAST_RIGHT = 0.5  # of a class's images, at least this share is taken to have its label

STRANGERS_SAMPLE = 8192
DISTANCES = 1 << 22  # that are held at once
FEW_CLASSES = 4
# Shares from which on labels look wrong, and features look as if they did not know the classes; of
# clean sets the share is 0.01 to 0.02, and where half of all labels are wrong some 0.3.
MANY_STRANGERS, MOSTLY_STRANGERS = 0.08, 0.35


class Suspects(NamedTuple):
    """How probably each image has a wrong label, in row order.

    Attributes
    ----------
    probability
        float64 (n,) that the label is wrong; NaN for images that cannot be read.
    looks_like
        int64 (n,), the most probable label but the given one; the given one where NaN.
    """

    probability: Doubles
    looks_like: npt.NDArray[np.int64]

    @property
    def noise_rate(self) -> float:
        """Estimated share of wrong labels."""
        return float(np.nanmean(self.probability))

    def most_probable(self, fraction: Fraction | float | Literal["auto"] = "auto") -> Rows:
        """Return rows of a fraction of the images; "auto": those more probably wrong than not.

        The most probable first; of equally probable ones, those that come first.
        """
        order = np.argsort(-self.probability, kind="stable")
        readable = int(np.count_nonzero(~np.isnan(self.probability)))
        if fraction == "auto":
            return order[: np.count_nonzero(self.probability > 0.5)]
        return order[: kept_count(readable, fraction)]


def find_suspects(
    features: Features,
    labels: npt.NDArray[np.integer[Any]],
    *,
    seed: int = 0,
    readable: Mask | None = None,
    on_progress: Progress | None = None,
) -> Suspects:
    """Find out how probable it is that each label is wrong.

    The posterior of a class given image and label is that of a noise model with a transition
    matrix (Patrini et al., CVPR 2017), fitted by expectation-maximization, with the head's
    temperature (Guo et al., ICML 2017).

    Parameters
    ----------
    features
        (n, d) of any float type; may be memory-mapped.
    labels
        (n,) class of each row; any integers, gaps allowed.
    seed
        For the order of training.
    readable
        bool (n,); rows that are False are left out.
    on_progress
        Called with the number of steps done and that of all; the time they take grows with images
        and classes.

    Raises
    ------
    ArgumentError
        If there is one class only, or the arrays do not match.

    Examples
    --------
    >>> features = np.repeat(np.eye(2), 20, axis=0)
    >>> labels = np.repeat([5, 7], 20)
    >>> labels[3] = 7
    >>> found = find_suspects(features, labels)
    >>> found.most_probable(), found.looks_like[3]
    (array([3]), np.int64(5))
    """
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ArgumentError(f"features {features.shape} and labels {labels.shape} do not match")
    rows = np.arange(len(labels)) if readable is None else np.flatnonzero(readable)
    known, members = np.unique(labels[rows], return_inverse=True)
    check_suspectable(known)
    steps = _Steps(len(rows), on_progress)
    posterior = _Posterior(features, rows, members, len(known), seed, steps)
    found = Suspects(np.full(len(labels), np.nan), labels.astype(np.int64))
    for part in _parts(len(rows)):
        probability, looks_like = posterior(part)
        found.probability[rows[part]] = probability
        found.looks_like[rows[part]] = known[looks_like]
    return found


def check_suspectable(labels: npt.NDArray[np.integer[Any]]) -> None:
    """Refuse labels, (n,), none of which can be wrong.

    Raises
    ------
    ArgumentError
        As of `find_suspects`.
    """
    if len(np.unique(labels)) < 2:
        raise ArgumentError("suspects: there is one class only, so no label can be wrong")


class _Steps:
    """Counts the steps of two trainings, and of the fit, whatever each of them turns out to need.

    The second training has fewer images, so its steps are counted as parts of as many as the first
    has.
    """

    def __init__(self, images: int, on_progress: Progress | None) -> None:
        self._training = _epochs(images) * _steps(images)
        self._total = 2 * self._training + len(TEMPERATURES)
        self._told = on_progress

    def trained(self, number: int, done: int, of: int) -> None:
        """Of training 0 or 1 so many steps are done."""
        self._tell(number * self._training + done * self._training // of)

    def fitted(self, temperatures: int) -> None:
        """So many temperatures are tried."""
        self._tell(2 * self._training + temperatures)

    def _tell(self, done: int) -> None:
        if self._told is not None:
            self._told(done, self._total)


class _Posterior:
    """Of images, the probability that the label is wrong, and the class that is likelier."""

    def __init__(
        self,
        features: Features,
        rows: Rows,
        members: Rows,
        classes: int,
        seed: int,
        steps: _Steps,
    ) -> None:
        self._rows, self._members = rows, members
        first = _trained(features, rows, members, classes, seed, partial(steps.trained, 0))
        agreed = np.concatenate(
            [first.logits(rows[part]).argmax(axis=1) == members[part] for part in _parts(len(rows))]
        )
        # A class that the head has not learned at all is left to the second one as it is.
        agreed |= np.bincount(members, agreed, minlength=classes)[members] == 0
        told = partial(steps.trained, 1)
        self._second = _trained(features, rows[agreed], members[agreed], classes, seed + 1, told)
        sample = np.random.default_rng(seed).permutation(len(rows))
        sample = np.sort(sample[: max(1, SAMPLE // classes)])
        logits = [self._second.logits(rows[sample[part]]) for part in _parts(len(sample))]
        self._noise = _fit(np.concatenate(logits), members[sample], classes, steps.fitted)

    def __call__(self, part: slice) -> tuple[Doubles, Rows]:
        """Return float64 (b,) and int64 (b,) for a part of the images."""
        own = self._members[part]
        every = np.arange(len(own))
        logits = self._second.logits(self._rows[part]) / np.float32(self._noise.temperature)
        # In doubles, so that probabilities near 0 are told apart: they are ranked, too.
        joint = self._noise.transition.T[own] * softmax(logits.astype(np.float64))
        right = joint[every, own]
        joint[every, own] = 0
        wrong = joint.sum(axis=1)
        joint[every, own] = -1
        probability = np.divide(wrong, wrong + right, out=np.zeros(len(own)), where=wrong > 0)
        return probability, joint.argmax(axis=1)


class _Trained(NamedTuple):
    head: LinearHead
    weights: Floats

    def logits(self, rows: Rows) -> Floats:
        found: Floats = self.head.inputs(rows) @ self.weights
        return found


def _steps(images: int) -> int:
    """How many steps an epoch has."""
    return -(-images // BATCH)


def _epochs(images: int) -> int:
    return max(EPOCHS, -(-STEPS // _steps(images)))


def _trained(
    features: Features, rows: Rows, members: Rows, classes: int, seed: int, told: Progress
) -> _Trained:
    """Train a head; its weights are the mean of those in the second half of training."""
    head = LinearHead(features, rows, members, classes, seed)
    steps, epochs = _steps(len(rows)), _epochs(len(rows))
    total, taken = np.zeros_like(head.weights), 0
    for epoch in range(epochs):
        for step, _ in enumerate(head.epoch(), 1):
            if epoch >= epochs // 2:
                total += head.weights
                taken += 1
            told(epoch * steps + step, epochs * steps)
    total /= np.float32(taken)
    return _Trained(head, total)


class _Noise(NamedTuple):
    """How labels come about.

    Attributes
    ----------
    temperature
        What logits are divided by.
    transition
        float64 (c, c), T(c, y): share of the images of class c that have label y.
    """

    temperature: float
    transition: Doubles


def _fit(
    logits: Floats, members: Rows, classes: int, told: Callable[[int], None] = lambda tried: None
) -> _Noise:
    """Find the noise under which the labels (m,) are most probable, given the logits (m, c)."""
    order = np.argsort(members, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(members[order])) + 1)
    labels = [int(members[group[0]]) for group in groups]
    best = _Noise(1.0, np.eye(classes))
    likeliest = -np.inf
    for tried, temperature in enumerate(TEMPERATURES.tolist(), 1):
        predicted = [softmax(logits[group] / np.float32(temperature)) for group in groups]
        transition, likelihood = _fit_transition(dict(zip(labels, predicted, strict=True)), classes)
        if likelihood > likeliest:
            best, likeliest = _Noise(temperature, transition), likelihood
        told(tried)
    return best


def _fit_transition(predicted: dict[int, Floats], classes: int) -> tuple[Doubles, float]:
    """Expectation-maximization: from p(c | x) of the images of each label, T and log-likelihood."""
    images = sum(map(len, predicted.values()))
    transition = _uniform(0.1, classes)
    likelihood = -np.inf
    for _ in range(PASSES):
        before, likelihood = likelihood, 0.0
        expected = np.zeros((classes, classes))  # how many images of a class have a label
        for label, probabilities in predicted.items():
            rates = transition[:, label]
            evidence = np.maximum(probabilities @ rates, np.finfo(np.float64).tiny)
            likelihood += float(np.log(evidence).sum())
            expected[:, label] = rates * ((1 / evidence) @ probabilities)
        expected += PRIOR * _uniform(1 - np.trace(expected) / images, classes)
        transition = expected / expected.sum(axis=1, keepdims=True)
        right = np.diag(transition).copy()
        kept = right.clip(min=LEAST_RIGHT)
        # What a class has too many wrong labels of is taken from all of them alike.
        transition *= ((1 - kept) / np.maximum(1 - right, np.finfo(np.float64).tiny))[:, None]
        np.fill_diagonal(transition, kept)
        if likelihood - before < PRECISION * images:
            break
    return transition, likelihood


def _uniform(wrong: float, classes: int) -> Doubles:
    """T of a share of wrong labels that fall on all other classes alike."""
    transition = np.full((classes, classes), wrong / (classes - 1))
    np.fill_diagonal(transition, 1 - wrong)
    return transition


def share_of_strangers(
    features: Features,
    labels: npt.NDArray[np.integer[Any]],
    readable: Mask | None = None,
) -> float:
    """Share of images that lie nearer to half of the other class centers than to their own.

    Hard images lie near one or two other centers; wrong labels, unless they follow the looks, make
    an image's own center one of many. A quick test on a sample: centers are taken from a part of
    it, and images from another.

    Parameters are those of `find_suspects`. With fewer than `FEW_CLASSES` classes it tells nothing,
    and is 0.
    """
    rows = np.arange(len(labels)) if readable is None else np.flatnonzero(readable)
    _, members = np.unique(labels[rows], return_inverse=True)
    classes, size = int(members.max(initial=0)) + 1, min(len(rows) // 2, STRANGERS_SAMPLE)
    if classes < FEW_CLASSES or size == 0:
        return 0.0
    order = np.random.default_rng(0).permutation(len(rows))
    reference, judged = np.sort(order[:size]), np.sort(order[size : 2 * size])
    counts = np.bincount(members[reference], minlength=classes)
    centers = np.zeros((classes, features.shape[1]))
    for part in _parts(size):
        np.add.at(centers, members[reference[part]], read_rows(features, rows[reference[part]]))
    centers /= np.maximum(counts, 1)[:, None]
    judged = judged[counts[members[judged]] > 0]
    known = np.flatnonzero(counts)
    strangers = 0
    for part in _parts(len(judged), max(1, min(BLOCK_ROWS, DISTANCES // classes))):
        points = read_rows(features, rows[judged[part]])
        distances = np.vecdot(centers, centers) - 2 * (points @ centers.T)
        own = distances[np.arange(len(points)), members[judged[part]]]
        nearer = (distances[:, known] < own[:, None]).sum(axis=1)
        strangers += int(np.count_nonzero(2 * nearer >= len(known)))
    return strangers / max(1, len(judged))


def _parts(n: int, size: int = BLOCK_ROWS) -> Iterator[slice]:
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
