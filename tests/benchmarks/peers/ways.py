"""One way to do one task, as a process of its own: python -m tests.benchmarks.peers.ways.

Runs in the interpreter of the peers, which may lack this project; so it imports numpy, and the
peer that it runs. Prints nothing, and writes an array of the kept rows, of flags or of scores.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

Picks = Callable[[np.ndarray, int], object]
THRESHOLD = 0.95  # cosine similarity of near duplicates


def main(task: str, way: str, folder: Path, output: Path, ratio: float) -> None:
    """Run a way."""
    if task in PICKS:
        np.save(output, by_class(PICKS[task][way], folder, ratio))
    else:
        np.save(output, OTHERS[task][way](folder))


def by_class(pick: Picks, folder: Path, ratio: float) -> np.ndarray:
    """Pick a share of each class; return the kept rows."""
    features, labels = np.load(folder / "features.npy"), np.load(folder / "labels.npy")
    starts = np.flatnonzero(np.append(True, np.diff(labels)))
    kept = []
    for rows in np.split(np.arange(len(labels)), starts[1:]):
        points = features[rows[0] : rows[-1] + 1]
        kept.append(rows[np.array(pick(points, round(ratio * len(rows))), dtype=np.int64)])
    return np.sort(np.concatenate(kept))


def ours(strategy: str) -> Callable[[Path, float], np.ndarray]:
    """Return our function for a strategy."""

    def select(folder: Path, ratio: float) -> np.ndarray:
        from moderate_cli import select_scores

        features = np.load(folder / "features.npy", mmap_mode="r")
        labels = np.load(folder / "labels.npy")
        kept = select_scores(
            np.zeros(len(labels)), labels, ratio=ratio, strategy=strategy, features=features
        )
        return np.flatnonzero(kept)

    return select


def in_double(pick: Picks) -> Picks:
    """Pick in double precision, as we decide."""
    return lambda points, k: pick(points.astype(np.float64), k)


def herding(points: np.ndarray, k: int) -> list[int]:
    """Pick as iCaRL does, in a plain loop."""
    mean, total, picked = points.mean(axis=0), np.zeros_like(points[0]), []
    half = (points * points).sum(axis=1) / 2
    for step in range(k):
        pull = points @ ((step + 1) * mean - total) - half
        pull[picked] = -np.inf
        picked.append(int(pull.argmax()))
        total += points[picked[-1]]
    return picked


def matching(points: np.ndarray, k: int) -> list[int]:
    """Pick as the released code of GM Matching does, in a plain loop."""
    points = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    median = points.mean(axis=0)
    for _ in range(100):
        distance = np.linalg.norm(points - median, axis=1)
        weight = 1 / np.maximum(distance, 1e-12)
        moved = (weight @ points) / weight.sum()
        if np.linalg.norm(moved - median) <= 1e-6 * distance.mean():
            break
        median = moved
    median /= np.linalg.norm(median)
    theta, picked = median.copy(), []
    for _ in range(k):
        pull = points @ theta
        pull[picked] = -np.inf
        picked.append(int(pull.argmax()))
        theta += median - points[picked[-1]]
    return picked


def k_center(points: np.ndarray, k: int) -> list[int]:
    """Pick the farthest point again and again, in a plain loop."""
    squares = (points * points).sum(axis=1)
    best = int((squares - 2 * (points @ points.mean(axis=0))).argmin())
    nearest, picked = np.full(len(points), np.inf), []
    for _ in range(k):
        picked.append(best)
        nearest = np.minimum(nearest, squares + squares[best] - 2 * (points @ points[best]))
        nearest[best] = -np.inf
        best = int(nearest.argmax())
    return picked


def _kernel(points: np.ndarray) -> np.ndarray:
    unit = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    return 1 + unit @ unit.T


def submodlib(points: np.ndarray, k: int) -> list[int]:
    """Facility location of submodlib, with our similarities."""
    from submodlib.functions.facilityLocation import FacilityLocationFunction

    function = FacilityLocationFunction(
        n=len(points), mode="dense", sijs=_kernel(points), separate_rep=False
    )
    picked = function.maximize(
        budget=k, optimizer="LazyGreedy", stopIfZeroGain=False, stopIfNegativeGain=False,
        verbose=False, show_progress=False,
    )  # fmt: skip
    return [row for row, _ in picked]


def apricot(points: np.ndarray, k: int) -> np.ndarray:
    """Facility location of apricot, with our similarities."""
    from apricot import FacilityLocationSelection

    chosen = FacilityLocationSelection(k, metric="precomputed", optimizer="lazy")
    return chosen.fit(_kernel(points.astype(np.float64))).ranking


def our_score(folder: Path) -> np.ndarray:
    """Return the distances to class means."""
    from moderate_cli import score_features

    features = np.load(folder / "features.npy", mmap_mode="r")
    return score_features(features, np.load(folder / "labels.npy"))


def score(folder: Path) -> np.ndarray:
    """Return the distances to class means, by the formula of the authors' released code."""
    features, labels = np.load(folder / "features.npy"), np.load(folder / "labels.npy")
    means = np.zeros((labels.max() + 1, features.shape[1]))
    for label in range(len(means)):
        means[label] = features[labels == label].mean(axis=0)
    return np.linalg.norm(features - means[labels], axis=1)


def our_suspects(folder: Path) -> np.ndarray:
    """Return the images that are more probably mislabeled than not."""
    from moderate_cli import find_suspects

    features = np.load(folder / "features.npy", mmap_mode="r")
    return find_suspects(features, np.load(folder / "wrong.npy")).probability > 0.5


def cleanlab(folder: Path) -> np.ndarray:
    """Return the images that cleanlab flags, with the classifier of its tutorial on texts."""
    from cleanlab.filter import find_label_issues
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict

    features, labels = np.load(folder / "features.npy"), np.load(folder / "wrong.npy")
    head = LogisticRegression(max_iter=400)
    predicted = cross_val_predict(head, features, labels, method="predict_proba")
    return find_label_issues(labels, predicted, n_jobs=1)


def our_duplicates(folder: Path) -> np.ndarray:
    """Return the near duplicates of earlier images."""
    from moderate_cli.selection.duplicates import find_duplicates

    features = np.load(folder / "copies.npy", mmap_mode="r")
    return find_duplicates(features, np.arange(len(features)), THRESHOLD).rows


def faiss(folder: Path) -> np.ndarray:
    """Return the images similar to an earlier one, by an exact search of faiss."""
    from faiss import IndexFlatIP

    points = np.load(folder / "copies.npy")
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    index = IndexFlatIP(points.shape[1])
    index.add(points)
    starts, _, found = index.range_search(points, THRESHOLD)
    rows = np.repeat(np.arange(len(points)), np.diff(starts).astype(np.int64))
    return np.unique(rows[found < rows])


def scikit_learn(folder: Path) -> np.ndarray:
    """Return the images similar to an earlier one, by a search of scikit-learn."""
    from sklearn.neighbors import NearestNeighbors

    points = np.load(folder / "copies.npy")
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    index = NearestNeighbors(radius=(2 - 2 * THRESHOLD) ** 0.5, algorithm="brute").fit(points)
    found = index.radius_neighbors(points, return_distance=False)
    return np.array([row for row, near in enumerate(found) if (near < row).any()])


PICKS: dict[str, dict[str, Picks]] = {
    "herding": {"plain loop": herding, "plain loop, double": in_double(herding)},
    "matching": {"plain loop": matching, "plain loop, double": in_double(matching)},
    "k-center": {"plain loop": k_center, "plain loop, double": in_double(k_center)},
    "facility-location": {"submodlib": submodlib, "apricot": apricot},
}
OTHERS: dict[str, dict[str, Callable[[Path], np.ndarray]]] = {
    "score": {"moderate": our_score, "released formula": score},
    "suspects": {"moderate": our_suspects, "cleanlab": cleanlab},
    "duplicates": {"moderate": our_duplicates, "faiss": faiss, "scikit-learn": scikit_learn},
}


if __name__ == "__main__":
    task, way, folder, output, ratio = sys.argv[1:]
    if task in PICKS and way == "moderate":
        np.save(output, ours(task)(Path(folder), float(ratio)))
    else:
        main(task, way, Path(folder), Path(output), float(ratio))
