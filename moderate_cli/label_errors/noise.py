"""Noise model: how often images of each class get each label, fitted to held-out outputs.

Outputs are those of regression on one-hot labels, so they already resemble probabilities, but are
too even. A power of them, with a floor, becomes p(class). The power and the rates of wrong labels
are fitted together, so that the given labels become most probable. But p(class) may not leave more
doubt than the features do: errors of humans follow the looks of images, so labels alone ask for a
low power, as if classes overlapped. Labels hardly tell which floor is right, so each floor has its
own fit, and the mean of their probabilities counts.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from moderate_cli.arrays import Doubles, Rows, blocks
from moderate_cli.gpu import Place
from moderate_cli.label_errors.probabilities import logarithms_of, probabilities_of
from moderate_cli.label_errors.transitions import even_rates, fit_transition
from moderate_cli.threads import in_threads

# A low floor makes p(class) a power of the output, a high one a softmax of it.
FLOORS = (0.003, 0.03, 0.1, 30.0)
POWERS = {2.0**0.5: 12, 2.0: 11}  # the first, and how many that double: 2**0.5, 2, ... 2**11.5
VAGUE = 400.0  # power for the highest floor, where outputs hardly know the classes
SHARPER = 2.0 ** np.arange(0.0, 2.0, 0.5)  # even rates take frequent errors for doubts
MOST_WRONG = 0.7  # maximum share of wrong labels
# Accuracy above chance, of the possible one, from which rates of pairs can be told from doubts; and
# in standard errors of chance, from which it is no chance.
KNOWN, BEYOND = 0.335, 3.0
DOUBT = 1.0  # log-likelihood by which a rate may be worse than the best, and still be true
STEPS = 50  # of bisection
FIT_NUMBERS = 1 << 20  # of fits at once
BLOCK_NUMBERS, BLOCK_ON_GPU = 1 << 16, 1 << 24  # in each thread
TINY = np.finfo(np.float64).tiny


class Fit(NamedTuple):
    """A noise model of one floor.

    Attributes
    ----------
    floor, power
        p(class) is proportional to (floor + output) ** power.
    transition
        float64 (c, c), T(c, y): share of the images of class c with label y.
    """

    floor: float
    power: float
    transition: Doubles


class Noise(NamedTuple):
    """A noise model: the mean of several.

    Attributes
    ----------
    fits
        A model for each floor; a single one, if the outputs do not know the classes.
    known
        Whether they do.
    """

    fits: tuple[Fit, ...]
    known: bool

    def kept(self, place: Place) -> list[Any]:
        """Return the transposed transitions of the fits, arrays of a place."""
        return [place.keep(np.ascontiguousarray(one.transition.T)) for one in self.fits]

    def posterior(self, module: Any, rates: list[Any], outputs: Any, members: Any) -> Any:
        """Return p(class | image, label) for each class, float64 (b, c).

        Parameters
        ----------
        module
            Of the arrays.
        rates
            As `kept` returns them.
        outputs, members
            (b, c) held-out outputs for each image, and int64 (b,) its given class.
        """
        total = 0.0
        for one, own in zip(self.fits, rates, strict=True):
            found = probabilities_of(module, outputs, one.floor, one.power)
            found *= own[members]
            found /= found.sum(axis=1, keepdims=True).clip(min=TINY)
            total += found
        return total / len(self.fits)


def fit_noise(place: Place, outputs: Any, members: Any, overlap: float = 1.0) -> Noise:
    """Fit a noise model: an own rate for each pair of classes, if the outputs know the classes.

    If not, labels are taken to be right, because wrong ones look like hard images. Half an image is
    taken to be wrong, so that images stay ranked by their probabilities.

    Parameters
    ----------
    place
        Where it is computed.
    outputs
        float64 (m, c), outputs for each image of a head that did not see it, an array of the place.
    members
        int64 (m,), the given class of each image, an array of the place.
    overlap
        Share of the images whose class the features do not tell; the most that p(class) leaves
        open in the mean.
    """
    count, classes = outputs.shape
    right, labels = place.compute(_counts, outputs, members)
    accuracy, chance = float(right / count), float(np.bincount(labels).max() / count)
    fits, rights = _fits_of_even(place, outputs, members)
    error = math.sqrt(chance * (1 - chance) / count)
    known = knows(accuracy, _least_rate(fits, rights, classes), chance)
    if not known or accuracy - chance < BEYOND * error:
        vague = Fit(FLOORS[-1], VAGUE, even_rates(0.5 / count, classes))
        return Noise((vague,), known=False)
    best = (_best([fit for fit in fits if fit.floor == floor], overlap) for floor in FLOORS)
    return Noise(tuple(_fit_pairs(place, outputs, members, one) for one in best), known=True)


def likelihood(place: Place, outputs: Any, members: Any) -> float:
    """Return the log-likelihood of the labels, if wrong ones are spread evenly."""
    fits, _ = _fits_of_even(place, outputs, members)
    return max(fits).likelihood


def knows(accuracy: float, rate: float, chance: float) -> bool:
    """Whether a head knows the classes, by its accuracy on labels of which a share is wrong.

    `chance` is the accuracy without knowing any image: the share of the largest class.

    >>> knows(0.45, 0.4, 0.01), knows(0.3, 0.0, 0.05), knows(0.9, 0.0, 0.9)
    (True, False, False)
    """
    return accuracy > chance and bool(accuracy - chance >= KNOWN * (1 - rate - chance))


class _Even(NamedTuple):
    """A fit of one rate of wrong labels for all pairs of classes; the first field decides."""

    likelihood: float
    rate: float
    floor: float
    power: float
    doubt: float  # 1 - p(class) of the most probable class, in the mean


def _counts(outputs: Any, members: Any) -> tuple[Any, Any]:
    """Return how many labels are those of the highest output, and the labels."""
    return (outputs.argmax(axis=1) == members).sum(), members


def _fits_of_even(place: Place, outputs: Any, members: Any) -> tuple[list[_Even], list[Doubles]]:
    """Fit one rate for each floor and power; return p(class) of the labels for each, too."""
    classes, fits = outputs.shape[1], []
    names, columns, doubts = _of_labels(place, outputs, members)
    # Several at once: a thread that asks for many small arrays waits for others to get each.
    for part in blocks(len(names), max(1, FIT_NUMBERS // columns.shape[1])):
        right, gain = columns[part], _gain(columns[part], classes)
        rates = _likeliest_rates(right, gain, min(MOST_WRONG, 1 - 1 / classes))
        fitted = np.log(np.maximum(right + rates[:, None] * gain, TINY)).sum(axis=1)
        own = zip(fitted.tolist(), rates.tolist(), names[part], doubts[part].tolist(), strict=True)
        fits += [_Even(likely, rate, *name, doubt) for likely, rate, name, doubt in own]
    return fits, list(columns)


def _of_labels(
    place: Place, outputs: Any, members: Any
) -> tuple[list[tuple[float, float]], Doubles, Doubles]:
    """Return each floor and power, p(class) of the labels for each, (k, m), and the doubt, (k,)."""
    size = BLOCK_ON_GPU if place.on_gpu else BLOCK_NUMBERS

    def of_block(part: slice) -> list[Doubles]:
        every = np.arange(part.stop - part.start)
        block = partial(_of_block, place.module)
        return place.compute(block, outputs[part], every, members[part])

    found = list(in_threads(of_block, blocks(len(outputs), max(1, size // outputs.shape[1]))))
    names = [
        (floor, first * 2.0**step)
        for floor, (first, count) in product(FLOORS, POWERS.items())
        for step in range(count)
    ]
    sure = np.sum([highest for _, highest in found], axis=0)
    return names, np.concatenate([right for right, _ in found], axis=1), 1 - sure / len(outputs)


def _of_block(module: Any, outputs: Any, every: Any, members: Any) -> tuple[Any, Any]:
    """Return the same p(class) for a block, (k, b), and the sum of the highest p(class), (k,).

    Each power is twice the one before, so that exponentials are squares of those before, which
    take a tenth of the time.
    """
    rights, highest = [], []
    for floor in FLOORS:
        logarithms = logarithms_of(module, outputs, floor)
        logarithms -= module.amax(logarithms, axis=1, keepdims=True)
        for first, count in POWERS.items():
            exponentials = module.exp(first * logarithms)
            for step in range(count):
                if step:
                    exponentials *= exponentials
                scales = 1 / exponentials.sum(axis=1)  # p(class) of the highest, which is 1
                rights.append(exponentials[every, members] * scales)
                highest.append(scales.sum())
    return module.stack(rights), module.stack(highest)


def _least_rate(fits: list[_Even], rights: list[Doubles], classes: int) -> float:
    """Return the lowest rate of wrong labels that the labels do not contradict.

    Outputs that know nothing about the classes explain labels as well by errors as by chance.
    """
    enough = max(fits).likelihood - DOUBT
    least = math.inf
    for at in np.argsort([fit.rate for fit in fits], kind="stable").tolist():
        if fits[at].likelihood < enough:
            continue
        right, gain = rights[at], _gain(rights[at], classes)
        low, high = 0.0, min(fits[at].rate, least)
        if _likelihood(right, gain, low) >= enough:
            return low
        if _likelihood(right, gain, high) < enough:  # it grows up to the rate of the fit
            continue
        for _ in range(STEPS):
            middle = (low + high) / 2
            if _likelihood(right, gain, middle) >= enough:
                high = middle
            else:
                low = middle
        least = high
    return least


def _gain(right: Doubles, classes: int) -> Doubles:
    """Return by what p(label) grows with the rate of wrong labels."""
    return (1 - right) / (classes - 1) - right


def _likelihood(right: Doubles, gain: Doubles, rate: float) -> float:
    return float(np.log(np.maximum(right + rate * gain, TINY)).sum())


def _likeliest_rates(right: Doubles, gain: Doubles, most: float) -> Doubles:
    """Return the rates (k,) that maximize the sums of log(right + rate gain), of (k, m) each.

    The sums are concave, and their maxima are found by Newton's steps. A step that leaves the
    interval of the maximum becomes one of bisection.
    """

    def slopes(rows: Rows, rates: Doubles) -> tuple[Doubles, Doubles]:
        parts = gain[rows] / np.maximum(right[rows] + rates[:, None] * gain[rows], TINY)
        return parts.sum(axis=1), np.vecdot(parts, parts)

    closest = most * 0.5**STEPS
    found, low, high = np.zeros(len(right)), np.zeros(len(right)), np.full(len(right), most)
    rows = np.arange(len(right))
    rows = rows[slopes(rows, np.full(len(right), closest))[0] > 0]
    found[rows] = most
    for _ in range(STEPS):
        if not len(rows):
            break
        slope, curvature = slopes(rows, found[rows])
        low[rows] = np.where(slope > 0, found[rows], low[rows])
        high[rows] = np.where(slope > 0, high[rows], found[rows])
        ahead = found[rows] + slope / np.maximum(curvature, TINY)
        inside = (low[rows] < ahead) & (ahead < high[rows])
        ahead = np.where(inside, ahead, (low[rows] + high[rows]) / 2)
        moved = np.abs(ahead - found[rows]) > closest
        found[rows] = ahead
        rows = rows[moved]
    return found


def _best(fits: list[_Even], overlap: float) -> _Even:
    """Return the likeliest fit that leaves no more doubt than the features; else the surest."""
    sharp = [fit for fit in fits if fit.doubt <= overlap]
    return max(sharp) if sharp else min(fits, key=lambda fit: fit.doubt)


def _fit_pairs(place: Place, outputs: Any, members: Any, even: _Even) -> Fit:
    """Fit the power again, with a rate for each pair of classes; powers grow until one is worse."""
    fits: list[tuple[float, Fit]] = []
    for power in (even.power * SHARPER).tolist():
        transition, fitted = fit_transition(place, outputs, members, even.floor, power)
        fits.append((fitted, Fit(even.floor, power, transition)))
        if len(fits) > 1 and fits[-1][0] <= fits[-2][0]:
            break
    return max(fits, key=lambda fit: fit[0])[1]
