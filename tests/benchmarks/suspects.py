"""How well wrong labels are found, beside confident learning, on the same features.

python -m tests.benchmarks.suspects DATA

DATA is an ImageFolder of 100 classes of at least 500 images each, such as the training images of
CIFAR-100. Subsets of it get wrong labels: of any other class, of the next class, at an own rate for
each class, or as humans give them. The last are those of images that are ambiguous to a head on
random features of the pixels, and are the class that this head takes them for. Features are strong
(of the default backbone) or weak (8 x 8 pixels).

Confident learning is that of cleanlab, on probabilities of a cross-validated logistic regression on
the 256 leading components, of strength 1 (0.1 and 10 do not do better). It takes too long for 100
classes of 500 images, which are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from cleanlab.filter import find_label_issues
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

import moderate_cli
from moderate_cli.label_errors.suspects import find_suspects
from moderate_cli.scoring.ridge import Ridge
from tests.benchmarks.page import PAGE, write_option
from tests.marked import put_row

SETS = ((5, 20), (20, 20), (5, 100), (20, 100), (100, 20), (5, 500), (100, 100), (20, 500))
MANY = 3000  # images, from which one seed says enough
SEEDS = 3
INTERVAL = 4.303  # Student's t for 95 % and three seeds
BINS = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)


class Subset(NamedTuple):
    """Images of some classes: features, 16 x 16 pixels in 0..1, and true classes from 0."""

    features: np.ndarray
    pixels: np.ndarray
    labels: np.ndarray


Plant = Callable[[Subset, float, np.random.Generator], np.ndarray]


def symmetric(one: Subset, share: float, rng: np.random.Generator) -> np.ndarray:
    """Give a share of the images any other label."""
    labels, classes = one.labels, one.labels.max() + 1
    other = (labels + rng.integers(1, classes, len(labels))) % classes
    return np.where(rng.random(len(labels)) < share, other, labels)


def pairs(one: Subset, share: float, rng: np.random.Generator) -> np.ndarray:
    """Give a share of the images the label of the next class."""
    other = (one.labels + 1) % (one.labels.max() + 1)
    return np.where(rng.random(len(other)) < share, other, one.labels)


def by_class(one: Subset, share: float, rng: np.random.Generator) -> np.ndarray:
    """Give images of each class one of two other labels, at a rate of 0 to twice the share."""
    labels, classes = one.labels, one.labels.max() + 1
    steps = rng.permuted(np.tile(np.arange(1, classes), (classes, 1)), axis=1)[:, :2]
    other = (labels + steps[labels, rng.integers(0, 2, len(labels))]) % classes
    rate = 2 * share * rng.random(classes)
    return np.where(rng.random(len(labels)) < rate[labels], other, labels)


def human(one: Subset, share: float, rng: np.random.Generator) -> np.ndarray:
    """Give the most ambiguous images the label that they look like, with some randomness."""
    labels, every = one.labels, np.arange(len(one.labels))
    view = one.pixels.reshape(len(labels), -1)
    view = view - view.mean(axis=0)
    view = np.maximum(view @ rng.normal(size=(view.shape[1], 512)) / 8, 0)
    found = Ridge(view, every, labels, int(labels.max()) + 1, (0.01, 0.1, 1.0)).held_out(every)
    own = found[every, labels].copy()
    found[every, labels] = -np.inf
    found = found + 0.05 * rng.gumbel(size=found.shape)
    margin = own - found.max(axis=1)
    sure = margin / margin.std() + rng.normal(size=len(labels))
    wrong = np.argsort(sure)[: round(share * len(labels))]
    given = labels.copy()
    given[wrong] = found.argmax(axis=1)[wrong]
    return given


NOISES: tuple[tuple[str, float, Plant], ...] = (
    ("clean", 0.0, symmetric),
    *((f"{share:.0%} symmetric", share, symmetric) for share in (0.05, 0.2, 0.4)),
    ("20% pairs", 0.2, pairs),
    ("20% by class", 0.2, by_class),
    *((f"{share:.0%} human", share, human) for share in (0.1, 0.2, 0.4)),
)


def confident_learning(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the images that cleanlab flags."""
    centered = features - features.mean(axis=0)
    _, vectors = np.linalg.eigh(centered.T @ centered)
    points = centered @ vectors[:, -256:]
    points /= np.sqrt((points**2).sum(axis=1).mean())
    head = LogisticRegression(tol=1e-3)
    # Subsets are in the order of the true classes, which folds of that order would tell the head.
    folds = StratifiedKFold(int(min(3, np.bincount(labels).min())), shuffle=True, random_state=0)
    predicted = cross_val_predict(head, points, labels, cv=folds, method="predict_proba")
    return find_label_issues(labels, predicted, n_jobs=1)


@click.command()
@click.argument("data", type=click.Path(exists=True))
@click.option("--store", type=click.Path(), help="Directory of the feature store.")
@write_option
def main(data: str, store: str | None, write: bool) -> None:
    """Plant wrong labels in subsets of a dataset, and see which way finds them."""
    found = moderate_cli.embed(moderate_cli.scan(data), store=store)
    pixels = np.stack([_pixels(Path(data) / path) for path in found.paths])
    labels = np.asarray(found.labels)
    for kind in ("strong", "weak"):
        rated: list[tuple[np.ndarray, np.ndarray]] = []
        for size in SETS:
            for name, share, plant in NOISES:
                trials = list(_trials(found.features, pixels, labels, kind, size, share, plant))
                rated += [trial[0] for trial in trials]
                ways = (_cells([trial[1][way] for trial in trials]) for way in (0, 1))
                row = f"| {kind} | {size[0]} x {size[1]} | {name} | {' | '.join(ways)} |"
                print(row, flush=True)
                if write:
                    put_row(PAGE, "suspects", row, keys=3)
        for row in _reliability(kind, rated):
            print(row, flush=True)
            if write:
                put_row(PAGE, "reliability", row, keys=2)


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((16, 16), Image.Resampling.BOX)) / 255


def _trials(
    features: np.ndarray,
    pixels: np.ndarray,
    labels: np.ndarray,
    kind: str,
    size: tuple[int, int],
    share: float,
    plant: Plant,
) -> Iterator[tuple[tuple[np.ndarray, np.ndarray], list[tuple[float, ...]]]]:
    """Yield our probabilities and the wrong labels, and the quality of both ways, of each seed."""
    for seed in range(SEEDS if size[0] * size[1] < MANY else 1):
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(np.unique(labels))[: size[0]]
        rows = np.concatenate(
            [np.sort(rng.permutation(np.flatnonzero(labels == one))[: size[1]]) for one in chosen]
        )
        small = pixels[rows].reshape(-1, 8, 2, 8, 2, 3).mean(axis=(2, 4)).reshape(len(rows), -1)
        used = small if kind == "weak" else features[np.sort(rows)][np.argsort(np.argsort(rows))]
        one = Subset(used.astype(np.float64), pixels[rows], np.repeat(np.arange(size[0]), size[1]))
        given = plant(one, share, rng)
        wrong = given != one.labels
        probability = find_suspects(one.features, given).probability
        flags = (confident_learning(one.features, given), probability > 0.5)
        yield (probability, wrong), [_quality(flagged, wrong) for flagged in flags]


def _quality(flagged: np.ndarray, wrong: np.ndarray) -> tuple[float, ...]:
    """Return the share of flagged images, precision, recall and F1."""
    right = np.count_nonzero(flagged & wrong)
    precision = right / max(1, np.count_nonzero(flagged))
    recall = right / max(1, np.count_nonzero(wrong))
    f1 = 2 * right / max(1, np.count_nonzero(flagged) + np.count_nonzero(wrong))
    return float(flagged.mean()), precision, recall, f1, float(wrong.any())


def _cells(found: list[tuple[float, ...]]) -> str:
    """Return the cells of a way: means over seeds, and half of the interval of the last."""
    means, noisy = np.mean(found, axis=0), found[0][-1]
    shown = means[:4] if noisy else means[:1]
    last = np.array(found)[:, 3 if noisy else 0]
    half = f" ± {INTERVAL * last.std(ddof=1) / np.sqrt(SEEDS):.2f}" if len(last) == SEEDS else ""
    cells = [f"{value:.2f}" for value in shown]
    if not noisy:
        return " | ".join([f"{means[0]:.3f}{half}", "", "", ""])
    return " | ".join([*cells[:3], cells[3] + half])


def _reliability(kind: str, rated: list[tuple[np.ndarray, np.ndarray]]) -> Iterator[str]:
    """Yield the mean probability, and how many labels are wrong, by probability."""
    probability, wrong = (np.concatenate(column) for column in zip(*rated, strict=True))
    place = np.digitize(probability, BINS[1:-1])
    for at, (low, high) in enumerate(pairwise(BINS)):
        inside = place == at
        if inside.any():
            yield (
                f"| {kind} | {low:g} to {high:g} | {np.count_nonzero(inside)}"
                f" | {probability[inside].mean():.3f} | {wrong[inside].mean():.3f} |"
            )


if __name__ == "__main__":
    main()
