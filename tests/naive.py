"""Independent plain statements of what the numeric core computes."""

import math
from fractions import Fraction

import numpy as np


def center(points, kind):
    points = np.asarray(points, dtype=np.float64)
    if kind == "mean":
        return points.sum(axis=0) / len(points)
    if kind == "median":
        return np.array([np.median(points[:, j]) for j in range(points.shape[1])])
    return geometric_median(points)


def geometric_median(points):
    """Newton's method on the sum of distances; the mean where that is a minimum already."""

    def total(y):
        return np.sqrt(((points - y) ** 2).sum(axis=1)).sum()

    y = points.mean(axis=0)
    for _ in range(100):
        difference = y - points
        r = np.sqrt((difference**2).sum(axis=1))
        if (r < 1e-14).any():
            break
        gradient = (difference / r[:, None]).sum(axis=0)
        hessian = np.eye(len(y)) * (1 / r).sum() - (difference / r[:, None] ** 3).T @ difference
        step = np.linalg.lstsq(hessian, gradient, rcond=1e-10)[0]
        while total(y - step) > total(y) * (1 + 1e-12):
            step = step / 2
        y = y - step
    best = min(points, key=total)
    return best if total(best) < total(y) * (1 - 1e-12) else y


def distances(features, labels, kind, metric="euclidean"):
    values = []
    for z, label in zip(features, labels, strict=True):
        c = center([f for f, other in zip(features, labels, strict=True) if other == label], kind)
        z = np.asarray(z, dtype=np.float64)
        if metric == "euclidean":
            values.append(math.sqrt(((z - c) ** 2).sum()))
        else:
            length = np.linalg.norm(z) * np.linalg.norm(c)
            values.append(1 - (z @ c / length if length else 0.0))
    return np.array(values)


def kept_count(n, ratio):
    return max(1, math.floor(n * Fraction(str(ratio)) + Fraction(1, 2)))


def window(values, k, q=0.5):
    """Rows of the k ranks around quantile q."""
    ranked = sorted(range(len(values)), key=lambda row: (values[row], row))
    spare = len(values) - k
    start = spare // 2 if q == 0.5 else math.floor(spare * Fraction(str(q)) + Fraction(1, 2))
    return ranked[start : start + k]


def shares(sizes, k):
    """Largest remainder, each class at least one where k allows it."""
    n = sum(sizes)
    least = 1 if k >= len(sizes) else 0
    got = [max(least, k * size // n) for size in sizes]
    while sum(got) < k:
        owed = [Fraction(k * size, n) - g for size, g in zip(sizes, got, strict=True)]
        got[owed.index(max(owed))] += 1
    while sum(got) > k:
        owed = [Fraction(k * size, n) - g for size, g in zip(sizes, got, strict=True)]
        taker = min((o, i) for i, o in enumerate(owed) if got[i] > least)[1]
        got[taker] -= 1
    return got


def select(values, labels, k, scope, q=0.5):
    """Kept rows, by the definitions."""
    classes = sorted(set(labels))
    if scope == "class":
        members = [[row for row, label in enumerate(labels) if label == c] for c in classes]
        kept = set()
        for rows, share in zip(members, shares([len(m) for m in members], k), strict=True):
            kept |= {rows[i] for i in window([values[row] for row in rows], share, q)}
        return kept
    ranked = sorted(range(len(values)), key=lambda row: (values[row], row))
    rank = {row: position for position, row in enumerate(ranked)}
    kept = set(window(values, k, q))
    first = min(rank[row] for row in kept)
    middle = Fraction(2 * first + k - 1, 2)
    counts = {c: sum(labels[row] == c for row in kept) for c in classes}
    candidates = []
    for c in classes:
        if counts[c] == 0:
            rows = [row for row in range(len(labels)) if labels[row] == c]
            candidates.append(min(rows, key=lambda row: (abs(rank[row] - middle), rank[row])))
    for row in sorted(candidates, key=lambda row: (abs(rank[row] - middle), rank[row])):
        spare = [other for other in kept if counts[labels[other]] > 1]
        if not spare:
            break
        out = max(spare, key=lambda other: (abs(rank[other] - middle), rank[other]))
        kept.remove(out)
        counts[labels[out]] -= 1
        kept.add(row)
        counts[labels[row]] += 1
    return kept
