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


WEIGHTS = {
    "proportional": lambda size: size,
    "sqrt": lambda size: math.isqrt(size * 10**6),
    "uniform": lambda size: 1,
}


def quotas(sizes, k, floors, weight):
    """Largest remainder with floors; what a class is too small for goes to the others."""
    classes = range(len(sizes))
    if sum(floors) > k:
        floors = [0 for _ in classes]
    full, over = set(), set(classes)
    while over:
        rest = [c for c in classes if c not in full]
        left, total = k - sum(sizes[c] for c in full), sum(weight(sizes[c]) for c in rest)
        share = {c: Fraction(left * weight(sizes[c]), total) for c in rest}
        over = {c for c in rest if share[c] >= sizes[c]}
        full |= over
    got = [sizes[c] if c in full else max(floors[c], math.floor(share[c])) for c in classes]
    owed = [Fraction(0) if c in full else share[c] - got[c] for c in classes]
    while sum(got) != k:
        if sum(got) < k:
            c, step = max(classes, key=lambda c: (owed[c], -c)), 1
        else:
            c, step = min((c for c in classes if got[c] > floors[c]), key=lambda c: owed[c]), -1
        got[c] += step
        owed[c] -= step
    return got


def raise_to_floors(inside, mine, floors, preferred):
    """Rows kept when the most wanted of classes below floor took the place of the least wanted."""
    kept = {row for row in preferred if inside[row]}

    def spare(c):
        return sum(mine[row] == c for row in kept) - floors[c]

    for row in preferred:
        if row not in kept and spare(mine[row]) < 0:
            out = next((r for r in reversed(preferred) if r in kept and spare(mine[r]) > 0), None)
            if out is not None:
                kept = kept - {out} | {row}
    return sorted(kept)


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


def _matched(points, target, k, before):
    """Argmax of <theta, z>, then theta += target - z; and what is left of theta - target."""
    theta, picked = before + target, []
    for _ in range(k):
        left = [i for i in range(len(points)) if i not in picked]
        best = max(left, key=lambda i: (round(float(theta @ points[i]), 9), -i))
        picked.append(best)
        theta = theta + target - points[best]
    return picked, theta - target


def matching(points, k, before=0):
    unit = np.array([z / math.hypot(*z) for z in points])
    median = geometric_median(unit)
    return _matched(unit, median / math.hypot(*median), k, before)


def matching_unscaled(points, k, before=0):
    return _matched(points, geometric_median(points), k, before)


def herding(points, k, before=0):
    """Each time the image after which the sum is nearest to as many means."""
    mean, picked = points.mean(axis=0), []
    missing = before + np.zeros(len(mean))
    for _ in range(k):
        left = [i for i in range(len(points)) if i not in picked]
        picked.append(
            min(left, key=lambda i: (round(math.hypot(*(missing + mean - points[i])), 9), i))
        )
        missing = missing + mean - points[picked[-1]]
    return picked, missing


def k_center(points, k, _):
    mean = points.mean(axis=0)
    picked = [min(range(len(points)), key=lambda i: math.dist(points[i], mean))]
    while len(picked) < k:
        left = [i for i in range(len(points)) if i not in picked]
        picked.append(max(left, key=lambda i: min(math.dist(points[i], points[j]) for j in picked)))
    return picked


def facility_location(points, k, _):
    directions = points / np.linalg.norm(points, axis=1, keepdims=True)
    similarity = 1 + directions @ directions.T

    def reached(picked):
        return similarity[:, picked].max(axis=1).sum()

    picked = []
    while len(picked) < k:
        left = [i for i in range(len(points)) if i not in picked]
        picked.append(max(left, key=lambda i: (round(reached([*picked, i]), 9), -i)))
    return picked


def graph(points, k, values):
    directions = points / np.linalg.norm(points, axis=1, keepdims=True)
    n = len(points)
    start = (values - min(values)) / (max(values) - min(values))
    near = {
        i: sorted((math.dist(directions[i], directions[j]) ** 2, j) for j in range(n) if j != i)[
            :10
        ]
        for i in range(n)
    }
    value = [start[i] + sum(math.exp(-d) * start[j] for d, j in near[i]) for i in range(n)]
    picked = []
    for _ in range(k):
        best = max((i for i in range(n) if i not in picked), key=lambda i: value[i])
        picked.append(best)
        for d, j in near[best]:
            value[j] -= math.exp(-d) * value[best]
    return picked


def ridge(points, targets, strength):
    """Ridge regression with an intercept, as a function of points."""
    mean, base = points.mean(axis=0), targets.mean(axis=0)
    centered = points - mean
    gram = centered.T @ centered + strength * np.eye(points.shape[1])
    weights = np.linalg.solve(gram, centered.T @ (targets - base))
    return lambda x: (x - mean) @ weights + base


def held_out_margins(features, labels):
    """Highest output of another class minus the own one, of a head fitted without the image.

    Of the strengths of the penalty, the strongest of those with the best accuracy.
    """
    names, n = sorted(set(labels.tolist())), len(features)
    targets = np.array([[float(label == name) for name in names] for label in labels])
    centered = features - features.mean(axis=0)
    best, taken = -1, None
    for strength in (0.03, 0.1, 0.3, 1, 3, 10):
        penalty = strength * (centered**2).sum() / min(features.shape)
        found, right = [], 0
        for i in range(n):
            others = np.arange(n) != i
            outputs = ridge(features[others], targets[others], penalty)(features[i])
            own = names.index(labels[i])
            found.append(max(np.delete(outputs, own)) - outputs[own])
            right += outputs.argmax() == own
        if right >= best:
            best, taken = right, np.array(found)
    return taken


def held_out_logits(features, members, seed, *, splits, epochs, steps, batch):
    """Train a head per split and fold without it; yield the logits of each epoch, (splits, n, c).

    The logits for an image are those of the head of its fold, before the step of its batch. Steps
    are taken in the first epochs only.
    """
    rng = np.random.default_rng(seed)
    n, classes = len(features), max(members) + 1
    centered = features - features.mean(axis=0)
    inputs = np.hstack([centered / math.sqrt((centered**2).sum() / n), np.ones((n, 1))])
    folds = []
    for _ in range(splits):
        dealt = sorted(rng.permutation(n).tolist(), key=lambda i: members[i])
        folds.append({i: position % 3 for position, i in enumerate(dealt)})
    weights = np.zeros((splits, 3, classes, inputs.shape[1]))
    velocity = np.zeros_like(weights)
    for epoch in range(epochs):
        order, logits = rng.permutation(n), np.zeros((splits, n, classes))
        for start in range(0, n, batch):
            for split in range(splits):
                for fold in range(3):
                    gradient, seen = 1e-4 * weights[split, fold], []
                    for i in order[start : start + batch].tolist():
                        outputs = weights[split, fold] @ inputs[i]
                        if folds[split][i] == fold:
                            logits[split, i] = outputs
                        else:
                            powers = np.exp(outputs - outputs.max())
                            error = powers / powers.sum() - np.eye(classes)[members[i]]
                            seen.append(np.outer(error, inputs[i]))
                    if seen and epoch < steps:
                        gradient = gradient + np.mean(seen, axis=0)
                        rate = max(1, classes / 10)
                        velocity[split, fold] = 0.9 * velocity[split, fold] - rate * gradient
                        weights[split, fold] += velocity[split, fold]
        yield logits


FOLLOWS = {
    "adaptive": lambda points, k, before: herding(
        np.array([z / math.hypot(*z) for z in points]), k, before
    ),
    "matching": matching,
    "matching-unscaled": matching_unscaled,
    "herding": herding,
}
PICKS = {
    "k-center": k_center,
    "facility-location": facility_location,
    "graph": graph,
}


def check_two_ends(values, k, kept):
    ranked = sorted(range(len(values)), key=lambda row: (values[row], row))
    low, high = k // 2, k - k // 2
    assert set(kept) == set(ranked[:low]) | set(ranked[len(ranked) - high :])


def check_stratified(values, k, kept):
    """The farthest tenth is out, as far as k allows; strata give alike, or all that they have."""
    ranked = sorted(range(len(values)), key=lambda row: (values[row], row))
    out = min(len(values) // 10, len(values) - k)
    near = ranked[: len(values) - out]
    assert set(kept) <= set(near)
    low, high = values[near[0]], values[near[-1]]
    strata = {}
    for row in near:
        strata.setdefault(min(int((values[row] - low) / ((high - low) / 50)), 49), []).append(row)
    given = {index: len(set(rows) & set(kept)) for index, rows in strata.items()}
    most = max(given.values())
    assert all(
        given[index] in (most, most - 1) or given[index] == len(rows)
        for index, rows in strata.items()
    )


CHECKS = {"two-ends": check_two_ends, "stratified": check_stratified}
