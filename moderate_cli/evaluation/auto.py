"""`strategy="auto"`: take the strategy with the best accuracy on held-out images."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from moderate_cli.choosing import Chooser
from moderate_cli.errors import ArgumentError
from moderate_cli.evaluation.cells import Cell
from moderate_cli.evaluation.estimates import estimate
from moderate_cli.evaluation.judging import ProbeLearner, judge
from moderate_cli.inputs import Source
from moderate_cli.listening import SILENT, Listener
from moderate_cli.notices import Notice
from moderate_cli.selection import STRATEGIES, Choice, exact, kept_count, written

SEEDS = 5
CANDIDATES = (
    ("moderate", "0.5"), ("moderate", "0.25"), ("easy", "0.5"), ("random", "0.5"),
    ("stratified", "0.5"), ("trimmed", "0.5"), ("matching", "0.5"), ("herding", "0.5"),
    ("k-center", "0.5"),
)  # fmt: skip


def best_choice(chooser: Chooser, choice: Choice, listener: Listener = SILENT) -> Choice:
    """Replace the strategy "auto" by the best of `CANDIDATES`.

    Suspects and near duplicates are dropped first, if the choice says so. `SEEDS` pools of the
    remaining images each train a linear probe per candidate.

    Raises
    ------
    ArgumentError
        If there are too few images, or strategies cannot be compared on them.
    """
    eligible = chooser.prepare(choice).eligible
    images = int(np.count_nonzero(eligible))
    kept = kept_count(images, choice.ratio, choice.count)  # refuse before minutes of work
    source = chooser.source
    source.sets[0].check()
    ratio = written(choice.ratio if choice.ratio is not None else Fraction(kept, images))
    # Suspects that were dropped already are not searched for again in each pool.
    dropped = "nothing" if choice.dropped is not None else ""
    seeds = range(choice.seed, choice.seed + SEEDS)
    base = replace(choice, strategy="moderate", dedup=None)
    found = try_strategies(source.limited(eligible), ratio, seeds, dropped, base, listener)
    taken = {cell: _taking(choice, cell) for cell in found}
    able = [
        cell
        for cell in found
        if choice.count is None or dropped or chooser.room(taken[cell]) >= kept
    ]
    if not able:
        raise ArgumentError(f"strategy auto: no strategy has {kept} images to choose from")
    names = [f"{cell.name} {100 * estimate(found[cell]).mean:.1f} %" for cell in able[1:]]
    share = estimate(found[able[0]]).mean
    listener.notice(Notice("auto", names=(able[0].name, *names), share=share))
    return taken[able[0]]


def try_strategies(
    source: Source,
    ratio: str,
    seeds: range,
    drop_suspects: str,
    base: Choice,
    listener: Listener = SILENT,
) -> dict[Cell, list[float]]:
    """Judge all candidates; return the accuracies of each, one per seed, the best first.

    Each key is the cell of the first seed. Equal means keep the order of `CANDIDATES`.

    Raises
    ------
    ArgumentError
        As for `judge`.
    """
    cells = [
        Cell(name, ratio, drop_suspects, seed, quantile)
        for seed in seeds
        for name, quantile in CANDIDATES
        if not (base.scope == "global" and STRATEGIES[name].within_classes)
    ]
    found: dict[Cell, list[float]] = {}
    learner = ProbeLearner(source.sets[0], None)
    with listener.progress("auto", unit="cell") as move:
        for done, (cell, result) in enumerate(judge(source, cells, learner, base), 1):
            found.setdefault(cell._replace(seed=seeds[0]), []).append(result.accuracy)
            move(done, len(cells))
    return dict(sorted(found.items(), key=lambda item: -sum(item[1])))


def _taking(choice: Choice, cell: Cell) -> Choice:
    scope = None if STRATEGIES[cell.strategy].within_classes else choice.scope
    return replace(choice, strategy=cell.strategy, quantile=exact(cell.quantile), scope=scope)
