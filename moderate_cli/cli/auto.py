"""`--strategy auto`: which strategy does best on held-out images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from moderate_cli.cli import console
from moderate_cli.cli.inputs import Source
from moderate_cli.errors import ArgumentError
from moderate_cli.selection import exact, kept_count, written

SEEDS = 5


def best(
    eligible: Source,
    amount: Mapping[str, Any],
    selecting: Mapping[str, Any],
    scoring: Mapping[str, Any],
    *,
    seed: int,
    dropped: bool,
    room: Callable[[str], int],
) -> dict[str, Any]:
    """Try strategies on held-out images, and say which is taken.

    Parameters
    ----------
    eligible
        What is chosen from.
    amount
        How much of it, as `select` takes it.
    selecting, scoring
        Further options of `select` and of `score_features`.
    seed
        Of the first of `SEEDS` draws.
    dropped
        Whether suspects are left out already, so that no strategy does it again.
    room
        How many images a strategy has to choose from, without what it leaves out itself.

    Returns
    -------
    The strategy and its quantile, as `select` takes them.
    """
    from moderate_cli.evaluation import NOTHING, choose
    from moderate_cli.evaluation.summary import estimate

    eligible.sets[0].check()
    data = replace(eligible.sets[0], readable=eligible.readable, folder=None)
    images = int(np.count_nonzero(data.readable))
    kept = kept_count(images, **amount)  # find fault first
    with console.progress("auto", unit="cell") as move:
        tried = choose(
            data,
            written(amount.get("ratio") or Fraction(kept, images)),
            seeds=range(seed, seed + SEEDS),
            drop_suspects=NOTHING if dropped else "",
            scoring=scoring,
            selecting=selecting,
            on_progress=move,
        )
    if "count" in amount and not dropped:
        tried = {cell: own for cell, own in tried.items() if room(cell.strategy) >= kept}
    if not tried:
        raise ArgumentError(f"strategy auto: no strategy has {kept} images to choose from")
    said = [f"{cell.name} {100 * estimate(values).mean:.1f}" for cell, values in tried.items()]
    others = f"; others: {', '.join(said[1:])}" if said[1:] else ""
    console.note(f"strategy auto takes {said[0]} % right of held-out images{others}")
    taken = next(iter(tried))
    return {"strategy": taken.strategy, "quantile": exact(taken.quantile)}
