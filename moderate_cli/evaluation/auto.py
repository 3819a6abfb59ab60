"""`strategy="auto"`: take the recommended strategy, or one that beats it on held-out images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from moderate_cli.arrays import Doubles
from moderate_cli.choosing import Chooser
from moderate_cli.evaluation.belief import believed, tell_of_doubted
from moderate_cli.evaluation.cells import Cell
from moderate_cli.evaluation.estimates import PAIRED, differences, estimate
from moderate_cli.evaluation.judging import ProbeLearner, judge
from moderate_cli.evaluation.pools import FOLDS, check_comparable
from moderate_cli.inputs import Source
from moderate_cli.listening import SILENT, Listener
from moderate_cli.notices import Kind, Notice
from moderate_cli.selection import RECOMMENDED, Choice, exact, kept_count, written
from moderate_cli.selection.conflicts import compatible

SEEDS = FOLDS  # each image is held out once
# Strategies, with the quantile of a window. The first that goes with scope and criterion is taken
# unless another one beats it. Few, because the best of many noisy figures is no evidence.
CANDIDATES = tuple(
    dict.fromkeys(
        (
            (RECOMMENDED, "0.5"),
            ("random", "0.5"),
            ("matching", "0.5"),
            ("moderate", "0.5"),
            ("easy", "0.5"),
        )
    )
)


def best_choice(chooser: Chooser, choice: Choice, listener: Listener = SILENT) -> Choice:
    """Replace the strategy "auto" by one of `CANDIDATES`, in each class unless a scope is set.

    Suspects and near duplicates are dropped first, if the choice says so. `SEEDS` pools of the
    remaining images each train a linear probe per candidate. Held-out labels count as far as they
    are believed.

    Raises
    ------
    ArgumentError
        If there are too few images, or strategies cannot be compared on them.
    """
    eligible = chooser.prepare(choice).eligible
    images = int(np.count_nonzero(eligible))
    kept = kept_count(images, choice.ratio, choice.count)  # refuse before minutes of work
    source = chooser.source.limited(eligible)
    check_comparable(source.labels[eligible], held_out=True, auto=True)
    source.sets[0].check()
    ratio = written(choice.ratio if choice.ratio is not None else Fraction(kept, images))
    choice = replace(choice, strategy="moderate", scope=choice.scope or "class")
    base = replace(choice, dedup=None)  # duplicates were dropped already, and suspects
    suspects = chooser.suspects(choice)
    found = try_strategies(source, ratio, base, believed(suspects), listener)
    taken = preferred(found)
    tell_of_doubted(suspects, source, listener)
    listener.notice(_outcome(found, taken))
    return replace(choice, strategy=taken.strategy, quantile=exact(taken.quantile))


def try_strategies(
    source: Source,
    ratio: str,
    base: Choice,
    weights: Doubles | None,
    listener: Listener = SILENT,
) -> dict[Cell, list[float]]:
    """Judge all candidates; return the accuracies of each, one per seed, in their order.

    Each key is the cell of the first seed.

    Raises
    ------
    ArgumentError
        As for `judge`.
    """
    cells = [
        Cell(name, ratio, "", seed, quantile)
        for seed in range(base.seed, base.seed + SEEDS)
        for name, quantile in CANDIDATES
        if compatible(name, base.scope, base.criterion)
    ]
    found: dict[Cell, list[float]] = {}
    learner = ProbeLearner(source.sets[0], None)
    with listener.progress("auto", unit="cell") as move:
        results = judge(source, cells, learner, base, believed=weights)
        for done, (cell, result) in enumerate(results, 1):
            found.setdefault(cell._replace(seed=base.seed), []).append(result.accuracy)
            move(done, len(cells))
    return found


def preferred(found: Mapping[Cell, Sequence[float]]) -> Cell:
    """Return the best cell that beats the first one beyond the error; or the first.

    The error is half of the 95 % interval of the mean difference on the same pools. It is stricter
    than the one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984,
    Section 3.4.3), because it must hold for the best of several.

    Examples
    --------
    >>> first, other = Cell("matching", "0.5", "", 0), Cell("easy", "0.5", "", 0)
    >>> preferred({first: [0.5, 0.6, 0.7], other: [0.6, 0.5, 0.8]}).strategy
    'matching'
    >>> preferred({first: [0.5, 0.6, 0.7], other: [0.6, 0.7, 0.8]}).strategy
    'easy'
    """
    first, *others = found

    def gain(cell: Cell) -> float:
        return float(np.mean(differences(found[cell], found[first])))

    def beats(cell: Cell) -> bool:
        apart = differences(found[cell], found[first])
        return gain(cell) > estimate(apart, PAIRED).half

    return max(filter(beats, others), key=gain, default=first)


def _outcome(found: Mapping[Cell, Sequence[float]], taken: Cell) -> Notice:
    """Return the taken strategy and the others, the best first."""
    means = {cell: float(np.mean(values)) for cell, values in found.items()}
    others = sorted((cell for cell in found if cell != taken), key=lambda cell: -means[cell])
    names = [f"{cell.name} {100 * means[cell]:.1f} %" for cell in others]
    kind: Kind = "auto recommended" if taken.strategy == RECOMMENDED else "auto"
    return Notice(kind, names=(taken.name, *names), share=means[taken])
