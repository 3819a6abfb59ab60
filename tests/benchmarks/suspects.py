"""How well mislabeled images are found, beside two other ways, on the same features.

python -m tests.benchmarks.suspects DATA
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import click
import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict

import moderate_cli
from moderate_cli.label_errors.suspects import find_suspects
from moderate_cli.scoring.neighbors import nearest
from tests.benchmarks.page import PAGE
from tests.marked import put_row

SEEDS = 3
NOISES = (("clean", 0.0), ("symmetric", 0.2), ("symmetric", 0.35), ("pairs", 0.2))

# Which images a way flags, and how it ranks all of them, the worst highest, if it does.
Found = tuple[np.ndarray, np.ndarray | None]


def plant(labels: np.ndarray, features: np.ndarray, kind: str, share: float, seed: int):
    """Return labels of which some are wrong, and which are."""
    rng = np.random.default_rng(seed)
    classes = int(labels.max()) + 1
    wrong = rng.random(len(labels)) < share
    other = (labels + rng.integers(1, classes, len(labels))) % classes
    if kind == "pairs":  # the class with the nearest center, as one that is taken for it
        centers = np.stack([features[labels == label].mean(axis=0) for label in range(classes)])
        apart = np.linalg.norm(centers[:, None] - centers, axis=2)
        np.fill_diagonal(apart, np.inf)
        other = apart.argmin(axis=1)[labels]
    return np.where(wrong, other, labels), wrong


def ours(features: np.ndarray, labels: np.ndarray) -> Found:
    """Suspects, with as many as are estimated."""
    found = find_suspects(features, labels)
    return found.probability > 0.5, found.probability


def rule(features: np.ndarray, labels: np.ndarray) -> Found:
    """Fewer than 3 of 10 neighbors share the label, and another class center is nearer."""
    rows = np.arange(len(labels))
    near = np.concatenate([found.position for _, found in nearest(features, rows, 10)])
    share = (labels[near] == labels[:, None]).sum(axis=1)
    margin = moderate_cli.score_features(features, labels, criterion="margin")
    return (share < 3) & (margin > 0), None


def cleanlab(features: np.ndarray, labels: np.ndarray) -> Found:
    """cleanlab's own choice, on probabilities of a cross-validated linear head."""
    scaled = features - features.mean(axis=0)
    scaled /= np.sqrt((scaled**2).sum(axis=1).mean())
    strengths = {"C": [0.1, 1.0, 10.0]}
    search = GridSearchCV(LogisticRegression(max_iter=500), strengths, scoring="neg_log_loss", cv=3)
    head = search.fit(scaled, labels).best_estimator_
    predicted = cross_val_predict(head, scaled, labels, cv=5, method="predict_proba")
    return find_label_issues(labels, predicted), 1 - get_label_quality_scores(labels, predicted)


WAYS: dict[str, Callable[[np.ndarray, np.ndarray], Found]] = {
    "moderate suspects": ours,
    "neighbors and centers": rule,
    "cleanlab": cleanlab,
}


@click.command()
@click.argument("data", type=click.Path(exists=True))
@click.option("--store", type=click.Path(), help="Directory of the feature store.")
@click.option("--write", help="Write the table to the page of results, as that of this dataset.")
def main(data: str, store: str | None, write: str | None) -> None:
    """Plant wrong labels in a dataset, and see which way finds them."""
    found = moderate_cli.embed(moderate_cli.scan(data), store=store)
    features, labels = np.asarray(found.features, dtype=np.float32), np.asarray(found.labels)
    print("| wrong labels | way | flagged | precision | recall | average precision | seconds |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for kind, share in NOISES:
        for name, find in WAYS.items():
            rows = np.array(list(_trials(features, labels, kind, share, find)))
            cells = [_interval(column) for column in rows.T]
            row = f"| {kind} {share:.0%} | {name} | {' | '.join(cells)} |"
            print(row, flush=True)
            if write:
                put_row(PAGE, f"suspects: {write}", row, keys=2)


def _trials(
    features: np.ndarray,
    labels: np.ndarray,
    kind: str,
    share: float,
    find: Callable[[np.ndarray, np.ndarray], Found],
) -> Iterator[tuple[float, ...]]:
    for seed in range(SEEDS if share else 1):
        given, wrong = plant(labels, features, kind, share, seed)
        start = time.perf_counter()
        flagged, ranking = find(features, given)
        seconds = time.perf_counter() - start
        right = np.count_nonzero(flagged & wrong)
        precision = right / max(1, np.count_nonzero(flagged)) if share else np.nan
        recall = right / np.count_nonzero(wrong) if share else np.nan
        average = _average_precision(ranking, wrong) if share and ranking is not None else np.nan
        yield float(flagged.mean()), precision, recall, average, seconds


def _average_precision(ranking: np.ndarray, wrong: np.ndarray) -> float:
    """Area under the curve of precision over recall."""
    hits = wrong[np.argsort(-ranking, kind="stable")]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def _interval(values: np.ndarray) -> str:
    """Mean, and half of its 95 % interval over seeds (Student's t)."""
    if np.isnan(values).any():
        return ""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{values.mean():.3f} ± {4.303 * values.std(ddof=1) / np.sqrt(len(values)):.3f}"


if __name__ == "__main__":
    main()
