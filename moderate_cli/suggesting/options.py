"""Facts of a dataset -> the options that all compared selections share."""

from __future__ import annotations

import math
from typing import NamedTuple

from moderate_cli.selection import Choice, exact
from moderate_cli.suggesting.facts import SIMILAR, Facts
from moderate_cli.text import counted

COPIES = 0.01  # share of near duplicates from which they are dropped
# With more, or with so many of them in two classes, similar features do not mean a copy.
MOST_COPIES, MOST_TORN = 0.5, 0.25
FEW = 10  # kept images of a class: with fewer, a class is hardly learned


class Reason(NamedTuple):
    """An option that the facts ask for, as on the command line, and why."""

    option: str
    why: str


def choice_for(facts: Facts, choice: Choice) -> tuple[Choice, list[Reason]]:
    """Set the options that the facts ask for.

    Parameters
    ----------
    facts
        Of the dataset.
    choice
        The amount to keep, and the seed.

    Returns
    -------
    choice, reasons
        With the options, but no strategy chosen.
    """
    reasons = []
    fields = {"ratio": choice.ratio, "seed": choice.seed}
    if has_copies(facts):
        fields["dedup"] = SIMILAR
        reasons.append(Reason(f"--dedup {SIMILAR:g}", f"{facts.duplicates} near duplicates"))
    least = enough_per_class(facts, choice)
    if least > 1:
        fields["min_per_class"] = least
        small = starved(facts, choice)
        named = f"{small[0][0]} would keep {small[0][2]} of its {small[0][1]} images"
        others = counted(len(small) - 1, "more class", "more classes")
        more = f", and {others} fewer than {FEW}, too" if len(small) > 1 else ""
        reasons.append(Reason(f"--min-per-class {least}", f"{named}{more}"))
    return Choice(**fields), reasons  # type: ignore[arg-type]


def has_copies(facts: Facts) -> bool:
    """Whether there are near duplicates to drop."""
    found = facts.duplicates or 0
    few, many = max(1, COPIES * facts.images), MOST_COPIES * facts.images
    return few <= found <= many and facts.torn <= MOST_TORN * found


def starved(facts: Facts, choice: Choice) -> list[tuple[str, int, int]]:
    """Return name, images and kept images of classes that keep very few, the fewest first."""
    ratio = exact(choice.ratio or 1)
    found = [(name, size, math.floor(size * ratio)) for name, size in facts.classes]
    return sorted((one for one in found if one[2] < min(FEW, one[1])), key=lambda one: one[2:0:-1])


def enough_per_class(facts: Facts, choice: Choice) -> int:
    """Return the minimum per class that starved classes need; 1 if none is, or it is too dear.

    It may take at most a tenth of the budget from the other classes.
    """
    budget = math.floor(facts.images * exact(choice.ratio or 1))
    small = starved(facts, choice)
    for least in range(FEW, 1, -1):
        extra = sum(max(0, min(least, size) - kept) for _, size, kept in small)
        if small and extra and extra <= budget / 10:
            return least
    return 1
